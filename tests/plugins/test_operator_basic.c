/*
 * test_operator_basic.c - select, with_column, filter, split, explode, union and repartition.
 */
#define ENTRY entry_operator_basic
#include "tests/plugins/operator_case.h"

#include "plugins/operator_basic/words.h"


/* The same rows in small chunks, in several segments and under a selection give the same. */
static void assert_same_however_cut(const char *rows)
{
    static const struct rig_cut cuts[] = { { 1, 1, 0 }, { 3, 2, 0 }, { 0, 1, 1 }, { 2, 3, 1 } };
    const char *list[4] = { rows };
    char *expected;
    FEED(rows);
    expected = strdup(rig_rows(&rig));
    for (uint32_t i = 0; i < 4; i++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, list, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), expected);
    }
    free(expected);
}

/* ---- split ---- */

static void split_at_white_space_drops_empty_tokens(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"word\"", "value string");
    assert_ddl("word string");
    FEED("[[\"  the quick\\tfox \\n\"], [\"\"], [null], [\"\\u000b\\f\\r\"], [\"über\\u00a0alles x\"]]");
    assert_string_equal(rig_rows(&rig),
                        "[\"the\"]\n[\"quick\"]\n[\"fox\"]\n[\"über\u00a0alles\"]\n[\"x\"]\n");
}

static void split_ends_words_at_the_ends_of_rows(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"word\"", "value string");
    FEED("[[\"ab\"], [\"cd ef\"], [\"\"], [\"gh\"]]");
    assert_string_equal(rig_rows(&rig), "[\"ab\"]\n[\"cd\"]\n[\"ef\"]\n[\"gh\"]\n");
}

static void split_at_a_literal_keeps_empty_tokens(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"part\", \"on\": \",\"", "value string");
    FEED("[[\",a,,b,\"], [\"\"], [null], [\"c\"]]");
    assert_string_equal(rig_rows(&rig),
                        "[\"\"]\n[\"a\"]\n[\"\"]\n[\"b\"]\n[\"\"]\n[\"\"]\n[\"c\"]\n");
}

static void split_at_a_longer_literal_finds_whole_ones_only(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"part\", \"on\": \"::\"", "value string");
    FEED("[[\"a:b::c:::d\"]]");
    assert_string_equal(rig_rows(&rig), "[\"a:b\"]\n[\"c\"]\n[\":d\"]\n");
}

static void split_at_nothing_gives_code_points(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"point\", \"on\": \"\"", "value string");
    FEED("[[\"aé€😀\"], [\"\"], [\"z\"]]");
    assert_string_equal(rig_rows(&rig), "[\"a\"]\n[\"é\"]\n[\"€\"]\n[\"😀\"]\n[\"z\"]\n");
}

static void split_repeats_the_other_columns(void **state)
{
    (void)state;
    OPEN("split", "\"column\": \"line\", \"into\": \"word\"",
         "n int64, line string, tags list<string>");
    assert_ddl("n int64, word string, tags list<string>");
    assert_int_equal(rig.plan.reads[0], 2);
    assert_int_equal(rig.plan.flags, WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES);
    assert_same_however_cut("[[1, \"a b\", [\"x\"]], [2, null, []], [3, \"\", null], "
                            "[null, \"c\", null], [5, \" d  e \", [\"y\", \"z\"]]]");
    assert_string_equal(rig_rows(&rig), "[1,\"a\",[\"x\"]]\n[1,\"b\",[\"x\"]]\n[null,\"c\",null]\n"
                                        "[5,\"d\",[\"y\",\"z\"]]\n[5,\"e\",[\"y\",\"z\"]]\n");
}

static void split_at_a_literal_repeats_the_other_columns(void **state)
{
    (void)state;
    OPEN("split", "\"column\": \"line\", \"into\": \"word\", \"on\": \"-\"", "n int64, line string");
    assert_same_however_cut("[[1, \"a-b\"], [2, \"\"], [3, null], [4, \"-\"]]");
    assert_string_equal(rig_rows(&rig),
                        "[1,\"a\"]\n[1,\"b\"]\n[2,\"\"]\n[4,\"\"]\n[4,\"\"]\n");
}

static void split_refuses_what_it_cannot_split(void **state)
{
    (void)state;
    REFUSED("column", "there is no column \"value\"", "split", "\"into\": \"w\"", "line string");
    REFUSED("column", "no text", "split", "\"into\": \"w\"", "value int64");
    REFUSED("into", "two columns \"n\"", "split", "\"into\": \"n\"", "n int64, value string");
}

/* Words of random text, found with a loop over bytes. */
static uint32_t words_of(const char *text, uint32_t from, uint32_t until, uint32_t *starts,
                         uint32_t *ends, uint32_t n)
{
    for (uint32_t i = from; i < until;) {
        while (i < until && strchr(" \t\n\v\f\r", text[i])) i++;
        if (i == until) break;
        starts[n] = i;
        while (i < until && !strchr(" \t\n\v\f\r", text[i])) i++;
        ends[n++] = i;
    }
    return n;
}

/* From any word to any other: all of them, and nothing else. */
static void copies_are_the_words(const char *text, const uint32_t *starts, const uint32_t *ends,
                                 uint32_t n)
{
    static char want[4096], copy[4096 + WORDS_BLOCK];
    if (n == 0) return;
    const uint32_t from = (uint32_t)rand() % n, to = from + (uint32_t)rand() % (n - from);
    uint32_t bytes = 0;
    for (uint32_t i = from; i <= to; i++) {
        memcpy(want + bytes, text + starts[i], ends[i] - starts[i]);
        bytes += ends[i] - starts[i];
    }
    if (words_copy((const uint8_t *)text, starts[from], ends[to], (uint8_t *)copy))
        assert_memory_equal(copy, want, bytes);
}

static void words_are_found_alike_by_all_kernels(void **state)
{
    static char text[4096];
    static int32_t offsets[600];
    static uint32_t starts[2][5000], ends[2][5000];
    (void)state;
    for (unsigned seed = 1; seed < 400; seed++) {
        uint32_t rows = 0, n, want = 0;
        srand(seed);
        n = (uint32_t)rand() % sizeof text;
        for (uint32_t i = 0; i < n; i++)
            text[i] = rand() % (int)(1 + seed % 9) ? "abcdefgh\x80\x89\xa0\xff"[rand() % 12]
                                                   : " \t\n\v\f\r"[rand() % 6];
        for (uint32_t at = 0; at < n && rows < 598; rows++) {
            offsets[rows] = (int32_t)at;
            if (rand() % 3) at += (uint32_t)rand() % (seed % 100 + 1);
        }
        offsets[rows] = (int32_t)n;
        for (uint32_t r = 0; r < rows; r++) {
            if ((uint32_t)offsets[r + 1] > n) offsets[r + 1] = (int32_t)n;
            want = words_of(text, (uint32_t)offsets[r], (uint32_t)offsets[r + 1], starts[0], ends[0],
                            want);
        }
        for (uint32_t kernel = 0; kernel < WORDS_KERNELS; kernel++) {
            struct words words = { .bytes = (const uint8_t *)text, .offsets = offsets,
                                   .starts = starts[1], .ends = ends[1] };
            words_begin(&words, 0, rows);
            for (uint32_t limit = 7; words.at < words.end || words.open; limit += 7)
                if (!words_find_by(kernel, &words, limit)) break;
            if (n && words.at == 0) continue; /* not on this machine */
            assert_int_equal(words.n, want);
            assert_memory_equal(starts[1], starts[0], want * 4);
            assert_memory_equal(ends[1], ends[0], want * 4);
        }
        copies_are_the_words(text, starts[0], ends[0], want);
    }
}

/* n lines of w words each, "k0 k1 …". */
static char *many_lines(uint32_t n, uint32_t w)
{
    char *text = malloc((size_t)n * (w * 12 + 8) + 8), *p = text;
    *p++ = '[';
    for (uint32_t i = 0; i < n; i++) {
        p += sprintf(p, "%s[\"", i ? "," : "");
        for (uint32_t k = 0; k < w; k++) p += sprintf(p, "%sk%u", k ? " " : "", (i * w + k) % 9973);
        p += sprintf(p, "\"]");
    }
    strcpy(p, "]");
    return text;
}

static void split_emits_chunks_of_about_8192_rows(void **state)
{
    char *rows = many_lines(5000, 10);
    (void)state;
    OPEN("split", "\"into\": \"word\"", "value string");
    FEED(rows);
    free(rows);
    assert_int_equal(rig.n_rows, 50000);
    assert_true(rig.most_rows <= 8192 + 64);
    assert_true(rig.n_emits <= 7);
    const char *p = rig_rows(&rig);
    for (uint32_t i = 0; i < 50000; i++) {
        char want[24];
        int n = sprintf(want, "[\"k%u\"]\n", i % 9973);
        assert_memory_equal(p, want, (size_t)n);
        p += n;
    }
}

static void split_finds_the_row_of_each_token_over_many_chunks(void **state)
{
    static const struct rig_cut cuts[] = { { 0, 1, 0 }, { 0, 1, 1 } };
    char *rows = malloc(3000 * 80), *p = rows;
    const char *list[4] = { rows };
    (void)state;
    OPEN("split", "\"into\": \"word\"", "n int64, value string");
    *p++ = '[';
    for (uint32_t i = 0; i < 3000; i++) {
        p += sprintf(p, "%s[%u, ", i ? "," : "", i);
        if (i % 7 == 0) p += sprintf(p, "null]");
        else p += sprintf(p, "\" a%u b c%s d e f g h \"]", i, i % 5 ? " x" : "");
    }
    strcpy(p, "]");
    for (int k = 0; k < 2; k++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, list, cuts[k]), WEIR_OK);
        assert_true(rig.n_emits >= 3);
        p = (char *)(uintptr_t)rig_rows(&rig);
        for (uint32_t i = 0; i < 3000; i++)
            for (uint32_t w = 0; i % 7 && w < (i % 5 ? 9u : 8u); w++) {
                assert_int_equal(strtoul(p + 1, NULL, 10), i);
                if (w == 0) assert_int_equal(strtoul(strchr(p, 'a') + 1, NULL, 10), i);
                p = strchr(p, '\n') + 1;
            }
        assert_int_equal(*p, 0);
    }
    free(rows);
}

/* A column in a plugin's own memory, exactly as long as it must be, with bytes below a null. */
static void split_reads_nothing_outside_of_its_words(void **state)
{
    static const char text[] = "one two" "below null" "three" "a b";
    static int32_t offsets[] = { 0, 7, 17, 22, 25 };
    static const uint8_t valid[] = { 0x0d };
    char *bytes = malloc(25);
    const void *text_buffers[] = { valid, offsets, bytes }, *buffers[] = { NULL };
    struct ArrowArray column = { .length = 4, .null_count = 1, .n_buffers = 3,
                                 .buffers = text_buffers };
    struct ArrowArray *columns[] = { &column };
    struct ArrowArray array = { .length = 4, .n_buffers = 1, .buffers = buffers, .n_children = 1,
                                .children = columns };
    (void)state;
    memcpy(bytes, text, 25);
    OPEN("split", "\"into\": \"word\"", "value string");
    struct weir_chunk chunk = { .size = sizeof chunk, .rows = 4, .selected = 4, .array = &array,
                                .schema = &rig.inputs[0] };
    assert_int_equal(rig_chunk(&rig, &chunk), WEIR_OK);
    assert_string_equal(rig_rows(&rig), "[\"one\"]\n[\"two\"]\n[\"three\"]\n[\"a\"]\n[\"b\"]\n");
    free(bytes);
}

static void split_bounds_the_bytes_of_a_chunk(void **state)
{
    char *rows = malloc(3 << 20), *p = rows;
    (void)state;
    OPEN("split", "\"into\": \"word\"", "value string, beside string");
    p += sprintf(p, "[[\"");
    for (int i = 0; i < 100; i++) p += sprintf(p, "w%d ", i);
    p += sprintf(p, "\",\"");
    memset(p, 'x', 1 << 20);
    sprintf(p + (1 << 20), "\"]]");
    rig.quiet = 1;
    FEED(rows);
    free(rows);
    assert_int_equal(rig.n_rows, 100);
    assert_true(rig.most_rows <= 8);
}

/* ---- filter ---- */

static void filter_keeps_rows_that_are_true(void **state)
{
    (void)state;
    OPEN("filter", "\"where\": \"n > 2 or s = 'x'\"", "n int64, s string, rest string");
    assert_ddl("n int64, s string, rest string");
    assert_int_equal(rig.plan.reads[0], 3);
    assert_same_however_cut("[[1, \"x\", \"a\"], [1, \"y\", \"b\"], [3, \"y\", \"c\"], [null, \"y\", "
                            "\"d\"], [null, \"x\", null]]");
    assert_string_equal(rig_rows(&rig), "[1,\"x\",\"a\"]\n[3,\"y\",\"c\"]\n[null,\"x\",null]\n");
}

static void filter_rejects_rows_on_which_it_fails(void **state)
{
    (void)state;
    OPEN("filter", "\"where\": \"10 / n > 1\"", "n int64");
    FEED("[[1], [0], [20], [5]]");
    assert_string_equal(rig_rows(&rig), "[1]\n[5]\n");
    assert_int_equal(rig.n_rejects, 1);
    rig.fail = 1;
    assert_int_equal(rig_feed(&rig, "[[0]]"), WEIR_DATA);
}

static void filter_takes_a_bool_only(void **state)
{
    (void)state;
    REFUSED("where", "bool", "filter", "\"where\": \"n + 1\"", "n int64");
}

/* ---- select ---- */

static void select_gives_expressions_columns_and_all(void **state)
{
    (void)state;
    OPEN("select", "\"columns\": [\"n + 1 as more\", \"*\", \"s as t\", \"n * 2 as \\\"odd name\\\"\"]",
         "n int64, s string");
    assert_ddl("more int64, n int64, s string, t string, \"odd name\" int64");
    assert_same_however_cut("[[1, \"a\"], [null, \"b\"], [3, null]]");
    assert_string_equal(rig_rows(&rig),
                        "[2,1,\"a\",\"a\",2]\n[null,null,\"b\",\"b\",null]\n[4,3,null,null,6]\n");
}

static void select_reads_what_its_expressions_name(void **state)
{
    (void)state;
    OPEN("select", "\"columns\": [\"b\", \"d + 1 as e\"]", "a int64, b int64, c int64, d int64");
    assert_int_equal(rig.plan.reads[0], 10);
    assert_true(rig.plan.flags & WEIR_PLAN_READS_KNOWN);
    rig_close(&rig);
    OPEN("select", "\"columns\": [\"*\", \"d + 1 as e\"]", "a int64, b int64, c int64, d int64");
    assert_int_equal(rig.plan.reads[0], 8);
    assert_true(rig.plan.flags & WEIR_PLAN_PASSES);
}

static void select_asks_for_names(void **state)
{
    (void)state;
    REFUSED("columns.n + 1", "n + 1 as", "select", "\"columns\": [\"n + 1\"]", "n int64");
    REFUSED("columns", "two columns \"n\"", "select", "\"columns\": [\"*\", \"s as n\"]",
            "n int64, s string");
}

static void select_rejects_a_row_once(void **state)
{
    (void)state;
    OPEN("select", "\"columns\": [\"1 / n as a\", \"2 / n as b\", \"n\"]", "n int64");
    FEED("[[1], [0], [2]]");
    assert_string_equal(rig_rows(&rig), "[1.0,2.0,1]\n[0.5,1.0,2]\n");
    assert_int_equal(rig.n_rejects, 1);
}

/* ---- with_column ---- */

static void with_column_replaces_or_adds(void **state)
{
    (void)state;
    OPEN("with_column", "\"name\": \"a\", \"expr\": \"b || '!'\"", "a int64, b string");
    assert_ddl("a string, b string");
    assert_same_however_cut("[[1, \"x\"], [2, null]]");
    assert_string_equal(rig_rows(&rig), "[\"x!\",\"x\"]\n[null,null]\n");
    rig_close(&rig);
    OPEN("with_column", "\"name\": \"c\", \"expr\": \"a\"", "a int64, b string");
    assert_ddl("a int64, b string, c int64");
    FEED("[[1, \"x\"]]");
    assert_string_equal(rig_rows(&rig), "[1,\"x\",1]\n");
}

/* ---- explode ---- */

static void explode_gives_a_row_per_item(void **state)
{
    (void)state;
    OPEN("explode", "\"column\": \"l\", \"into\": \"i\"", "n int64, l list<string>");
    assert_ddl("n int64, i string");
    assert_same_however_cut("[[1, [\"a\", null, \"b\"]], [2, []], [3, null], [4, [\"c\"]]]");
    assert_string_equal(rig_rows(&rig), "[1,\"a\"]\n[1,null]\n[1,\"b\"]\n[4,\"c\"]\n");
}

static void explode_cuts_long_lists_into_chunks(void **state)
{
    char *rows = malloc(200000), *p = rows;
    (void)state;
    OPEN("explode", "\"column\": \"l\"", "n int64, l list<int64>");
    p += sprintf(p, "[[1, [0");
    for (int i = 1; i < 20000; i++) p += sprintf(p, ",%d", i);
    strcpy(p, "]], [2, [7]]]");
    FEED(rows);
    free(rows);
    assert_int_equal(rig.n_rows, 20001);
    assert_int_equal(rig.most_rows, 8192);
    assert_non_null(strstr(rig_rows(&rig), "[1,19999]\n[2,7]\n"));
}

static void explode_takes_structs_apart_from_lists(void **state)
{
    (void)state;
    OPEN("explode", "\"column\": \"l\"", "l list<struct<a: int64, b: string>>");
    assert_ddl("l struct<a: int64, b: string>");
    FEED("[[[{\"a\": 1, \"b\": \"x\"}, {\"a\": 2, \"b\": null}]]]");
    assert_string_equal(rig_rows(&rig), "[{\"a\":1,\"b\":\"x\"}]\n[{\"a\":2,\"b\":null}]\n");
    rig_close(&rig);
    REFUSED("column", "no list", "explode", "\"column\": \"n\"", "n int64");
}

/* ---- union ---- */

static void union_goes_by_name_and_widens_numbers(void **state)
{
    const char *rows[4] = { "[[1, \"a\", 1], [null, \"b\", 2]]", "[[\"c\", 9, 1.5], [\"d\", null, null]]" };
    static const struct rig_cut cuts[] = { { 0 }, { 1, 1, 1 } };
    (void)state;
    OPEN("union", "", "n int32, s string, f int64", "s string, n int64, f float64");
    assert_ddl("n int64, s string, f float64");
    for (int i = 0; i < 2; i++) {
        rig_forget(&rig);
        assert_int_equal(rig_batch(&rig, rows, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig),
                            "[1,\"a\",1.0]\n[null,\"b\",2.0]\n[9,\"c\",1.5]\n[null,\"d\",null]\n");
    }
}

static void union_refuses_other_columns_and_types(void **state)
{
    (void)state;
    REFUSED("", "\"two\" has no column \"b\"", "union", "", "a int64, b int64", "a int64");
    REFUSED("", "\"two\" has a column \"b\"", "union", "", "a int64", "a int64, b int64");
    REFUSED("", "column \"a\" is int64 in \"one\" and string in \"two\"", "union", "", "a int64",
            "a string");
}

/* ---- repartition ---- */

static void repartition_asks_for_partitions(void **state)
{
    (void)state;
    OPEN("repartition", "\"partitions\": 4, \"by\": [\"b\"]", "a int64, b string");
    assert_int_equal(rig.plan.partitions, 4);
    assert_int_equal(rig.plan.spread, 1);
    assert_int_equal(rig.plan.distribution[0].kind, WEIR_DISTRIBUTE_SINGLE);
    assert_int_equal(rig.plan.distribution[0].columns[0], 1);
    assert_same_however_cut("[[1, \"x\"], [2, null]]");
    assert_string_equal(rig_rows(&rig), "[1,\"x\"]\n[2,null]\n");
    rig_close(&rig);
    OPEN("repartition", "\"partitions\": 2", "a int64");
    assert_int_equal(rig.plan.spread, 0);
    rig_close(&rig);
    REFUSED("partitions", "1 to", "repartition", "\"partitions\": 0", "a int64");
    REFUSED("by", "no column \"c\"", "repartition", "\"partitions\": 2, \"by\": [\"c\"]", "a int64");
}

/* ---- what is carried on ---- */

/* ---- sample ---- */

/* The rows that stay of 1,000, in one go of the lanes. */
static char *sampled(struct rig_cut cut)
{
    char rows[8000], *p = rows;
    const char *list[4] = { rows };
    *p++ = '[';
    for (int i = 0; i < 1000; i++) p += sprintf(p, "%s[%d]", i ? "," : "", i);
    strcpy(p, "]");
    OPEN("sample", "\"fraction\": 0.5", "n int64");
    assert_int_equal(rig_batch(&rig, list, cut), WEIR_OK);
    char *out = strdup(rig_rows(&rig));
    rig_close(&rig);
    return out;
}

static void sample_keeps_the_same_rows_however_they_are_cut_into_chunks(void **state)
{
    static const struct rig_cut cuts[] = { { 1, 1, 0 }, { 7, 1, 0 }, { 0, 1, 1 }, { 100, 1, 1 } };
    char *whole = sampled((struct rig_cut){ 0 });
    uint32_t lines = 0;
    (void)state;
    for (const char *p = whole; *p; p++) lines += *p == '\n';
    assert_in_range(lines, 430, 570);
    for (uint32_t i = 0; i < 4; i++) {
        char *other = sampled(cuts[i]);
        assert_string_equal(other, whole);
        free(other);
    }
    free(whole);
}

static void keys_of_upserts_are_carried_on_while_they_are_true(void **state)
{
    static const uint32_t key[] = { 0 };
    (void)state;
    rig.form = WEIR_FORM_UPSERT;
    rig.key_columns = key;
    rig.n_key_columns = 1;
    OPEN("select", "\"columns\": [\"v\", \"k as key\"]", "k string, v int64");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_UPSERT);
    assert_int_equal(rig.plan.streams[0].n_key_columns, 1);
    assert_int_equal(rig.plan.streams[0].key_columns[0], 1);
    rig_close(&rig);
    rig.form = WEIR_FORM_UPSERT;
    rig.key_columns = key;
    rig.n_key_columns = 1;
    OPEN("with_column", "\"name\": \"k\", \"expr\": \"k || '!'\"", "k string, v int64");
    assert_int_equal(rig.plan.streams[0].form, WEIR_FORM_APPEND);
    assert_int_equal(rig.plan.streams[0].n_key_columns, 0);
}

static void memory_that_runs_out_is_an_error_and_no_leak(void **state)
{
    static const char *const cases[][3] = {
        { "split", "\"column\": \"s\", \"into\": \"w\"", "[[1, \"a b\", [1, 2]], [2, \"c\", null]]" },
        { "select", "\"columns\": [\"*\", \"n + 1 as m\"]", "[[1, \"a\", []], [2, \"b\", null]]" },
        { "filter", "\"where\": \"n > 1\"", "[[1, \"a\", []], [2, \"b\", null]]" },
        { "explode", "\"column\": \"l\"", "[[1, \"a\", [1, 2]], [2, \"b\", null]]" },
        { "sample", "\"fraction\": 0.5", "[[1, \"a\", []], [2, \"b\", null]]" },
        { "repartition", "\"partitions\": 2", "[[1, \"a\", []], [2, \"b\", null]]" },
    };
    (void)state;
    for (uint32_t c = 0; c < sizeof cases / sizeof *cases; c++)
        rig_starve(entry_operator_basic, NULL, cases[c][0], cases[c][1],
                   "n int64, s string, l list<int64>", cases[c][2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(split_at_white_space_drops_empty_tokens),
        TEST(split_ends_words_at_the_ends_of_rows),
        TEST(split_at_a_literal_keeps_empty_tokens),
        TEST(split_at_a_longer_literal_finds_whole_ones_only),
        TEST(split_at_nothing_gives_code_points),
        TEST(split_repeats_the_other_columns),
        TEST(split_at_a_literal_repeats_the_other_columns),
        TEST(split_refuses_what_it_cannot_split),
        TEST(words_are_found_alike_by_all_kernels),
        TEST(split_emits_chunks_of_about_8192_rows),
        TEST(split_finds_the_row_of_each_token_over_many_chunks),
        TEST(split_reads_nothing_outside_of_its_words),
        TEST(split_bounds_the_bytes_of_a_chunk),
        TEST(filter_keeps_rows_that_are_true),
        TEST(filter_rejects_rows_on_which_it_fails),
        TEST(filter_takes_a_bool_only),
        TEST(select_gives_expressions_columns_and_all),
        TEST(select_reads_what_its_expressions_name),
        TEST(select_asks_for_names),
        TEST(select_rejects_a_row_once),
        TEST(with_column_replaces_or_adds),
        TEST(explode_gives_a_row_per_item),
        TEST(explode_cuts_long_lists_into_chunks),
        TEST(explode_takes_structs_apart_from_lists),
        TEST(union_goes_by_name_and_widens_numbers),
        TEST(union_refuses_other_columns_and_types),
        TEST(repartition_asks_for_partitions),
        TEST(sample_keeps_the_same_rows_however_they_are_cut_into_chunks),
        TEST(keys_of_upserts_are_carried_on_while_they_are_true),
        TEST(memory_that_runs_out_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
