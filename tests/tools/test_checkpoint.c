/*
 * test_checkpoint.c - `weir checkpoint` over a checkpoint that a job left on a real disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/log/record.h"
#include "tests/tools/tool_world.h"
#include "tools/weir/commands.h"
#include "tools/weir/position.h"
#include "tools/weir/text.h"

static json_t *shown(void)
{
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint,
                              "--json"), 0);
    json_t *json = json_loads(tool_world.out, 0, NULL);
    assert_non_null(json);
    return json;
}

static json_int_t number(const json_t *json, const char *name)
{
    assert_true(json_is_integer(json_object_get(json, name)));
    return json_integer_value(json_object_get(json, name));
}

static const char *text(const json_t *json, const char *name)
{
    assert_true(json_is_string(json_object_get(json, name)));
    return json_string_value(json_object_get(json, name));
}

/* The whole of a file of the checkpoint; `change` writes it back. */
static uint8_t *file_bytes(const char *name, long *n)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s", tool_world.checkpoint, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc((size_t)*n + 1);
    assert_int_equal(fread(bytes, 1, (size_t)*n, file), *n);
    fclose(file);
    return bytes;
}

static void file_write(const char *name, const uint8_t *bytes, long n)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s", tool_world.checkpoint, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, (size_t)n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void flip(const char *name, long at)
{
    long n;
    uint8_t *bytes = file_bytes(name, &n);
    bytes[at < 0 ? n + at : at] ^= 0x10;
    file_write(name, bytes, n);
    free(bytes);
}

static void show_tells_what_the_checkpoint_holds(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    json_t *json = shown();
    assert_string_equal(text(json, "job"), "toy");
    assert_int_equal(strlen(text(json, "id")), 32);
    const json_t *batches = json_object_get(json, "batches");
    assert_int_equal(number(batches, "first"), 0);
    assert_int_equal(number(batches, "last"), 4);
    assert_int_equal(number(batches, "next"), 5);
    assert_true(json_is_null(json_object_get(batches, "pending")));
    assert_non_null(strchr(text(json, "time"), 'T'));
    const json_t *position = json_array_get(json_object_get(json, "positions"), 0);
    assert_string_equal(text(position, "source"), "n");
    assert_string_equal(text(position, "partition"), "p00");
    assert_string_equal(text(position, "hex"), "2c01000000000000");
    assert_true(json_is_true(json_object_get(position, "ended")));
    const json_t *table = json_array_get(json_object_get(json, "tables"), 0);
    assert_string_equal(text(table, "table"), "s/sums");
    assert_int_equal(number(table, "keys"), 7);
    assert_true(json_is_null(json_object_get(table, "error")));
    assert_int_equal(json_array_size(json_object_get(json, "sinks")), 2);
    assert_string_equal(text(json_array_get(json_object_get(json, "sinks"), 0), "outcome"),
                        "finished"); /* its DONE is in the log */
    assert_string_equal(text(json_array_get(json_object_get(json, "sinks"), 1), "outcome"),
                        "finished");
    assert_int_equal(number(json_object_get(json, "dead_letters"), "logged"), 9);
    assert_true(json_is_null(json_object_get(json, "damage")));
    json_int_t bytes = 0;
    size_t i;
    const json_t *file;
    json_array_foreach(json_object_get(json, "files"), i, file) bytes += number(file, "bytes");
    assert_int_equal(bytes, number(json, "bytes"));
    json_decref(json);
}

static void show_says_it_in_words(void **state)
{
    static const char *const parts[] = { "job          toy (id ", "up to 4; the log begins with 0",
                                         "n p00  2c01000000000000  (ended)",
                                         "s/sums (toy_sum)  7 keys, ", "v1 key(k int64/1) total int64",
                                         "plain  batch 4 finished", "dead letters 9",
                                         "log-00000001" };
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint), 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(tool_world.out, parts[i]))
            fail_msg("no `%s` in:\n%s", parts[i], tool_world.out);
}

static void positions_are_said_by_their_source(void **state)
{
    static const uint8_t at[8] = { 0x2c, 1 }, odd[2] = { 0xff, 7 }, said[] = "f:12";
    struct positions_options options = { .registry = tool_world.registry };
    (void)state;
    struct positions *positions = positions_create(
        tool_world.sys, &options,
        "{\"name\": \"j\", \"trigger\": \"1s\", \"sources\": {\"n\": {\"plugin\": \"toy_numbers\"},"
        " \"m\": {\"plugin\": \"nobody_has_it\"}},"
        " \"operators\": {\"d\": {\"plugin\": \"toy_double\", \"from\": \"n\"},"
        "  \"b\": {\"plugin\": \"union\", \"from\": [\"d\", \"m\"]}},"
        " \"sinks\": {\"o\": {\"plugin\": \"toy_sink\", \"from\": \"d\"}}}");
    assert_non_null(positions);
    char *text_of_n = positions_text(positions, "n", (struct weir_bytes){ at, 8 });
    char *unknown = positions_text(positions, "m", (struct weir_bytes){ odd, 2 });
    char *plain = positions_text(positions, NULL, (struct weir_bytes){ said, 4 });
    assert_string_equal(text_of_n, "300");
    assert_string_equal(unknown, "ff07");
    assert_string_equal(plain, "f:12");
    assert_string_equal(positions_source(positions, "d"), "n");
    assert_string_equal(positions_source(positions, "n"), "n");
    assert_null(positions_source(positions, "b"));
    free(text_of_n);
    free(unknown);
    free(plain);
    positions_destroy(positions);
}

static void state_prints_every_key_with_its_columns(void **state)
{
    int64_t want[7] = { 0 };
    int seen = 0, in_group = 0, group = -1;
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    for (int64_t v = 0; v < 300; v++)
        if (v % 50 != 7 && v % 100 != 9) want[v % 7] += v;
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint,
                              "--state", "s"), 0);
    for (char *line = strtok(tool_world.out, "\n"); line; line = strtok(NULL, "\n"), seen++) {
        json_t *json = json_loads(line, 0, NULL);
        assert_non_null(json);
        assert_string_equal(text(json, "table"), "s/sums");
        json_int_t key = json_integer_value(json_array_get(json_object_get(json, "key"), 0));
        assert_int_equal(number(json_object_get(json, "columns"), "total"), want[key]);
        group = (int)number(json, "group");
        json_decref(json);
    }
    assert_int_equal(seen, 7);
    char word[16];
    snprintf(word, sizeof word, "%d", group);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", "--group", word, "--state",
                              "s/sums", tool_world.checkpoint), 0);
    for (char *line = strtok(tool_world.out, "\n"); line; line = strtok(NULL, "\n")) in_group++;
    assert_true(in_group >= 1 && in_group < 7);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint,
                              "--state", "sum"), EX_NOINPUT);
    assert_non_null(strstr(tool_world.err, "s/sums"));
}

static void nothing_changes_by_looking_while_the_job_has_it(void **state)
{
    struct log_options options = { .directory = tool_world.checkpoint, .job_name = "toy" };
    struct weir_error error = WEIR_ERROR_INIT;
    struct log *log;
    long n, m, k, l;
    (void)state;
    assert_int_equal(tool_run_job(2), 0);
    assert_int_equal(log_open(tool_world.sys, &options, NULL, NULL, &log, NULL, &error), WEIR_OK);
    uint8_t *before = file_bytes("log-00000001", &n), *lock = file_bytes("lock", &k);
    json_decref(shown());
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint),
                     0);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "repair", tool_world.checkpoint),
                     EX_TEMPFAIL);
    uint8_t *after = file_bytes("log-00000001", &m), *lock_after = file_bytes("lock", &l);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, (size_t)n);
    assert_int_equal(k, l);
    assert_memory_equal(lock, lock_after, (size_t)k);
    log_close(log);
    free(before);
    free(after);
    free(lock);
    free(lock_after);
}

static void verify_and_repair_tell_damage_and_cut_it(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint,
                              "--json"), 0);
    json_t *json = json_loads(tool_world.out, 0, NULL);
    assert_true(json_is_true(json_object_get(json, "sound")));
    json_decref(json);
    long n;
    free(file_bytes("log-00000001", &n));
    flip("log-00000001", n / 2);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint),
                     EX_IOERR);
    assert_non_null(strstr(tool_world.err, "log-00000001"));
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint),
                     EX_IOERR);
    assert_non_null(strstr(tool_world.out, "job          toy")); /* what stands before it */
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "repair", tool_world.checkpoint),
                     0);
    assert_non_null(strstr(tool_world.out, "lost: "));
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint),
                     0);
    json = shown();
    assert_true(number(json_object_get(json, "batches"), "last") < 4);
    json_decref(json);
}

static void a_damaged_extent_is_found_and_not_repaired(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    flip("dead-00000001", 40);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint,
                              "--json"), EX_IOERR);
    json_t *json = json_loads(tool_world.out, 0, NULL);
    assert_true(json_is_false(json_object_get(json, "sound")));
    assert_non_null(strstr(text(json, "damage"), "dead-00000001"));
    json_decref(json);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "repair", tool_world.checkpoint),
                     EX_IOERR);
}

static void state_that_makes_no_table_is_damage_though_its_bytes_are_whole(void **state)
{
    struct log_options options = { .directory = tool_world.checkpoint, .job_name = "toy" };
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_buffer out = { 0 };
    struct record_piece piece = { .table = "s/sums", .group = 9, .base = 1,
                                  .bytes = { (const uint8_t *)"nonsense", 8 } };
    struct record_state record = { .n_pieces = 1, .pieces = &piece };
    struct log *log;
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(log_open(tool_world.sys, &options, NULL, NULL, &log, NULL, &error), WEIR_OK);
    assert_int_equal(record_state_encode(&record, &out), WEIR_OK);
    assert_int_equal(log_append(log, LOG_STATE, RECORD_VERSION, 5,
                                (struct weir_bytes){ out.data, out.length }, &error), WEIR_OK);
    assert_int_equal(log_sync(log, &error), WEIR_OK);
    log_close(log);
    mem_free(out.data);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint),
                     EX_IOERR);
    assert_non_null(strstr(tool_world.out, "s/sums group 9: "));
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint,
                              "--state", "s"), EX_IOERR);
    json_t *json = shown();
    assert_true(json_is_string(json_object_get(
        json_array_get(json_object_get(json, "tables"), 0), "error")));
    json_decref(json);
}

static void a_place_without_checkpoint_is_told(void **state)
{
    static const char *const verbs[] = { "show", "verify", "repair" };
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", verbs[i], "/nowhere/at/all"),
                         EX_NOINPUT);
        assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", verbs[i], tool_world.top),
                         EX_NOINPUT);
        assert_true(strlen(tool_world.err) > 0);
    }
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "mend", "."), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", ".", "."), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", ".", "--state"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", ".", "--group", "1"),
                     EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "show", ".", "--state", "s",
                              "--group", "256"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_checkpoint, "checkpoint", "--help"), 0);
    assert_non_null(strstr(tool_world.out, "usage: weir checkpoint"));
}

/* Any bytes end in an answer: flipped, cut, doubled. */
static void hostile_files_end_in_an_answer(void **state)
{
    static const char *const names[] = { "log-00000001", "lock", "weir.json", "dead-00000001" };
    uint8_t *whole[4];
    long sizes[4];
    uint32_t chance = 12345;
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    for (int i = 0; i < 4; i++) whole[i] = file_bytes(names[i], &sizes[i]);
    for (int round = 0; round < 120; round++) {
        const int i = round % 4;
        uint8_t *bytes = malloc((size_t)sizes[i] + 64);
        memcpy(bytes, whole[i], (size_t)sizes[i]);
        memset(bytes + sizes[i], 0xa5, 64);
        for (int k = 0; k <= round % 3; k++) {
            chance = chance * 1664525u + 1013904223u;
            bytes[chance % (uint32_t)sizes[i]] ^= (uint8_t)(1 + (chance >> 24) % 255);
        }
        long n = round % 5 == 4 ? (long)(chance % (uint32_t)sizes[i])
                                : sizes[i] + (round % 7 == 6 ? 64 : 0);
        file_write(names[i], bytes, n);
        int a = TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint);
        int b = TOOL_RUN(command_checkpoint, "checkpoint", "verify", tool_world.checkpoint);
        int c = TOOL_RUN(command_checkpoint, "checkpoint", "show", tool_world.checkpoint,
                         "--state", "s");
        int d = TOOL_RUN(command_dlq, "dlq", "list", tool_world.checkpoint, "--json");
        int e = TOOL_RUN(command_dlq, "dlq", "show", tool_world.checkpoint);
        int all[5] = { a, b, c, d, e };
        for (int k = 0; k < 5; k++)
            if (all[k] != 0 && all[k] != EX_IOERR && all[k] != EX_NOINPUT && all[k] != EX_CONFIG)
                fail_msg("round %d, command %d: exit %d", round, k, all[k]);
        file_write(names[i], whole[i], sizes[i]);
        free(bytes);
    }
    for (int i = 0; i < 4; i++) free(whole[i]);
}

static void text_of_others_does_not_drive_the_terminal(void **state)
{
    char *printed = NULL;
    size_t n = 0;
    (void)state;
    FILE *to = open_memstream(&printed, &n);
    text_print(to, (struct weir_bytes){ (const uint8_t *)"a\x1b[2J\n\xc2\x9b\xc3\xa9", 10 });
    text_print(to, (struct weir_bytes){ (const uint8_t *)"|\xff", 2 });
    fclose(to);
    assert_string_equal(printed, "a\\x1b[2J\\x0a\\x9b\xc3\xa9|\\xff");
    free(printed);
    json_t *json = text_json((struct weir_bytes){ (const uint8_t *)"a\xff", 2 });
    assert_string_equal(json_string_value(json), "a\xef\xbf\xbd");
    json_decref(json);
    char *base64 = text_base64((struct weir_bytes){ (const uint8_t *)"\xfb\xff\x01\x02", 4 });
    assert_string_equal(base64, "+/8BAg==");
    free(base64);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_setup, tool_teardown)
    const struct CMUnitTest tests[] = {
        TEST(show_tells_what_the_checkpoint_holds),
        TEST(show_says_it_in_words),
        TEST(positions_are_said_by_their_source),
        TEST(state_prints_every_key_with_its_columns),
        TEST(nothing_changes_by_looking_while_the_job_has_it),
        TEST(verify_and_repair_tell_damage_and_cut_it),
        TEST(a_damaged_extent_is_found_and_not_repaired),
        TEST(state_that_makes_no_table_is_damage_though_its_bytes_are_whole),
        TEST(a_place_without_checkpoint_is_told),
        TEST(wrong_words_are_refused),
        TEST(hostile_files_end_in_an_answer),
        TEST(text_of_others_does_not_drive_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
