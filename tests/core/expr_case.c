/*
 * expr_case.c - see expr_case.h.
 */
#include "tests/core/expr_case.h"

#include "core/data/chunk.h"
#include "core/expr/tree.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define ROWS_MOST 64

const struct weir_component *expr_components;
uint64_t expr_seed = 1;

static const struct weir_component *find(void *arg, uint32_t kind, const char *name)
{
    const struct weir_component *c = expr_components;
    (void)arg;
    for (; c && c->name; c++)
        if (c->kind == kind && strcmp(c->name, name) == 0) return c;
    return NULL;
}

static const char *name_of(void *arg, uint32_t i)
{
    const struct weir_component *c = expr_components;
    (void)arg;
    for (; c && c->name && i > 0; i--) c++;
    return c ? c->name : NULL;
}

extern const struct weir_host expr_test_host;
const struct expr_env expr_test_env = { find, name_of, &expr_test_host, NULL };

static const void *interface_of(const char *id)
{
    return strcmp(id, WEIR_DATA_ID) == 0 ? &weir_data_1 : NULL;
}

const struct weir_host expr_test_host = { .size = sizeof expr_test_host,
                                          .abi_major = WEIR_ABI_MAJOR,
                                          .version = "test",
                                          .alloc = mem_alloc,
                                          .realloc = mem_realloc,
                                          .free = mem_free,
                                          .buffer_grow = buffer_grow,
                                          .get_interface = interface_of };

static void must(int32_t rc, const struct weir_error *error)
{
    if (rc) fail_msg("class %d: %s", rc, error->text);
}

void table_make(struct expr_table *table, const char *columns, const char *rows)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowArray array;
    must(weir_data_1.schema_parse(columns, &table->schema, &error), &error);
    must(weir_data_1.rows_parse(&table->schema, rows, strlen(rows), &array, &error), &error);
    table->chunk = chunk_create(&table->schema, &array, NULL, 0);
    assert_non_null(table->chunk);
}

void table_free(struct expr_table *table)
{
    chunk_release(table->chunk);
    schema_release(&table->schema);
}

/* ---- one run ---- */

struct outcome {
    char *value[ROWS_MOST]; /* of each row; NULL: not computed */
};

static int32_t note(void *arg, uint32_t row, const char *reason, struct weir_error *error)
{
    struct outcome *outcome = arg;
    (void)error;
    if (row >= ROWS_MOST || outcome->value[row]) fail_msg("row %u is rejected twice", row);
    outcome->value[row] = malloc(strlen(reason) + 2);
    sprintf(outcome->value[row], "!%s", reason);
    return WEIR_OK;
}

static const struct expr_run run_base = { .time_us = 1700000000123456, .batch = 7, .seed = 42,
                                          .partition = 3, .reject = note };

static void outcome_free(struct outcome *outcome)
{
    uint32_t i;
    for (i = 0; i < ROWS_MOST; i++) free(outcome->value[i]);
}

static void outcome_set(struct outcome *outcome, uint32_t row, const struct ArrowSchema *schema,
                        const struct ArrowArray *array, uint32_t at)
{
    struct weir_buffer text = { 0 };
    const struct ArrowSchema number = { .format = "l" };
    const int interval = strcmp(schema->format, "tDu") == 0;
    if (outcome->value[row]) fail_msg("row %u failed and stayed", row);
    assert_int_equal(value_json(interval ? &number : schema, array, at, &text), WEIR_OK);
    outcome->value[row] = calloc(1, text.length + 1);
    memcpy(outcome->value[row], text.data, text.length);
    mem_free(text.data);
}

static void check_profile(const struct ArrowSchema *schema, struct ArrowArray *array)
{
    struct weir_error error = WEIR_ERROR_INIT;
    const struct type type = type_of_schema(schema);
    if (type.id == TYPE_NULL) fail_msg("type %s", schema->format);
    must(type_validate(&type, array, &error), &error);
}

/* Evaluates the rows of the list; `base` is the row that row 0 of the chunk stands for. */
static void run_rows(struct weir_expr *expr, const struct weir_chunk *chunk, const uint32_t *list,
                     uint32_t n, uint32_t base, struct outcome *outcome)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t own[ROWS_MOST + 1], i;
    struct weir_rows rows = { sizeof rows, n, own };
    struct outcome inner = { { 0 } };
    struct expr_run run = run_base;
    struct ArrowArray out;
    memcpy(own, list, n * sizeof *own);
    run.arg = &inner;
    must(expr_eval(&run, expr, &chunk, &rows, &out, &error), &error);
    assert_int_equal(out.length, chunk->rows);
    check_profile(expr_schema(expr), &out);
    for (i = 0; i < rows.n; i++)
        outcome_set(&inner, rows.rows[i], expr_schema(expr), &out, rows.rows[i]);
    for (i = 0; i < chunk->rows; i++) outcome->value[base + i] = inner.value[i];
    out.release(&out);
}

static void run_filter(struct weir_expr *expr, const struct weir_chunk *chunk, const uint32_t *list,
                       uint32_t n, struct outcome *outcome)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t own[ROWS_MOST + 1], i;
    struct weir_rows rows = { sizeof rows, n, own };
    struct expr_run run = run_base;
    memcpy(own, list, n * sizeof *own);
    run.arg = outcome;
    must(expr_filter(&run, expr, &chunk, &rows, &error), &error);
    for (i = 0; i < rows.n; i++) {
        if (outcome->value[own[i]]) fail_msg("row %u failed and stayed", own[i]);
        outcome->value[own[i]] = strdup("true");
    }
}

static uint64_t next_random(void)
{
    expr_seed ^= expr_seed << 13;
    expr_seed ^= expr_seed >> 7;
    expr_seed ^= expr_seed << 17;
    return expr_seed;
}

static void same(const char *text, const char *how, uint32_t row, const char *want, const char *got)
{
    if ((want == NULL) != (got == NULL) || (want && strcmp(want, got) != 0))
        fail_msg("%s: row %u is %s, but %s it is %s", text, row, want ? want : "not there", how,
                 got ? got : "not there");
}

static void check_selections(struct weir_expr *expr, const char *text,
                             const struct weir_chunk *chunk, const struct outcome *whole)
{
    uint32_t list[ROWS_MOST], n, i, round, k;
    for (round = 0; round < 6; round++) {
        struct outcome some = { { 0 } }, kept = { { 0 } };
        const uint64_t some_bits = next_random() & (round & 1 ? next_random() : UINT64_MAX);
        const uint64_t mask = round == 0 ? UINT64_MAX : round == 1 ? 0 : some_bits;
        for (i = n = 0; i < chunk->rows; i++)
            if (mask >> (i % 64) & 1) list[n++] = i;
        run_rows(expr, chunk, list, n, 0, &some);
        for (k = 0; k < n; k++)
            same(text, "under a selection", list[k], whole->value[list[k]], some.value[list[k]]);
        if (weir_type_of(expr_schema(expr)) == WEIR_TYPE_BOOL) {
            run_filter(expr, chunk, list, n, &kept);
            for (k = 0; k < n; k++) {
                const char *want = whole->value[list[k]];
                if (want[0] != '!' && strcmp(want, "true") != 0) want = NULL;
                same(text, "as a filter", list[k], want, kept.value[list[k]]);
            }
        }
        outcome_free(&some);
        outcome_free(&kept);
    }
}

static void check_single_rows(struct weir_expr *expr, const char *text,
                              const struct weir_chunk *chunk, const struct outcome *whole)
{
    static const uint32_t zero;
    uint32_t row;
    for (row = 0; row < chunk->rows; row++) {
        struct weir_error error = WEIR_ERROR_INIT;
        struct outcome one = { { 0 } };
        struct ArrowArray array;
        struct weir_chunk *alone;
        must(array_take(chunk->schema, chunk->array, &row, 1, &array, &error), &error);
        alone = chunk_create(chunk->schema, &array, NULL, 0);
        assert_non_null(alone);
        run_rows(expr, alone, &zero, 1, 0, &one);
        same(text, "alone", row, whole->value[row], one.value[0]);
        outcome_free(&one);
        chunk_release(alone);
    }
}

const char *show(const struct expr_table *table, const char *text)
{
    static char line[8192];
    const struct weir_expr_input input = { NULL, &table->schema };
    const struct weir_chunk *chunk = table->chunk;
    struct weir_error error = WEIR_ERROR_INIT;
    struct outcome whole = { { 0 } };
    uint32_t list[ROWS_MOST], i;
    struct weir_expr *expr;
    size_t n = 0;
    int32_t rc = expr_compile(&expr_test_env, text, "expr", &input, 1, WEIR_TYPE_NONE, &expr,
                              &error);
    assert_true(chunk->rows <= ROWS_MOST);
    if (rc) {
        assert_null(expr);
        assert_int_equal(rc, WEIR_CONFIG);
        assert_string_equal(error.option, "expr");
        snprintf(line, sizeof line, "@%d %s", error.offset, error.text);
        return line;
    }
    for (i = 0; i < chunk->rows; i++) list[i] = i;
    run_rows(expr, chunk, list, chunk->rows, 0, &whole);
    check_selections(expr, text, chunk, &whole);
    check_single_rows(expr, text, chunk, &whole);
    line[0] = 0;
    for (i = 0; i < chunk->rows; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", i ? ", " : "", whole.value[i]);
    outcome_free(&whole);
    expr_free(expr);
    return line;
}

void check_cases(const struct expr_table *table, const struct expr_case *cases, uint32_t n)
{
    uint32_t i, wrong = 0;
    for (i = 0; i < n; i++) {
        const char *got = show(table, cases[i].text);
        if (strcmp(got, cases[i].want) == 0) continue;
        print_error("%s\n    gives %s\n    not   %s\n", cases[i].text, got, cases[i].want);
        wrong++;
    }
    if (wrong) fail_msg("%u of %u cases differ", wrong, n);
}
