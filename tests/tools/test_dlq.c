/*
 * test_dlq.c - dead letters: which runs of a batch count, and what `weir dlq` says of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/control/dead.h"
#include "core/data/block.h"
#include "core/log/record.h"
#include "tests/support/golden.h"
#include "tests/tools/tool_world.h"
#include "tools/weir/commands.h"

/* ---- the commands, over what a job left ---- */

static json_t *line(char **rest)
{
    char *text = strtok_r(NULL, "\n", rest);
    return text ? json_loads(text, 0, NULL) : NULL;
}

static void list_counts_by_instance_and_reason(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "list", tool_world.checkpoint, "--json"), 0);
    json_t *json = json_loads(tool_world.out, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "rows")), 9);
    const json_t *batches = json_object_get(json, "batches");
    assert_int_equal(json_array_size(batches), 5);
    const json_t *first = json_array_get(batches, 0); /* 7, 9, 57 */
    json_t *want = json_loads("[{\"instance\": \"p\", \"code\": 6,"
                              "  \"reason\": \"row\", \"rows\": 2},"
                              " {\"instance\": \"p\", \"code\": 1,"
                              "  \"reason\": \"record\\u001b[31m\", \"rows\": 1}]", 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(first, "rows")), 3);
    assert_true(json_equal(json_object_get(first, "reasons"), want));
    json_decref(want);
    json_decref(json);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "list", tool_world.checkpoint), 0);
    assert_non_null(strstr(tool_world.out, "batch 0: 3 rows\n         2  p: code 6: row\n"));
    assert_non_null(strstr(tool_world.out, "record\\x1b[31m"));
    assert_non_null(strstr(tool_world.out, "9 dead letters in 5 batches"));
}

static void show_prints_each_letter_as_a_line(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", tool_world.checkpoint), 0);
    char *rest, *text = strtok_r(tool_world.out, "\n", &rest);
    json_t *json = json_loads(text, 0, NULL), *record = line(&rest);
    assert_string_equal(json_string_value(json_object_get(json, "instance")), "p");
    assert_string_equal(json_string_value(json_object_get(json, "partition")), "p00");
    assert_int_equal(json_integer_value(json_object_get(json, "batch")), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "code")), 6);
    assert_true(json_is_string(json_object_get(json, "position")));
    const json_t *row = json_object_get(json, "row");
    assert_int_equal(json_array_size(row), 2);
    assert_int_equal(json_integer_value(json_array_get(row, 1)), 7);
    assert_string_equal(json_string_value(json_object_get(record, "base64")), "Yf8KYg==");
    assert_null(json_object_get(record, "row"));
    json_decref(json);
    json_decref(record);
    int n = 2;
    for (json_t *next = line(&rest); next; next = line(&rest), n++) json_decref(next);
    assert_int_equal(n, 9);
}

static int lines_of(const char *option, const char *value)
{
    int n = 0;
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", tool_world.checkpoint, option, value), 0);
    for (const char *p = tool_world.out; (p = strchr(p, '\n')); p++) n++;
    return n;
}

static void show_takes_a_batch_an_instance_and_a_limit(void **state)
{
    (void)state;
    assert_int_equal(tool_run_job(0), 0);
    assert_int_equal(lines_of("--batch", "0"), 3);
    assert_int_equal(lines_of("--batch", "77"), 0);
    assert_int_equal(lines_of("--instance", "p"), 9);
    assert_int_equal(lines_of("--instance", "s"), 0);
    assert_int_equal(lines_of("--limit", "4"), 4);
    assert_int_equal(lines_of("--limit", "0"), 0);
}

static void wrong_words_and_places_are_refused(void **state)
{
    (void)state;
    assert_int_equal(TOOL_RUN(command_dlq, "dlq"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "mend", "."), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", ".", "--batch", "-1"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", ".", "--batch"), EX_USAGE);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "list", "/nowhere/at/all"), EX_NOINPUT);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "list", tool_world.top), EX_NOINPUT);
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "--help"), 0);
}

/* ---- which runs count, over logs made here ---- */

static struct log *log_of;

static void open_log(void)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct log_options options = { .directory = tool_world.checkpoint, .job_name = "j" };
    if (log_open(tool_world.sys, &options, NULL, NULL, &log_of, NULL, &error) != WEIR_OK)
        fail_msg("%s", error.text);
}

static void close_log(void)
{
    struct weir_error error = WEIR_ERROR_INIT;
    assert_int_equal(log_sync(log_of, &error), WEIR_OK);
    log_close(log_of);
}

/* An extent of one letter with this reason; `inside` is the batch that the letter itself tells. */
static struct extent write_letter(uint64_t batch, uint64_t inside, const char *reason)
{
    const struct weir_data *d = &weir_data_1;
    struct weir_error error = WEIR_ERROR_INIT;
    struct ArrowSchema schema = { 0 };
    struct ArrowArray array = { 0 };
    struct weir_builder *b;
    struct weir_buffer out = { 0 };
    struct extent extent;
    uint64_t head[3] = { DEAD_MAGIC, batch, 0 };
    assert_int_equal(d->schema_parse("instance string, code int32, reason string,"
                                     " partition string, position binary, batch int64, row string,"
                                     " bytes binary", &schema, &error), WEIR_OK);
    assert_int_equal(d->builder_create(&schema, &b, &error), WEIR_OK);
    d->append_bytes(d->builder_child(b, 0), "i", 1);
    d->append_int(d->builder_child(b, 1), 6);
    d->append_bytes(d->builder_child(b, 2), reason, strlen(reason));
    d->append_bytes(d->builder_child(b, 3), "p", 1);
    d->append_bytes(d->builder_child(b, 4), "12", 2);
    d->append_int(d->builder_child(b, 5), (int64_t)inside);
    d->append_bytes(d->builder_child(b, 6), "[[0.1,\"x\"]]", 11);
    d->append_null(d->builder_child(b, 7));
    assert_int_equal(d->builder_finish(b, &array, &error), WEIR_OK);
    struct weir_chunk *chunk = chunk_create(&schema, &array, NULL, 0);
    assert_int_equal(buffer_add(&out, head, sizeof head), WEIR_OK);
    assert_int_equal(block_encode(chunk, 0, &out, &error), WEIR_OK);
    head[2] = out.length - sizeof head;
    memcpy(out.data, head, sizeof head);
    assert_int_equal(log_extent_write(log_of, EXTENT_DEAD,
                                      (struct weir_bytes){ out.data, out.length }, &extent, &error),
                     WEIR_OK);
    chunk_release(chunk);
    d->builder_destroy(b);
    schema_release(&schema);
    mem_free(out.data);
    return extent;
}

static void write_state(uint64_t batch, struct extent *dead)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_buffer out = { 0 };
    struct record_state record = { .dead_letters = dead != NULL, .n_dead = dead != NULL,
                                   .dead = dead };
    assert_int_equal(record_state_encode(&record, &out), WEIR_OK);
    assert_int_equal(log_append(log_of, LOG_STATE, RECORD_VERSION, batch,
                                (struct weir_bytes){ out.data, out.length }, &error), WEIR_OK);
    mem_free(out.data);
}

static int32_t add_reason(void *arg, const struct dead_letter *letter, struct weir_error *error)
{
    char *text = arg;
    (void)error;
    assert_memory_equal(letter->instance.data, "i", 1);
    sprintf(text + strlen(text), "%llu:%.*s ", (unsigned long long)letter->batch,
            (int)letter->reason.length, (const char *)letter->reason.data);
    return WEIR_OK;
}

/* "batch:reason " of all that count. */
static const char *counted(uint64_t *skipped)
{
    static char text[1024];
    struct weir_error error = WEIR_ERROR_INIT;
    struct dead *dead;
    text[0] = 0;
    assert_int_equal(dead_open(tool_world.sys, tool_world.checkpoint, &dead, &error), WEIR_OK);
    for (uint32_t i = 0; i < dead_parts(dead); i++)
        assert_int_equal(dead_read(dead, i, add_reason, text, &error), WEIR_OK);
    if (skipped) *skipped = dead_skipped(dead);
    dead_close(dead);
    return text;
}

static void the_run_that_the_log_names_counts(void **state)
{
    (void)state;
    open_log();
    struct extent named = write_letter(0, 0, "named");
    write_letter(0, 0, "later");
    write_letter(1, 1, "of_a_run_before_a_crash");
    write_state(0, &named);
    write_state(1, NULL); /* the run that counts had none */
    close_log();
    assert_string_equal(counted(NULL), "0:named ");
}

static void of_a_batch_that_left_the_log_the_last_run_counts(void **state)
{
    (void)state;
    open_log();
    write_letter(3, 3, "first");
    write_letter(2, 2, "only");
    write_letter(3, 3, "second");
    write_state(5, NULL);
    close_log();
    open_log(); /* begins another file */
    write_letter(3, 3, "third");
    close_log();
    assert_string_equal(counted(NULL), "2:only 3:third ");
}

static void a_batch_without_state_has_no_letters_yet(void **state)
{
    (void)state;
    open_log();
    struct extent dead = write_letter(0, 0, "a");
    write_state(0, &dead);
    write_letter(1, 1, "pending");
    close_log();
    assert_string_equal(counted(NULL), "0:a ");
}

static void where_the_log_cannot_be_read_all_are_shown(void **state)
{
    char path[320];
    (void)state;
    open_log();
    struct extent dead = write_letter(0, 0, "a");
    write_state(0, &dead);
    write_letter(1, 1, "pending");
    close_log();
    snprintf(path, sizeof path, "%s/weir.json", tool_world.checkpoint);
    assert_int_equal(remove(path), 0);
    assert_string_equal(counted(NULL), "0:a 1:pending ");
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", tool_world.checkpoint), 0);
    assert_non_null(strstr(tool_world.err, "the log can't be asked"));
    assert_non_null(strstr(tool_world.out, "\"row\":[0.1,\"x\"]}"));
    assert_non_null(strstr(tool_world.out, "\"position\":\"12\""));
}

/* What the engine writes for batch 0 of the job; from the bytes that the tree keeps the same letters
 * are read. */
static void an_extent_has_the_bytes_of_version_1(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct extent extent;
    struct dead *dead;
    static uint8_t bytes[GOLDEN_MOST];
    char path[320];
    (void)state;
    assert_int_equal(tool_run_job(1), 0);
    assert_int_equal(dead_open(tool_world.sys, tool_world.checkpoint, &dead, &error), WEIR_OK);
    struct dead_part part = *dead_part(dead, 0);
    dead_close(dead);
    snprintf(path, sizeof path, "%s/dead-%08u", tool_world.checkpoint, part.file);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)part.offset, SEEK_SET), 0);
    assert_int_equal(fread(bytes, 1, part.bytes, file), part.bytes);
    fclose(file);
    assert_memory_equal(bytes, "WERDEAD1\0\0\0\0\0\0\0\0", 16);
    const uint8_t *golden = golden_check("tools/golden/dead_letters_1.bin", bytes, part.bytes);

    strcat(tool_world.checkpoint, "2");
    open_log();
    assert_int_equal(log_extent_write(log_of, EXTENT_DEAD,
                                      (struct weir_bytes){ golden, part.bytes }, &extent, &error),
                     WEIR_OK);
    write_state(0, &extent);
    close_log();
    assert_int_equal(TOOL_RUN(command_dlq, "dlq", "show", tool_world.checkpoint), 0);
    assert_string_equal(
        tool_world.out,
        "{\"batch\":0,\"instance\":\"p\",\"code\":6,\"reason\":\"row\",\"partition\":\"p00\","
        "\"position\":\"\",\"row\":[0,7]}\n"
        "{\"batch\":0,\"instance\":\"p\",\"code\":1,\"reason\":\"record\\u001B[31m\","
        "\"partition\":\"p00\",\"position\":\"0900000000000000\",\"base64\":\"Yf8KYg==\"}\n"
        "{\"batch\":0,\"instance\":\"p\",\"code\":6,\"reason\":\"row\",\"partition\":\"p00\","
        "\"position\":\"3600000000000000\",\"row\":[1,57]}\n");
}

static void what_is_not_whole_is_skipped(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct extent extent;
    char path[320];
    uint64_t skipped;
    (void)state;
    open_log();
    struct extent cut = write_letter(0, 0, "damaged"); /* a byte of it is flipped below */
    struct extent whole = write_letter(1, 1, "whole");
    assert_int_equal(log_extent_write(log_of, EXTENT_DEAD,
                                      (struct weir_bytes){ (const uint8_t *)"WERDEAD1WERDEAD", 15 },
                                      &extent, &error), WEIR_OK);
    write_letter(2, 7, "tells_another_batch");
    struct extent last = write_letter(3, 3, "last");
    write_state(0, &cut);
    write_state(1, &whole);
    write_state(2, NULL);
    write_state(3, &last);
    close_log();
    snprintf(path, sizeof path, "%s/dead-00000001", tool_world.checkpoint);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, (long)(cut.offset + cut.length - 3), SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 1, file);
    fclose(file);
    assert_string_equal(counted(&skipped), "1:whole 3:last ");
    assert_int_equal(skipped, cut.length + 15 + (last.offset - extent.offset - 15));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_setup, tool_teardown)
    const struct CMUnitTest tests[] = {
        TEST(list_counts_by_instance_and_reason),
        TEST(show_prints_each_letter_as_a_line),
        TEST(show_takes_a_batch_an_instance_and_a_limit),
        TEST(wrong_words_and_places_are_refused),
        TEST(the_run_that_the_log_names_counts),
        TEST(of_a_batch_that_left_the_log_the_last_run_counts),
        TEST(a_batch_without_state_has_no_letters_yet),
        TEST(where_the_log_cannot_be_read_all_are_shown),
        TEST(an_extent_has_the_bytes_of_version_1),
        TEST(what_is_not_whole_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
