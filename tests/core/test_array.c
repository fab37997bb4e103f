/*
 * test_array.c - memory, schemas, columns, take, concat, validation.
 */
#include "tests/core/data_rows.h"

/* ---- memory ---- */

static void memory_is_aligned_counted_and_kept_by_realloc(void **state)
{
    uint64_t n;
    (void)state;
    for (n = 1; n < 5000000; n = n * 3 + 1) {
        uint64_t i;
        uint8_t *p = mem_alloc(n);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_int_equal(mem_in_use(), n);
        memset(p, (int)(n & 0xff), n);
        p = mem_realloc(p, n * 2);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_int_equal(mem_in_use(), n * 2);
        for (i = 0; i < n; i++) assert_int_equal(p[i], n & 0xff);
        p = mem_realloc(p, n / 2);
        for (i = 0; i < n / 2; i++) assert_int_equal(p[i], n & 0xff);
        mem_free(p);
    }
}

static void the_nth_allocation_fails_once_or_for_ever(void **state)
{
    void *p;
    (void)state;
    mem_fail_at(2, 0);
    p = mem_alloc(1);
    assert_non_null(p);
    assert_null(mem_realloc(p, 100000));
    p = mem_realloc(p, 5); /* the old block was untouched */
    assert_non_null(p);
    mem_fail_at(1, 1);
    assert_null(mem_alloc(1));
    assert_null(mem_alloc(1));
    mem_fail_at(0, 0);
    mem_free(p);
    assert_null(mem_alloc(UINT64_MAX - 10));
}

static void a_buffer_grows_and_refuses_sizes_that_wrap(void **state)
{
    struct weir_buffer b = { NULL, 0, 0 };
    int i;
    (void)state;
    for (i = 0; i < 1000; i++) assert_int_equal(buffer_add(&b, &i, sizeof i), WEIR_OK);
    for (i = 0; i < 1000; i++) assert_memory_equal(b.data + i * 4, &i, 4);
    assert_int_equal(buffer_grow(&b, UINT64_MAX - 5), WEIR_FATAL);
    assert_int_equal(b.length, 4000);
    mem_free(b.data);
}

/* ---- schemas ---- */

static void assert_ddl(const char *in, const char *out)
{
    struct ArrowSchema schema, again;
    struct weir_error error = WEIR_ERROR_INIT;
    char *text;
    schema_of(in, &schema);
    assert_int_equal(schema_check(&schema, &error), WEIR_OK);
    text = schema_ddl(&schema);
    assert_string_equal(text, out);
    schema_of(text, &again);
    assert_true(schema_equal(&schema, &again));
    schema_release(&again);
    schema_release(&schema);
    mem_free(text);
}

static void ddl_is_read_and_printed(void **state)
{
    (void)state;
    assert_ddl("user string,amount DOUBLE Not Null", "user string, amount float64 not null");
    assert_ddl(" a int , b bigint, c bool ", "a int32, b int64, c bool");
    assert_ddl("\"a b\" date, \"q\"\"q\" timestamp, \"x\" binary",
               "\"a b\" date, \"q\"\"q\" timestamp, x binary");
    assert_ddl("a list < struct<x:int,y : list<string not null> not null> >",
               "a list<struct<x: int32, y: list<string not null> not null>>");
    assert_ddl("gr\xc3\xb6\xc3\x9f""e int, \xe6\x9d\xb1 struct<>",
               "gr\xc3\xb6\xc3\x9f""e int32, \xe6\x9d\xb1 struct<>");
    assert_ddl("not int not null, null string", "not int32 not null, null string");
    assert_ddl(ALL_TYPES, ALL_TYPES);
}

static void assert_bad_ddl(const char *ddl, int32_t offset, const char *text)
{
    struct ArrowSchema schema;
    struct weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(weir_data_1.schema_parse(ddl, &schema, &error), WEIR_CONFIG);
    assert_null(schema.release);
    if (!strstr(error.text, text)) fail_msg("%s: %s", ddl, error.text);
    assert_int_equal(error.offset, offset);
}

static void bad_ddl_is_refused_with_place_and_suggestion(void **state)
{
    (void)state;
    assert_bad_ddl("", 0, "columns are missing");
    assert_bad_ddl("a", 1, "a type is missing");
    assert_bad_ddl("a strng", 2, "did you mean 'string'");
    assert_bad_ddl("\xc3\xb6 varchar", 2, "did you mean 'string'");
    assert_bad_ddl("a long", 2, "did you mean 'int64'");
    assert_bad_ddl("a array<int>", 2, "did you mean 'list'");
    assert_bad_ddl("a bananas", 2, "types are bool");
    assert_bad_ddl("a: int", 1, "no colon");
    assert_bad_ddl("a int,", 6, "a name is missing");
    assert_bad_ddl("a int b int", 6, "',' or the end");
    assert_bad_ddl("a int, b string, a date", 17, "'a' stands here twice");
    assert_bad_ddl("a list<int", 10, "'>'");
    assert_bad_ddl("a list", 6, "'<'");
    assert_bad_ddl("a struct<x int>", 11, "':' is missing");
    assert_bad_ddl("a int not", 9, "'null' is missing");
    assert_bad_ddl("\"a int", 0, "not closed");
    assert_bad_ddl("\"\" int", 0, "empty");
    assert_bad_ddl("a\xff int", -1, "not UTF-8");
}

static void deep_nesting_is_refused(void **state)
{
    char ddl[2000] = "a ";
    struct ArrowSchema schema;
    struct weir_error error = WEIR_ERROR_INIT;
    int i;
    (void)state;
    for (i = 0; i < 33; i++) strcat(ddl, "list<");
    strcat(ddl, "int");
    for (i = 0; i < 33; i++) strcat(ddl, ">");
    assert_int_equal(weir_data_1.schema_parse(ddl, &schema, &error), WEIR_CONFIG);
    strcpy(ddl, "a ");
    for (i = 0; i < 31; i++) strcat(ddl, "list<");
    strcat(ddl, "int");
    for (i = 0; i < 31; i++) strcat(ddl, ">");
    schema_of(ddl, &schema);
    assert_int_equal(schema_check(&schema, &error), WEIR_OK);
    schema_release(&schema);
}

static void a_schema_is_built_piece_by_piece(void **state)
{
    const struct weir_data *d = &weir_data_1;
    struct ArrowSchema schema, copy;
    struct weir_error error = WEIR_ERROR_INIT;
    char *text;
    (void)state;
    assert_int_equal(d->schema_struct(3, &schema, &error), WEIR_OK);
    assert_int_equal(schema_check(&schema, NULL), WEIR_CONFIG); /* children without a type */
    assert_int_equal(d->schema_set(&schema, 0, "k", WEIR_TYPE_UTF8, &error), WEIR_OK);
    assert_int_equal(d->schema_set(&schema, 1, "w", WEIR_TYPE_STRUCT, &error), WEIR_OK);
    assert_int_equal(d->schema_set(schema.children[1], 0, "start", WEIR_TYPE_DATE, &error), 0);
    assert_int_equal(d->schema_set(schema.children[1], 1, "end", WEIR_TYPE_DATE, &error), 0);
    assert_int_equal(d->schema_set(schema.children[1], 3, "no", WEIR_TYPE_DATE, NULL), WEIR_CONFIG);
    assert_int_equal(d->schema_set(&schema, 2, "v", WEIR_TYPE_LIST, &error), WEIR_OK);
    assert_int_equal(d->schema_set(schema.children[2], 0, "item", WEIR_TYPE_INT64, &error), 0);
    assert_int_equal(d->schema_set(schema.children[2], 1, "item", WEIR_TYPE_INT64, NULL),
                     WEIR_CONFIG);
    assert_int_equal(d->schema_set(&schema, 3, "x", WEIR_TYPE_UTF8, NULL), WEIR_CONFIG);
    assert_int_equal(d->schema_set(&schema, 0, "x", 77, NULL), WEIR_CONFIG);
    assert_int_equal(schema_check(&schema, &error), WEIR_OK);
    text = schema_ddl(&schema);
    assert_string_equal(text, "k string, w struct<start: date, end: date>, v list<int64>");
    mem_free(text);
    assert_int_equal(d->schema_copy(&schema, "other", &copy, &error), WEIR_OK);
    assert_string_equal(copy.name, "other");
    assert_true(schema_equal(&copy, &schema));
    schema_release(&schema);
    text = type_ddl(copy.children[2]);
    assert_string_equal(text, "list<int64>");
    mem_free(text);
    schema_release(&copy);
}

static void equal_schemas_have_equal_names_and_types(void **state)
{
    struct ArrowSchema a, b;
    (void)state;
    schema_of("x int64, y struct<p: string>", &a);
    schema_of("x int64 not null, y struct<q: string>", &b);
    assert_false(schema_equal(&a, &b));
    assert_true(schema_same_type(&a, &b));
    schema_release(&b);
    schema_of("x int64, y struct<p: binary>", &b);
    assert_false(schema_same_type(&a, &b));
    schema_release(&b);
    schema_release(&a);
}

static void schemas_outside_of_the_profile_are_refused(void **state)
{
    struct ArrowSchema s;
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    schema_of("x int64, y list<int64>", &s);
    s.children[0]->format = "d:38,2";
    assert_int_equal(schema_check(&s, &error), WEIR_CONFIG);
    s.children[0]->format = "l";
    s.children[0]->name = "y";
    assert_int_equal(schema_check(&s, NULL), WEIR_CONFIG); /* twice y */
    s.children[0]->name = NULL;
    assert_int_equal(schema_check(&s, NULL), WEIR_CONFIG);
    s.children[0]->name = "x";
    s.children[0]->dictionary = &s;
    assert_int_equal(schema_check(&s, NULL), WEIR_CONFIG);
    s.children[0]->dictionary = NULL;
    s.children[1]->n_children = 0;
    assert_int_equal(schema_check(&s, NULL), WEIR_CONFIG);
    s.children[1]->n_children = 1;
    assert_int_equal(schema_check(&s, NULL), WEIR_OK);
    schema_release(&s);
    assert_int_equal(schema_check(&s, NULL), WEIR_CONFIG);
}

/* ---- columns, take, concat ---- */

static void a_column_of_each_flat_type_keeps_the_profile(void **state)
{
    uint32_t type, rows, nullable;
    (void)state;
    for (type = WEIR_TYPE_BOOL; type <= WEIR_TYPE_DATE; type++)
        for (rows = 0; rows < 200; rows += 67)
            for (nullable = 0; nullable < 2; nullable++) {
                struct ArrowSchema schema;
                struct ArrowArray column, root;
                struct weir_error error = WEIR_ERROR_INIT;
                char ddl[32];
                uint32_t width = weir_type_width(type);
                static const char *const names[] = { "",       "bool",   "int32",     "int64",
                                                     "float64", "string", "binary", "timestamp",
                                                     "date" };
                snprintf(ddl, sizeof ddl, "x %s", names[type]);
                schema_of(ddl, &schema);
                assert_int_equal(weir_data_1.column(type, rows, rows, (int32_t)nullable, &column,
                                                    &error), WEIR_OK);
                if (width) memset((void *)(uintptr_t)column.buffers[1], 0, rows * width);
                if (type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY) {
                    uint32_t i;
                    for (i = 0; i <= rows; i++)
                        ((int32_t *)(uintptr_t)column.buffers[1])[i] = (int32_t)i;
                    memset((void *)(uintptr_t)column.buffers[2], 'x', rows);
                }
                assert_true(!column.buffers[0] == !nullable);
                assert_int_equal(array_struct(&column, 1, 0, &root, &error), WEIR_OK);
                if (array_validate(&schema, &root, 1, &error)) fail_msg("%s", error.text);
                assert_null(root.children[0]->buffers[0]); /* mended */
                array_release(&root);
                schema_release(&schema);
            }
    struct ArrowArray none;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_LIST, 1, 0, 0, &none, NULL), WEIR_UNSUPPORTED);
    assert_null(none.release);
}

static void columns_of_unequal_length_make_no_struct(void **state)
{
    struct ArrowArray columns[2], root;
    (void)state;
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, 1, 0, 0, &columns[0], NULL), 0);
    assert_int_equal(weir_data_1.column(WEIR_TYPE_INT64, 2, 0, 0, &columns[1], NULL), 0);
    assert_int_equal(array_struct(columns, 2, 0, &root, NULL), WEIR_DATA);
    assert_null(root.release);
    assert_null(columns[0].release);
    assert_int_equal(array_struct(NULL, 0, 5, &root, NULL), WEIR_OK);
    assert_int_equal(root.length, 5);
    array_release(&root);
}

static void rows_of_all_types_are_taken_in_any_order(void **state)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    const uint32_t order[] = { 3, 3, 1, 0, 2, 3 };
    struct ArrowArray out, again;
    struct weir_buffer json = { NULL, 0, 0 };
    (void)state;
    assert_rows(&r.schema, &r.array, NULL, 4, ALL_ROWS);
    assert_int_equal(array_take(&r.schema, &r.array, order, 6, &out, NULL), WEIR_OK);
    rows_json(&r.schema, &r.array, order, 6, &json);
    buffer_add(&json, "", 1);
    assert_rows(&r.schema, &out, NULL, 6, (char *)json.data);
    const uint32_t back[] = { 3, 2, 4, 0 };
    assert_int_equal(array_take(&r.schema, &out, back, 4, &again, NULL), WEIR_OK);
    assert_rows(&r.schema, &again, NULL, 4,
                ALL_ROWS);
    mem_free(json.data);
    array_release(&again);
    array_release(&out);
    rows_drop(&r);
}

static void no_rows_can_be_taken(void **state)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    struct ArrowArray out;
    (void)state;
    assert_int_equal(array_take(&r.schema, &r.array, NULL, 0, &out, NULL), WEIR_OK);
    assert_rows(&r.schema, &out, NULL, 0, "[]");
    array_release(&out);
    rows_drop(&r);
}

static void a_missing_row_is_null_and_below_it_zero(void **state)
{
    struct rows r = rows_of("a struct<x: int64 not null, y: string, z: bool not null>, b int64",
                            "[[{\"x\":5,\"y\":\"q\",\"z\":true},1]]");
    const uint32_t rows[] = { UINT32_MAX, 0, UINT32_MAX };
    struct ArrowArray columns[2], root;
    (void)state;
    assert_int_equal(weir_data_1.take(r.schema.children[0], r.array.children[0], rows, 3,
                                      &columns[0], NULL), WEIR_OK);
    assert_int_equal(weir_data_1.take(r.schema.children[1], r.array.children[1], rows, 3,
                                      &columns[1], NULL), WEIR_OK);
    assert_int_equal(columns[0].null_count, 2);
    assert_int_equal(array_struct(columns, 2, 0, &root, NULL), WEIR_OK);
    assert_rows(&r.schema, &root, NULL, 3,
                "[[null,null],[{\"x\":5,\"y\":\"q\",\"z\":true},1],[null,null]]");
    array_release(&root);
    rows_drop(&r);
}

static void release_nothing(struct ArrowArray *array) { array->release = NULL; }

/* A plugin's own arrays need no room behind their text. */
static void text_is_taken_without_reading_behind_its_end(void **state)
{
    struct ArrowSchema schema;
    const int32_t offsets[] = { 0, 2, 7 };
    const uint32_t rows[] = { 1, 0, 1 };
    char *bytes = malloc(7);
    const void *buffers[] = { NULL, offsets, bytes };
    struct ArrowArray text = { 2, 0, 0, 3, 0, buffers, NULL, NULL, release_nothing, NULL }, out;
    (void)state;
    memcpy(bytes, "abcdefg", 7);
    schema_of("s string", &schema);
    assert_int_equal(weir_data_1.take(schema.children[0], &text, rows, 3, &out, NULL), WEIR_OK);
    assert_memory_equal(out.buffers[2], "cdefgabcdefg", 12);
    free(bytes);
    array_release(&out);
    schema_release(&schema);
}

static void rows_outside_of_the_array_are_refused(void **state)
{
    struct rows r = rows_of("a int64", "[[1],[2]]");
    const uint32_t rows[] = { 0, 2 };
    const struct ArrowArray *arrays[] = { &r.array };
    const uint32_t three = 3;
    struct ArrowArray out;
    (void)state;
    assert_int_equal(array_take(&r.schema, &r.array, rows, 2, &out, NULL), WEIR_DATA);
    assert_int_equal(array_concat(&r.schema, arrays, NULL, &three, 1, &out, NULL), WEIR_DATA);
    assert_null(out.release);
    rows_drop(&r);
}

static void arrays_are_concatenated_with_and_without_selections(void **state)
{
    struct rows r = rows_of(ALL_TYPES, ALL_ROWS);
    const uint32_t some[] = { 1, 3 };
    const struct ArrowArray *arrays[] = { &r.array, &r.array, &r.array };
    const uint32_t *selections[] = { NULL, some, NULL };
    const uint32_t counts[] = { 4, 2, 3 }, all[] = { 0, 1, 2, 3, 1, 3, 0, 1, 2 };
    struct weir_buffer json = { NULL, 0, 0 };
    struct ArrowArray out;
    (void)state;
    assert_int_equal(array_concat(&r.schema, arrays, selections, counts, 3, &out, NULL), WEIR_OK);
    rows_json(&r.schema, &r.array, all, 9, &json);
    buffer_add(&json, "", 1);
    assert_rows(&r.schema, &out, NULL, 9, (char *)json.data);
    array_release(&out);
    assert_int_equal(array_concat(&r.schema, NULL, NULL, NULL, 0, &out, NULL), WEIR_OK);
    assert_rows(&r.schema, &out, NULL, 0, "[]");
    array_release(&out);
    mem_free(json.data);
    rows_drop(&r);
}

/* Bits and text at every alignment: against a row-by-row model. */
static void gathered_columns_agree_with_a_row_by_row_copy(void **state)
{
    struct ArrowSchema schema;
    uint64_t seed = 20240102;
    uint32_t round;
    (void)state;
    schema_of("b bool, i int32, l int64, s string, ls list<string>", &schema);
    for (round = 0; round < 60; round++) {
        const struct weir_data *d = &weir_data_1;
        struct weir_builder *b, *model;
        struct ArrowArray parts[3], out, want;
        const struct ArrowArray *arrays[3];
        uint32_t rows[3][100], counts[3], i, j, n = 0;
        const uint32_t *selections[3];
        struct weir_buffer json = { NULL, 0, 0 };
        assert_int_equal(d->builder_create(&schema, &b, NULL), WEIR_OK);
        assert_int_equal(d->builder_create(&schema, &model, NULL), WEIR_OK);
        for (i = 0; i < 3; i++) {
            uint32_t length = (uint32_t)(chance(&seed) % 90), nulls = (uint32_t)(chance(&seed) % 3);
            for (j = 0; j < length; j++) {
                char text[64];
                uint32_t c;
                memset(text, 'a' + (int)(chance(&seed) % 26), sizeof text);
                for (c = 0; c < 5; c++) {
                    struct weir_builder *child = d->builder_child(b, c);
                    uint64_t v = chance(&seed);
                    if (nulls && v % 4 < nulls) d->append_null(child);
                    else if (c < 3) d->append_int(child, (int64_t)(v % 2));
                    else if (c == 3) d->append_bytes(child, text, v % 60);
                    else {
                        for (v %= 4; v; v--)
                            d->append_bytes(d->builder_child(child, 0), text, v * 7);
                        d->append_valid(child);
                    }
                }
            }
            assert_int_equal(d->builder_finish(b, &parts[i], NULL), WEIR_OK);
            counts[i] = 0;
            selections[i] = chance(&seed) % 3 ? rows[i] : NULL;
            for (j = 0; j < length; j++) {
                if (selections[i] && chance(&seed) % 2) continue;
                rows[i][counts[i]++] = j;
                assert_int_equal(d->append_from(model, &parts[i], j), WEIR_OK);
            }
            arrays[i] = &parts[i];
            n += counts[i];
        }
        assert_int_equal(d->builder_finish(model, &want, NULL), WEIR_OK);
        assert_int_equal(array_concat(&schema, arrays, selections, counts, 3, &out, NULL), 0);
        rows_json(&schema, &want, NULL, n, &json);
        buffer_add(&json, "", 1);
        assert_rows(&schema, &out, NULL, n, (char *)json.data);
        assert_int_equal(array_bytes(&schema, &out), array_bytes(&schema, &want));
        for (i = 0; i < 3; i++) array_release(&parts[i]);
        mem_free(json.data);
        array_release(&out);
        array_release(&want);
        d->builder_destroy(b);
        d->builder_destroy(model);
    }
    schema_release(&schema);
}

/* ---- validation ---- */

static struct rows two_columns(void)
{
    return rows_of("s string, l list<int64 not null>, n int64 not null",
                   "[[\"ab\",[1,2],1],[null,[3],2],[\"\xc3\xa4\",null,3],[\"z\",[],4]]");
}

static void assert_refused(struct rows *r, const char *text)
{
    struct weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(array_validate(&r->schema, &r->array, 1, &error), WEIR_DATA);
    if (!strstr(error.text, text)) fail_msg("'%s' instead of '%s'", error.text, text);
}

#define REFUSED(text, place, value)                                                                \
    do {                                                                                           \
        __typeof__(place) kept = place;                                                            \
        place = value;                                                                             \
        assert_refused(&r, text);                                                                  \
        place = kept;                                                                              \
        assert_int_equal(array_validate(&r.schema, &r.array, 1, NULL), WEIR_OK);                   \
    } while (0)

static void arrays_that_break_the_profile_are_refused(void **state)
{
    struct rows r = two_columns();
    struct ArrowArray *s = r.array.children[0], *l = r.array.children[1], *n = r.array.children[2];
    int32_t *offsets = (int32_t *)(uintptr_t)s->buffers[1];
    int32_t *lists = (int32_t *)(uintptr_t)l->buffers[1];
    (void)state;
    assert_int_equal(array_validate(&r.schema, &r.array, 1, NULL), WEIR_OK);
    REFUSED("column 's': null_count -1", s->null_count, -1);
    REFUSED("column 's': null_count 2", s->null_count, 2);
    REFUSED("null_count 0, but 1 bits", s->null_count, 0);
    REFUSED("column 'n': offset 1", n->offset, 1);
    REFUSED("array: offset", r.array.offset, 1);
    REFUSED("length 5 instead of 4", n->length, 5);
    REFUSED("length", r.array.length, -1);
    REFUSED("column 'l.item': length 2 instead of 3", l->children[0]->length, 2);
    REFUSED("2 buffers instead of 3", s->n_buffers, 2);
    REFUSED("buffers", n->buffers, NULL);
    REFUSED("buffer 1 is NULL", n->buffers[1], NULL);
    REFUSED("buffer 2 is NULL", s->buffers[2], NULL);
    REFUSED("buffer 1 is not aligned", n->buffers[1], (const uint8_t *)n->buffers[1] + 4);
    REFUSED("2 children instead of 3", r.array.n_children, 2);
    REFUSED("0 children instead of 1", l->n_children, 0);
    REFUSED("children", r.array.children, NULL);
    REFUSED("released", r.array.children[1], NULL);
    REFUSED("column 'n': the array is released", n->release, NULL);
    REFUSED("dictionary", n->dictionary, n);
    REFUSED("offsets", offsets[0], 1);
    REFUSED("offsets", offsets[1], -1);
    REFUSED("offsets", offsets[1], 100);
    REFUSED("offsets", lists[1], 4);
    REFUSED("row 2 is not UTF-8", ((uint8_t *)(uintptr_t)s->buffers[2])[3], 'x');
    REFUSED("row 2 is not UTF-8", offsets[3], 3);
    rows_drop(&r);
}

static void nulls_in_a_column_that_is_not_null_are_refused(void **state)
{
    struct rows r = two_columns();
    (void)state;
    r.schema.children[0]->flags = 0;
    assert_refused(&r, "1 nulls in a column that is not null");
    rows_drop(&r);
}

static void nulls_below_a_null_struct_do_not_count(void **state)
{
    struct rows r = rows_of("s struct<a: int64, t: struct<b: int64>>, l list<struct<a: int64>>",
                            "[[null,[{\"a\":1},null]],[{\"a\":1,\"t\":{\"b\":2}},[]],"
                            "[{\"a\":1,\"t\":null},null]]");
    struct ArrowSchema *s = r.schema.children[0], *item = r.schema.children[1]->children[0];
    (void)state;
    s->children[0]->flags = s->children[1]->children[0]->flags = item->children[0]->flags = 0;
    assert_int_equal(array_validate(&r.schema, &r.array, 1, NULL), WEIR_OK);
    s->children[1]->flags = 0;
    assert_refused(&r, "column 's.t': 1 nulls in a column that is not null");
    rows_drop(&r);
    r = rows_of("s struct<a: int64>", "[[null],[{\"a\":null}],[{\"a\":1}]]");
    r.schema.children[0]->children[0]->flags = 0;
    assert_refused(&r, "column 's.a': 1 nulls in a column that is not null");
    rows_drop(&r);
}

static void bytes_below_a_null_may_be_anything(void **state)
{
    struct rows r = rows_of("s string", "[[\"ab\"],[\"cd\"]]");
    struct ArrowArray *s = r.array.children[0];
    uint64_t bits = 2;
    (void)state;
    memcpy((void *)(uintptr_t)s->buffers[2], "\xff\xfe", 2);
    assert_refused(&r, "row 0 is not UTF-8");
    assert_int_equal(array_validate(&r.schema, &r.array, 0, NULL), WEIR_OK);
    s->buffers[0] = &bits;
    s->null_count = 1;
    assert_int_equal(array_validate(&r.schema, &r.array, 1, NULL), WEIR_OK);
    rows_drop(&r);
}

static int take_and_concat(void)
{
    static struct rows r;
    static const uint32_t some[] = { 1, 3 };
    const struct ArrowArray *arrays[] = { &r.array, &r.array };
    const uint32_t *selections[] = { NULL, some };
    const uint32_t counts[] = { 4, 2 };
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowArray out = { 0 };
    int done = 0;
    if (weir_data_1.schema_parse(ALL_TYPES, &r.schema, &error)) return 0;
    if (weir_data_1.rows_parse(&r.schema, ALL_ROWS, strlen(ALL_ROWS), &r.array, &error) == 0) {
        done = array_concat(&r.schema, arrays, selections, counts, 2, &out, &error) == WEIR_OK;
        array_release(&out);
    }
    rows_drop(&r);
    if (!done) assert_int_equal(error.error_class, WEIR_FATAL);
    return done;
}

static void without_memory_gathering_fails_and_leaks_nothing(void **state)
{
    (void)state;
    with_failing_memory(take_and_concat);
}

static int schemas(void)
{
    struct ArrowSchema a, b;
    char *text = NULL;
    int done = 0;
    if (weir_data_1.schema_parse(ALL_TYPES, &a, NULL)) return 0;
    if (weir_data_1.schema_copy(&a, "x", &b, NULL) == WEIR_OK) {
        text = schema_ddl(&b);
        done = text != NULL;
    }
    mem_free(text);
    schema_release(&a);
    schema_release(&b);
    return done;
}

static void without_memory_schemas_fail_and_leak_nothing(void **state)
{
    (void)state;
    with_failing_memory(schemas);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_is_aligned_counted_and_kept_by_realloc),
        TEST(the_nth_allocation_fails_once_or_for_ever),
        TEST(a_buffer_grows_and_refuses_sizes_that_wrap),
        TEST(ddl_is_read_and_printed),
        TEST(bad_ddl_is_refused_with_place_and_suggestion),
        TEST(deep_nesting_is_refused),
        TEST(a_schema_is_built_piece_by_piece),
        TEST(equal_schemas_have_equal_names_and_types),
        TEST(schemas_outside_of_the_profile_are_refused),
        TEST(a_column_of_each_flat_type_keeps_the_profile),
        TEST(columns_of_unequal_length_make_no_struct),
        TEST(rows_of_all_types_are_taken_in_any_order),
        TEST(no_rows_can_be_taken),
        TEST(a_missing_row_is_null_and_below_it_zero),
        TEST(text_is_taken_without_reading_behind_its_end),
        TEST(rows_outside_of_the_array_are_refused),
        TEST(arrays_are_concatenated_with_and_without_selections),
        TEST(gathered_columns_agree_with_a_row_by_row_copy),
        TEST(arrays_that_break_the_profile_are_refused),
        TEST(nulls_in_a_column_that_is_not_null_are_refused),
        TEST(nulls_below_a_null_struct_do_not_count),
        TEST(bytes_below_a_null_may_be_anything),
        TEST(without_memory_gathering_fails_and_leaks_nothing),
        TEST(without_memory_schemas_fail_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
