/*
 * test_expr.c - the contract of a run: what is not copied, who leaves the selection, what
 * functions get to see, memory that runs out; and random expressions, computed in every way there
 * is.
 */
#include "tests/core/expr_case.h"

#include "core/data/chunk.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static struct expr_table table;

static int set_up(void **state)
{
    (void)state;
    table_make(&table, "a int64, b int64, f double, s string, ok bool, i int, t timestamp",
               "[[1,0,1.5,\"one\",true,3,\"2024-01-01T00:00:00Z\"],"
                   "[2,1,-2.0,\"two\",false,null,null],"
               "[3,0,\"NaN\",\"\",null,-7,\"1969-12-31T00:00:00Z\"],"
                   "[null,2,0.0,null,true,0,\"0001-01-01T00:00:00Z\"],"
               "[5,0,null,\"größe\",false,2147483647,\"9999-12-31T00:00:00Z\"],"
                   "[6,3,1e300,\"a longer text than sixteen\",true,1,null],"
               "[9223372036854775807,-1,-0.0,\"one\",true,-1,\"2024-01-01T00:00:00Z\"],"
                   "[-9223372036854775808,-1,\"Infinity\",\"x\",false,-2147483648,null]]");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    table_free(&table);
    expr_components = NULL;
    return mem_in_use() != 0;
}

static struct weir_expr *compiled(const char *text)
{
    const struct weir_expr_input input = { NULL, &table.schema };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_expr *expr;
    if (expr_compile(&expr_test_env, text, "where", &input, 1, WEIR_TYPE_NONE, &expr, &error))
        fail_msg("%s: @%d %s", text, error.offset, error.text);
    return expr;
}

struct rejected {
    uint32_t rows[16];
    char reasons[16][64];
    uint32_t n;
    uint32_t fail_at; /* number of the call that answers DATA; 0: none */
};

static int32_t reject(void *arg, uint32_t row, const char *reason, struct weir_error *error)
{
    struct rejected *r = arg;
    r->rows[r->n] = row;
    snprintf(r->reasons[r->n++], sizeof r->reasons[0], "%s", reason);
    return r->n == r->fail_at ? weir_fail(error, WEIR_DATA, "row %u", row) : WEIR_OK;
}

static struct expr_run run_with(struct rejected *rejected)
{
    const struct expr_run run = { .time_us = 1, .reject = reject, .arg = rejected };
    memset(rejected, 0, sizeof *rejected);
    return run;
}

/* ---- what is not copied ---- */

static void a_column_passes_without_a_copy_and_outlives_the_chunk(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct expr_table own;
    const struct weir_chunk *chunk;
    const struct expr_run run = { 0 };
    struct ArrowArray out, sum;
    struct weir_expr *expr = compiled("a");
    (void)state;
    table_make(&own, "a int64, s string", "[[1,\"x\"],[2,\"y\"]]");
    chunk = own.chunk;
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_ptr_equal(out.buffers[1], chunk->array->children[0]->buffers[1]);
    assert_int_equal(out.length, 2);
    expr_free(expr);
    {
        const struct weir_expr_input input = { NULL, &own.schema };
        assert_int_equal(expr_compile(&expr_test_env, "coalesce(s, '-')", "x", &input, 1, 0, &expr,
                                      &error), WEIR_OK);
    }
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &sum, &error), WEIR_OK);
    assert_ptr_equal(sum.buffers[2], chunk->array->children[1]->buffers[2]);
    table_free(&own);
    assert_int_equal(weir_get_int64(&out, 1), 2);
    assert_memory_equal(weir_get_bytes(&sum, 1).data, "y", 1);
    out.release(&out);
    sum.release(&sum);
    assert_null(out.release);
    expr_free(expr);
}

static void free_foreign(struct ArrowArray *array)
{
    free((void *)(uintptr_t)array->buffers[1]);
    free((void *)(uintptr_t)array->buffers[2]);
    array->release = NULL;
}

/* Arrays of plugins end where they end: here the sanitizer watches the byte behind. */
static void text_is_not_read_beyond_its_end(void **state)
{
    static const char *const wants[] = { "longer than eight", "short", "", "t",
                                         "longer than sixteen by far, it is" };
    static const char bytes[] = "shorttlonger than eightlonger than sixteen by far, it is";
    static const int32_t ends[] = { 0, 5, 6, 23, 56, 56 };
    struct ArrowSchema schema;
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t k;
    (void)state;
    assert_int_equal(weir_data_1.schema_parse("s string", &schema, &error), WEIR_OK);
    for (k = 0; k < sizeof wants / sizeof *wants; k++) {
        const struct weir_expr_input input = { NULL, &schema };
        const void *buffers[3] = { NULL, memcpy(malloc(sizeof ends), ends, sizeof ends),
                                   memcpy(malloc(56), bytes, 56) };
        struct ArrowArray column = { .length = 5, .n_buffers = 3, .buffers = buffers,
                                     .release = free_foreign };
        struct ArrowArray array;
        struct weir_chunk *chunk;
        const struct weir_chunk *lent;
        const struct expr_run run = { 0 };
        struct weir_expr *expr;
        char text[64];
        uint32_t list[] = { 0, 1, 2, 3, 4 };
        struct weir_rows rows = { sizeof rows, 5, list };
        assert_int_equal(array_struct(&column, 1, 5, &array, &error), WEIR_OK);
        lent = chunk = chunk_create(&schema, &array, NULL, 0);
        snprintf(text, sizeof text, "s = '%s'", wants[k]);
        assert_int_equal(expr_compile(&expr_test_env, text, "x", &input, 1, 0, &expr, &error),
                         WEIR_OK);
        assert_int_equal(expr_filter(&run, expr, &lent, &rows, &error), WEIR_OK);
        assert_int_equal(rows.n, 1);
        expr_free(expr);
        chunk_release(chunk);
    }
    schema_release(&schema);
}

/* ---- rows that fail ---- */

static void failed_rows_are_rejected_in_order_and_leave_the_rows(void **state)
{
    static const uint32_t all[] = { 0, 1, 2, 3, 4, 5 };
    struct weir_error error = WEIR_ERROR_INIT;
    struct rejected rejected;
    struct expr_run run = run_with(&rejected);
    struct weir_expr *expr = compiled("a div b + 1 div (a - 2)");
    uint32_t list[8];
    struct weir_rows rows = { sizeof rows, 6, list };
    const struct weir_chunk *chunk = table.chunk;
    struct ArrowArray out;
    (void)state;
    memcpy(list, all, sizeof all);
    run.arg = &rejected;
    assert_int_equal(expr_eval(&run, expr, &chunk, &rows, &out, &error), WEIR_OK);
    assert_int_equal(rejected.n, 4);
    assert_int_equal(rejected.rows[0], 0);
    assert_int_equal(rejected.rows[1], 1);
    assert_int_equal(rejected.rows[2], 2);
    assert_int_equal(rejected.rows[3], 4);
    assert_string_equal(rejected.reasons[1], "division by zero");
    assert_int_equal(rows.n, 2);
    assert_int_equal(list[0], 3);
    assert_int_equal(list[1], 5);
    out.release(&out);
    expr_free(expr);
}

static void a_selection_of_the_chunk_counts_where_no_rows_are_given(void **state)
{
    static const uint32_t selection[] = { 1, 3, 5 };
    struct weir_error error = WEIR_ERROR_INIT;
    struct rejected rejected;
    struct expr_run run = run_with(&rejected);
    struct weir_expr *expr = compiled("1 div b");
    struct weir_chunk *view = chunk_view(table.chunk, selection, 3, 1);
    const struct weir_chunk *chunk = view;
    struct ArrowArray out;
    (void)state;
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_int_equal(rejected.n, 0);
    assert_int_equal(weir_get_int64(&out, 1), 1);
    out.release(&out);
    expr_free(expr);
    chunk_release(view);
}

static void data_from_reject_ends_the_evaluation(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct rejected rejected;
    struct expr_run run = run_with(&rejected);
    struct weir_expr *expr = compiled("a div b > 0");
    uint32_t list[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    struct weir_rows rows = { sizeof rows, 8, list };
    const struct weir_chunk *chunk = table.chunk;
    struct ArrowArray out;
    (void)state;
    rejected.fail_at = 2;
    assert_int_equal(expr_eval(&run, expr, &chunk, &rows, &out, &error), WEIR_DATA);
    assert_null(out.release);
    assert_int_equal(rejected.n, 2);
    assert_string_equal(error.text, "row 2");
    rejected.n = 0;
    error = (struct weir_error)WEIR_ERROR_INIT;
    rows.n = 8;
    for (uint32_t i = 0; i < 8; i++) list[i] = i;
    assert_int_equal(expr_filter(&run, expr, &chunk, &rows, &error), WEIR_DATA);
    expr_free(expr);
}

static void with_null_on_error_failing_rows_stay_as_nulls(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        { "a div b", "null 2 null null null 2 -9223372036854775807 null" },
        { "case when b = 0 then 1 div b else 5 end", "null 5 null 5 null 5 5 5" },
        { "1 div 0", "null null null null null null null null" },
        { "coalesce(a, 1 div 0)", "1 2 3 null 5 6 9223372036854775807 -9223372036854775808" },
    };
    const struct weir_chunk *chunk = table.chunk;
    uint32_t k, row;
    (void)state;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct weir_error error = WEIR_ERROR_INIT;
        struct rejected rejected;
        struct expr_run run = run_with(&rejected);
        struct weir_expr *expr = compiled(cases[k].text);
        struct weir_buffer text = { 0 };
        struct ArrowArray out;
        run.null_on_error = 1;
        assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
        assert_int_equal(rejected.n, 0);
        for (row = 0; row < chunk->rows; row++) {
            if (row) buffer_add(&text, " ", 1);
            value_json(expr_schema(expr), &out, row, &text);
        }
        buffer_add(&text, "", 1);
        assert_string_equal((char *)text.data, cases[k].want);
        mem_free(text.data);
        out.release(&out);
        expr_free(expr);
    }
}

static void a_filter_drops_nulls_and_rejects_failures(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct rejected rejected;
    struct expr_run run = run_with(&rejected);
    struct weir_expr *expr = compiled("ok and 6 div b >= 2");
    uint32_t list[] = { 0, 2, 3, 4, 5 };
    struct weir_rows rows = { sizeof rows, 5, list };
    const struct weir_chunk *chunk = table.chunk;
    (void)state;
    assert_int_equal(expr_filter(&run, expr, &chunk, &rows, &error), WEIR_OK);
    assert_int_equal(rejected.n, 2); /* row 0: true and an error; row 2: null and an error */
    assert_int_equal(rejected.rows[0], 0);
    assert_int_equal(rejected.rows[1], 2);
    assert_int_equal(rows.n, 2);
    assert_int_equal(list[0], 3);
    assert_int_equal(list[1], 5);
    run.null_on_error = 1;
    rejected.n = 0;
    rows.n = 2;
    list[0] = 0;
    list[1] = 5;
    assert_int_equal(expr_filter(&run, expr, &chunk, &rows, &error), WEIR_OK);
    assert_int_equal(rejected.n, 0);
    assert_int_equal(rows.n, 1);
    expr_free(expr);
}

static void two_chunks_of_equal_rows_are_two_inputs(void **state)
{
    struct expr_table right;
    struct weir_error error = WEIR_ERROR_INIT;
    const struct expr_run run = { 0 };
    const struct weir_chunk *chunks[2];
    struct weir_expr *expr;
    struct ArrowArray out;
    uint32_t list[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    struct weir_rows rows = { sizeof rows, 8, list };
    (void)state;
    table_make(&right, "k int64, s string", "[[1,\"r\"],[9,\"r\"],[3,\"r\"],[null,\"r\"],"
               "[9,null],[6,\"r\"],[1,\"r\"],[1,\"r\"]]");
    chunks[0] = table.chunk;
    chunks[1] = right.chunk;
    {
        const struct weir_expr_input inputs[] = { { "l", &table.schema }, { "r", &right.schema } };
        assert_int_equal(expr_compile(&expr_test_env, "l.a = k", "on", inputs, 2, WEIR_TYPE_BOOL,
                                      &expr, &error), WEIR_OK);
        assert_int_equal(expr_filter(&run, expr, chunks, &rows, &error), WEIR_OK);
        assert_int_equal(rows.n, 3);
        assert_int_equal(list[2], 5);
        expr_free(expr);
        assert_int_equal(expr_compile(&expr_test_env, "r.s", "columns", inputs, 2, 0, &expr,
                                      &error), WEIR_OK);
        assert_int_equal(expr_eval(&run, expr, chunks, NULL, &out, &error), WEIR_OK);
        assert_int_equal(expr_column(expr), -1);
    }
    table_free(&right);
    assert_memory_equal(weir_get_bytes(&out, 0).data, "r", 1);
    out.release(&out);
    expr_free(expr);
}

/* ---- functions ---- */

static struct weir_call seen; /* of the last call */
static uint32_t seen_rows[64];
static int answer; /* what the function does wrong */

static int32_t add_bind(const struct weir_host *host, const struct weir_argument *args, uint32_t n,
                        struct ArrowSchema *result, void **bound, struct weir_error *error)
{
    const struct ArrowSchema int64 = { .format = "l", .name = "" };
    int32_t rc;
    *bound = NULL;
    if (n && args[0].schema->format[0] == 'u') return weir_fail(error, WEIR_CONFIG,
            "add takes int64, got string");
    *bound = host->alloc(1);
    if (!*bound) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = weir_data_1.schema_copy(&int64, "x", result, error);
    if (rc) host->free(*bound);
    return rc;
}

static void add_unbind(void *bound) { mem_free(bound); }

static int32_t add_eval(const struct weir_host *host, void *bound, const struct weir_call *call,
                        struct ArrowArray *out, struct weir_error *error)
{
    uint32_t i, k;
    int32_t rc = weir_data_1.column(WEIR_TYPE_INT64, call->rows + (answer == 1), 0, 0, out, error);
    (void)host;
    assert_non_null(bound);
    if (rc) return rc;
    seen = *call;
    memset((void *)(uintptr_t)out->buffers[1], 0, (call->rows + (answer == 1)) * 8ul);
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call->selection ? call->selection[i] : i;
        uint64_t sum = 0;
        seen_rows[i] = row;
        for (k = 0; k < call->n_args; k++) {
            const uint32_t at = call->constant[k] ? 0 : row;
            if (!weir_is_null(call->args[k], at)) sum += (uint64_t)weir_get_int64(call->args[k],
                    at);
        }
        ((int64_t *)(uintptr_t)out->buffers[1])[row] = (int64_t)sum;
        if (sum == 5) {
            call->failed[row] = 1;
            strcpy(call->reason, "five is not allowed");
        }
    }
    if (answer == 2) out->null_count = 7;
    if (answer == 3) {
        out->release(out);
        return weir_fail(error, WEIR_FATAL, "broken");
    }
    return WEIR_OK;
}

static const struct weir_scalar add_table = { sizeof add_table, 0, add_bind, add_unbind, add_eval };

#define FUNCTION(name, min, max, caps)                                                             \
    { sizeof(struct weir_component), WEIR_KIND_SCALAR, name, "", NULL, 0, min, max, 0, 0, 0, 0, 0, \
      caps, &add_table, NULL, 0, 0 }

static const struct weir_component functions[] = {
    FUNCTION("add", 1, 9, WEIR_CAP_DETERMINISTIC | WEIR_CAP_NULL_IN_NULL_OUT | WEIR_CAP_MAY_FAIL),
    FUNCTION("add_nulls", 1, 9, WEIR_CAP_DETERMINISTIC | WEIR_CAP_MAY_FAIL),
    FUNCTION("chance", 0, 1, WEIR_CAP_MAY_FAIL),
    { .name = NULL },
};

static void functions_see_only_rows_without_nulls_if_they_say_so(void **state)
{
    (void)state;
    expr_components = functions;
    assert_string_equal(show(&table, "add(b, 1)"), "1, 2, 1, 3, 1, 4, 0, 0");
    assert_string_equal(show(&table, "add(b, null)"), "null, null, null, null, null, null, "
                        "null, null");
    assert_string_equal(show(&table, "add(b, try_add(a, 1))"), "2, 4, 4, null, 6, 10, null, "
                        "-9223372036854775808");
    assert_string_equal(show(&table, "add_nulls(b, try_add(a, 0))"),
                        "1, 3, 3, 2, !five is not allowed, 9, 9223372036854775806, "
                            "9223372036854775807");
    assert_string_equal(show(&table, "add(2, 3)"),
                        "!five is not allowed, !five is not allowed, !five is not allowed, "
                            "!five is not allowed, "
                        "!five is not allowed, !five is not allowed, !five is not allowed, "
                            "!five is not allowed");
    assert_string_equal(show(&table, "ok and add(b, 4) > 0"),
                        "true, false, null, true, false, true, true, false");
    assert_string_equal(show(&table, "ok and add(b, 5) > 0"),
                        "!five is not allowed, false, !five is not allowed, true, false, true, "
                            "true, false");
    assert_string_equal(show(&table, "add(s)"), "@0 add takes int64, got string");
    assert_string_equal(show(&table, "1 + add()"), "@4 add takes 1 to 9 arguments, not 0");
    assert_string_equal(show(&table, "ad(b)"), "@0 no function ad: did you mean add?");
}

static void functions_get_constants_once_and_the_facts_of_the_batch(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    const struct expr_run run = { .time_us = 77, .batch = 8, .seed = 9, .partition = 10, .reject =
                                  reject };
    static const uint32_t selection[] = { 1, 3, 5 };
    struct weir_chunk *view = chunk_view(table.chunk, selection, 3, 1);
    const struct weir_chunk *chunk = view;
    struct weir_expr *expr;
    struct ArrowArray out;
    (void)state;
    expr_components = functions;
    expr = compiled("add_nulls(b, 40, a)");
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_int_equal(seen.rows, 8);
    assert_int_equal(seen.selected, 3);
    assert_int_equal(seen_rows[1], 3);
    assert_int_equal(seen.time_us, 77);
    assert_int_equal(seen.batch, 8);
    assert_int_equal(seen.seed, 9);
    assert_int_equal(seen.partition, 10);
    assert_int_equal(seen.n_args, 3);
    assert_int_equal(weir_get_int64(&out, 3), 42);
    out.release(&out);
    expr_free(expr);
    expr = compiled("add(40, 2)"); /* once for all rows */
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_int_equal(seen.rows, 1);
    assert_int_equal(weir_get_int64(&out, 7), 42);
    out.release(&out);
    assert_int_equal(expr_deterministic(expr), 1);
    expr_free(expr);
    expr = compiled("chance(40)"); /* chance is thrown for each */
    assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_OK);
    assert_int_equal(seen.rows, 8);
    assert_int_equal(seen.selected, 3);
    out.release(&out);
    assert_int_equal(expr_deterministic(expr), 0);
    expr_free(expr);
    chunk_release(view);
}

static void what_functions_give_back_is_checked(void **state)
{
    const struct expr_run run = { .reject = reject };
    const struct weir_chunk *chunk = table.chunk;
    struct weir_expr *expr;
    (void)state;
    expr_components = functions;
    expr = compiled("add_nulls(b) + 1");
    for (answer = 1; answer <= 3; answer++) {
        struct weir_error error = WEIR_ERROR_INIT;
        struct ArrowArray out;
        assert_int_equal(expr_eval(&run, expr, &chunk, NULL, &out, &error), WEIR_FATAL);
        assert_int_equal(error.error_class, WEIR_FATAL);
        assert_null(out.release);
    }
    answer = 0;
    expr_free(expr);
}

/* ---- memory that runs out ---- */

static void every_allocation_may_fail(void **state)
{
    static const char *const texts[] = {
        "case when a > 1 and f < 2.5 then s || '!' when ok then s else null end",
        "a + b * 2 - i", "coalesce(s, 'x') || cast(a as string)", "a in (1, 2, 3) or s in ('x', "
            "'y', s)", "s like '%o%' and s like s",
        "case s when 'one' then 1 else add(b, 3) end", "greatest(a, b, i)", "a between b and 10 "
            "or not ok", "nullif(a, b) is null",
        "try_cast(s as int) is distinct from 5", "add_nulls(b, null, 1)", "t + interval '1h' > "
            "'2024-01-01'", "cast(null as list<int>)",
        "a div b > 0 and ok or a = 5", "s::binary = 'one'::binary", "typeof(a) || s",
    };
    const struct weir_expr_input input = { NULL, &table.schema };
    const struct weir_chunk *chunk = table.chunk;
    const struct expr_run run = { .reject = reject };
    uint32_t k;
    (void)state;
    expr_components = functions;
    for (k = 0; k < sizeof texts / sizeof *texts; k++) {
        uint64_t nth;
        int32_t done = 0;
        for (nth = 1; !done; nth++) {
            const uint64_t before = mem_in_use();
            struct weir_error error = WEIR_ERROR_INIT;
            struct rejected rejected = { .n = 0 };
            struct expr_run own = run;
            struct weir_expr *expr;
            struct ArrowArray out = { 0 };
            uint32_t list[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
            struct weir_rows rows = { sizeof rows, 8, list };
            int32_t rc;
            own.arg = &rejected;
            mem_fail_at(nth, (int)(nth & 1));
            rc = expr_compile(&expr_test_env, texts[k], "x", &input, 1, 0, &expr, &error);
            if (!rc) rc = expr_eval(&own, expr, &chunk, &rows, &out, &error);
            if (!rc && weir_type_of(expr_schema(expr)) == WEIR_TYPE_BOOL) {
                rejected.n = 0;
                rc = expr_filter(&own, expr, &chunk, &rows, &error);
            }
            mem_fail_at(0, 0);
            if (rc == WEIR_FATAL) assert_string_equal(error.text, "out of memory");
            done = rc != WEIR_FATAL;
            array_release(&out);
            expr_free(expr);
            assert_int_equal(mem_in_use(), before);
            assert_true(nth < 2000);
        }
    }
}

/* ---- random expressions ---- */

static uint64_t random_state;

static uint32_t chance(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 11) % n;
}

enum kind { INT, FLOAT, TEXT, BOOL, TIME, KINDS };

static void write_expr(char *out, enum kind kind, int depth);

/* Writes a template: %i %f %s %b %t are operands of those kinds. */
static void write_form(char *out, const char *form, int depth)
{
    static const char letters[] = "ifsbt";
    for (; *form; form++) {
        const char *letter = *form == '%' && form[1] && form[1] != 'o' ? strchr(letters, form[1])
            : NULL;
        if (letter) {
            write_expr(out, (enum kind)(letter - letters), depth - 1);
            form++;
        } else {
            const size_t n = strlen(out);
            out[n] = *form;
            out[n + 1] = 0;
        }
    }
}

static void write_expr(char *out, enum kind kind, int depth)
{
    static const char *const leaves[KINDS][8] = {
        { "a", "b", "i", "0", "1", "-3", "7", "cast(null as bigint)" },
        { "f", "1.5", "0.0", "-2.0", "'NaN'::double", "f", "1e300", "cast(null as double)" },
        { "s", "'one'", "''", "'größe'", "'x'", "s", "s", "cast(null as string)" },
        { "ok", "true", "false", "ok", "a > 2", "s = 'one'", "f < 1", "cast(null as bool)" },
        { "t", "now()", "timestamp '2024-01-01T00:00:00Z'", "t", "t",
          "date '2024-01-01'::timestamp", "t", "cast(null as timestamp)" },
    };
    static const char *const forms[KINDS][14] = {
        { "(%i + %i)", "(%i - %i)", "(%i * %i)", "(%i div %i)", "(%i % %i)", "(-%i)",
          "coalesce(%i, %i)", "case when %b then %i else %i end",
          "case %i when %i then %i when %i then %i end", "nullif(%i, %i)", "greatest(%i, %i)",
              "try_cast(%s as bigint)", "if(%b, %i, %i)", "try_add(%i, %i)" },
        { "(%f + %f)", "(%f - %i)", "(%f * %f)", "(%f / %f)", "(%i / %i)", "(-%f)",
          "coalesce(%f, %f)", "case when %b then %f end", "least(%f, %f)",
          "nullif(%f, %f)", "cast(%i as double)", "try_divide(%f, %f)", "if(%b, %f, %f)",
              "(%f % %f)" },
        { "(%s || %s)", "coalesce(%s, %s)", "case when %b then %s else %s end",
          "cast(%i as string)", "cast(%f as string)", "nullif(%s, %s)", "greatest(%s, %s)",
          "cast(%b as string)", "cast(%t as string)", "case %s when %s then %s end",
              "if(%b, %s, %s)", "(%s || 'x')", "least(%s, %s)", "%s" },
        { "(%b and %b)", "(%b or %b)", "(not %b)", "(%i < %i)", "(%f >= %f)", "(%s = %s)",
          "(%i in (%i, 1, 7))", "(%i between %i and %i)",
          "(%s like '%o%')", "(%s is null)", "(%i <=> %i)", "(%b and %b and %b)", "(%t > %t)",
              "(%b or %b or %b)" },
        { "coalesce(%t, %t)", "(%t + interval '1h')", "(%t - interval '400d')",
          "case when %b then %t else %t end", "greatest(%t, %t)",
          "try_cast(%s as timestamp)", "nullif(%t, %t)", "if(%b, %t, %t)",
              "cast(cast(%t as date) as timestamp)", "(%t + interval '1s' * %i)", "%t", "%t",
              "%t", "%t" },
    };
    if (depth == 0 || chance(5) == 0) strcat(out, leaves[kind][chance(8)]);
    else write_form(out, forms[kind][chance(14)], depth);
}

static void random_expressions_agree_in_every_way_to_compute_them(void **state)
{
    static char text[1 << 20];
    int round;
    (void)state;
    random_state = 0x9e3779b97f4a7c15ull;
    for (round = 0; round < 3000; round++) {
        text[0] = 0;
        write_expr(text, (enum kind)(round % KINDS), 1 + (int)chance(4));
        expr_seed = random_state;
        if (show(&table, text)[0] == '@') fail_msg("%s: %s", text, show(&table, text));
    }
}

/* ---- long columns: kernels by blocks, sparse selections ---- */

#define LONG 1000u

static void put(struct weir_builder *rows, uint32_t column, int null, const char *text,
                int64_t number)
{
    struct weir_builder *b = weir_data_1.builder_child(rows, column);
    if (null) assert_int_equal(weir_data_1.append_null(b), WEIR_OK);
    else if (text) assert_int_equal(weir_data_1.append_bytes(b, text, strlen(text)), WEIR_OK);
    else if (column == 2) assert_int_equal(weir_data_1.append_float(b, (double)number / 2),
                                           WEIR_OK);
    else assert_int_equal(weir_data_1.append_int(b, number), WEIR_OK);
}

/* Columns as those of set_up; nulls only where `nulls`. */
static struct weir_chunk *long_chunk(int nulls)
{
    static const char *const words[] = { "one", "", "größe", "x", "a longer text than sixteen",
                                         "17", "one two" };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_builder *rows;
    struct weir_chunk *chunk;
    struct ArrowArray array;
    uint32_t i, k;
    assert_int_equal(weir_data_1.builder_create(&table.schema, &rows, &error), WEIR_OK);
    for (i = 0; i < LONG; i++) {
        for (k = 0; k < 7; k++) {
            const int null = nulls && chance(5) == 0;
            put(rows, k, null, k == 3 ? words[chance(7)] : NULL,
                k == 4 ? chance(2) : k == 6 ? (int64_t)chance(1u << 30)
                    * 1000000 : (int64_t)chance(12) - 4);
        }
        weir_data_1.append_valid(rows);
    }
    assert_int_equal(weir_data_1.builder_finish(rows, &array, &error), WEIR_OK);
    weir_data_1.builder_destroy(rows);
    chunk = chunk_create(&table.schema, &array, NULL, 0);
    assert_non_null(chunk);
    return chunk;
}

struct long_outcome {
    char *value[LONG];
};

static int32_t long_reject(void *arg, uint32_t row, const char *reason, struct weir_error *error)
{
    struct long_outcome *outcome = arg;
    (void)error;
    outcome->value[row] = malloc(strlen(reason) + 2);
    sprintf(outcome->value[row], "!%s", reason);
    return WEIR_OK;
}

/* Values of rows list[0..n) into outcome->value[base + row]. */
static void run_long(struct weir_expr *expr, const struct weir_chunk *chunk, const uint32_t *list,
                     uint32_t n,
                     uint32_t base, struct long_outcome *outcome)
{
    static uint32_t own[LONG + 1];
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_rows rows = { sizeof rows, n, own };
    struct long_outcome inner = { { 0 } };
    const struct expr_run run = { .time_us = 5, .reject = long_reject, .arg = &inner };
    struct ArrowArray out;
    uint32_t i;
    memcpy(own, list, n * sizeof *own);
    if (expr_eval(&run, expr, &chunk, &rows, &out, &error)) fail_msg("%s", error.text);
    for (i = 0; i < rows.n; i++) {
        struct weir_buffer text = { 0 };
        assert_null(inner.value[own[i]]);
        value_json(expr_schema(expr), &out, own[i], &text);
        inner.value[own[i]] = calloc(1, text.length + 1);
        memcpy(inner.value[own[i]], text.data, text.length);
        mem_free(text.data);
    }
    for (i = 0; i < chunk->rows; i++) outcome->value[base + i] = inner.value[i];
    out.release(&out);
}

static void long_free(struct long_outcome *outcome)
{
    uint32_t i;
    for (i = 0; i < LONG; i++) free(outcome->value[i]);
}

static void same_long(const char *text, const struct long_outcome *want,
                      const struct long_outcome *got)
{
    uint32_t i;
    for (i = 0; i < LONG; i++)
        if (got->value[i] && strcmp(got->value[i], want->value[i]) != 0)
            fail_msg("%s: row %u is %s or %s", text, i, want->value[i], got->value[i]);
}

static void filter_long(struct weir_expr *expr, const char *text, const struct weir_chunk *chunk,
                        const uint32_t *list,
                        uint32_t n, const struct long_outcome *want)
{
    static uint32_t own[LONG + 1];
    struct weir_error error = WEIR_ERROR_INIT;
    struct long_outcome failed = { { 0 } };
    const struct expr_run run = { .time_us = 5, .reject = long_reject, .arg = &failed };
    struct weir_rows rows = { sizeof rows, n, own };
    uint32_t i, k = 0;
    memcpy(own, list, n * sizeof *own);
    if (expr_filter(&run, expr, &chunk, &rows, &error)) fail_msg("%s", error.text);
    for (i = 0; i < n; i++) {
        const int kept = k < rows.n && own[k] == list[i];
        k += (uint32_t)kept;
        if (kept != (strcmp(want->value[list[i]], "true") == 0)) fail_msg("%s: row %u", text,
                list[i]);
        if ((failed.value[list[i]] != NULL) != (want->value[list[i]][0] == '!'))
            fail_msg("%s: row %u fails", text, list[i]);
    }
    long_free(&failed);
}

static void long_columns_agree_with_short_ones_and_selections(void **state)
{
    static char text[1 << 20];
    static uint32_t all[LONG], some[LONG];
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t i, n;
    int round;
    (void)state;
    random_state = 0x123456789abcdefull;
    for (i = 0; i < LONG; i++) all[i] = i;
    for (round = 0; round < 150; round++) {
        struct weir_chunk *chunk = long_chunk(round & 1);
        struct long_outcome whole = { { 0 } }, pieces = { { 0 } };
        struct weir_expr *expr;
        const uint32_t every = 1 + chance(3) * 5;
        text[0] = 0;
        write_expr(text, (enum kind)(round % KINDS), 1 + (int)chance(3));
        expr = compiled(text);
        run_long(expr, chunk, all, LONG, 0, &whole);
        for (i = 0; i < LONG; i += n) {
            struct ArrowArray array;
            struct weir_chunk *piece;
            n = 1 + chance(90);
            if (n > LONG - i) n = LONG - i;
            assert_int_equal(array_take(&table.schema, chunk->array, all + i, n, &array, &error),
                             WEIR_OK);
            piece = chunk_create(&table.schema, &array, NULL, 0);
            run_long(expr, piece, all, n, i, &pieces);
            chunk_release(piece);
        }
        same_long(text, &whole, &pieces);
        long_free(&pieces);
        for (i = n = 0; i < LONG; i++)
            if (chance(every) == 0) some[n++] = i;
        run_long(expr, chunk, some, n, 0, &pieces);
        same_long(text, &whole, &pieces);
        long_free(&pieces);
        if (weir_type_of(expr_schema(expr)) == WEIR_TYPE_BOOL) {
            filter_long(expr, text, chunk, all, LONG, &whole);
            filter_long(expr, text, chunk, some, n, &whole);
        }
        long_free(&whole);
        expr_free(expr);
        chunk_release(chunk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_column_passes_without_a_copy_and_outlives_the_chunk,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_is_not_read_beyond_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_rows_are_rejected_in_order_and_leave_the_rows,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_selection_of_the_chunk_counts_where_no_rows_are_given,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_from_reject_ends_the_evaluation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_null_on_error_failing_rows_stay_as_nulls, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_filter_drops_nulls_and_rejects_failures, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_chunks_of_equal_rows_are_two_inputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(functions_see_only_rows_without_nulls_if_they_say_so,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(functions_get_constants_once_and_the_facts_of_the_batch,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_functions_give_back_is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_expressions_agree_in_every_way_to_compute_them,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_columns_agree_with_short_ones_and_selections, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
