/*
 * test_host.c - the host table and its interfaces, over a scripted sys and scripted ops of the job.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/chunk.h"
#include "core/load/context.h"

/* ---- a sys that answers what the test wants ---- */

static struct {
    int64_t results[8]; /* of the next calls of recv, send, pread, pwrite, sync, open */
    uint32_t n, next;
    int polls, closed, unwatched;
    sys_ready_fn ready;
    void *arg;
    uint32_t flags;
    int fd;
} script;

static int64_t answer(void)
{
    return script.next < script.n ? script.results[script.next++] : 0;
}

#define SCRIPT(...)                                                                                \
    do {                                                                                           \
        static const int64_t list[] = { __VA_ARGS__ };                                             \
        memset(&script, 0, sizeof script);                                                         \
        memcpy(script.results, list, sizeof list);                                                 \
        script.n = sizeof list / sizeof *list;                                                     \
    } while (0)

static int fake_open(struct weir_sys *sys, const char *path, uint32_t flags)
{
    (void)sys, (void)path;
    script.flags = flags;
    return (int)answer();
}

static int fake_close(struct weir_sys *sys, int fd)
{
    (void)sys;
    script.closed++;
    script.fd = fd;
    return 0;
}

static int64_t fake_pread(struct weir_sys *sys, int fd, void *buffer, size_t n, uint64_t offset)
{
    (void)sys, (void)fd, (void)n;
    int64_t r = answer();
    if (r > 0) memset(buffer, (int)offset, (size_t)r);
    return r;
}

static int64_t fake_pwrite(struct weir_sys *sys, int fd, const void *buffer, size_t n,
                           uint64_t offset)
{
    (void)sys, (void)buffer, (void)n, (void)offset;
    script.fd = fd;
    return answer();
}

static int fake_sync(struct weir_sys *sys, int fd)
{
    (void)sys, (void)fd;
    return (int)answer();
}

static int fake_list(struct weir_sys *sys, const char *path, sys_entry_fn entry, void *arg)
{
    (void)sys, (void)path;
    static const char *const names[] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++) {
        int r = entry(arg, names[i]);
        if (r != 0) return r;
    }
    return (int)answer();
}

static int fake_standard(struct weir_sys *sys, int number)
{
    (void)sys;
    return 100 + number;
}

static int64_t fake_recv(struct weir_sys *sys, int fd, void *buffer, size_t n)
{
    (void)sys, (void)buffer, (void)n;
    script.fd = fd;
    return answer();
}

static int64_t fake_send(struct weir_sys *sys, int fd, const void *buffer, size_t n)
{
    (void)sys, (void)fd, (void)buffer, (void)n;
    return answer();
}

static int fake_poll(struct weir_sys *sys, int fd, uint32_t events, int64_t timeout_us)
{
    (void)sys, (void)fd, (void)events;
    assert_true(timeout_us > 0 && timeout_us <= 1000000);
    return script.polls++ % 2; /* every other wait times out */
}

static int fake_watch(struct weir_sys *sys, int fd, uint32_t events, sys_ready_fn ready, void *arg)
{
    (void)sys, (void)fd, (void)events;
    script.ready = ready;
    script.arg = arg;
    return 0;
}

static void fake_unwatch(struct weir_sys *sys, int fd)
{
    (void)sys, (void)fd;
    script.unwatched++;
}

static int fake_accept(struct weir_sys *sys, int fd)
{
    (void)sys, (void)fd;
    return (int)answer();
}

static int64_t fake_now(struct weir_sys *sys)
{
    (void)sys;
    return 42;
}

static const struct weir_sys_ops fake_ops = {
    .now = fake_now, .open = fake_open, .close = fake_close, .pread = fake_pread,
    .pwrite = fake_pwrite, .sync = fake_sync, .list = fake_list, .standard = fake_standard,
    .recv = fake_recv, .send = fake_send, .poll = fake_poll, .watch = fake_watch,
    .unwatch = fake_unwatch, .accept = fake_accept,
};
static struct weir_sys fake = { &fake_ops };

/* ---- ops of a job ---- */

static struct {
    int emits, wakes, cancelled_at;
    const struct weir_chunk *chunk;
    uint32_t row;
    int32_t code;
    char text[128];
} job;

static int32_t job_emit(struct weir_context *lane, const struct weir_emission *emission,
                        struct weir_error *error)
{
    (void)lane, (void)emission, (void)error;
    job.emits++;
    return WEIR_OK;
}

static int32_t job_reject(struct weir_context *lane, const struct weir_chunk *chunk, uint32_t row,
                          int32_t code, const char *text, struct weir_error *error)
{
    (void)lane, (void)error;
    job.chunk = chunk;
    job.row = row;
    job.code = code;
    snprintf(job.text, sizeof job.text, "%s", text);
    return WEIR_OK;
}

static void job_wake(struct weir_context *context)
{
    (void)context;
    job.wakes++;
}

static int32_t job_cancelled(struct weir_context *context)
{
    (void)context;
    return job.cancelled_at && script.polls >= job.cancelled_at;
}

static const struct context_ops job_ops = {
    .emit = job_emit, .reject = job_reject, .wake = job_wake, .cancelled = job_cancelled,
};

static struct weir_context running, checked, blocking;
static const struct weir_io *io;
static struct weir_error error;

static int setup(void **state)
{
    (void)state;
    memset(&job, 0, sizeof job);
    memset(&script, 0, sizeof script);
    running = (struct weir_context){ .ops = &job_ops, .instance = "i", .sys = &fake };
    blocking = running;
    blocking.blocking = 1;
    checked = (struct weir_context){ .instance = "i", .sys = &fake };
    io = weir_host_1.get_interface(WEIR_IO_ID);
    weir_error_init(&error);
    return 0;
}

/* ---- the table ---- */

static void test_interfaces_are_found_by_id_and_unknown_ones_are_null(void **state)
{
    static const char *const ids[] = { WEIR_DATA_ID, WEIR_EXPR_ID, WEIR_STATE_ID, WEIR_COMBINE_ID,
                                       WEIR_IO_ID, WEIR_FORMAT_ID };
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_non_null(weir_host_1.get_interface(ids[i]));
    assert_null(weir_host_1.get_interface("weir.data/2"));
    assert_null(weir_host_1.get_interface(""));
    assert_null(weir_host_1.get_interface(NULL));
}

static void test_no_function_of_any_table_is_null(void **state)
{
    static const char *const ids[] = { WEIR_DATA_ID, WEIR_EXPR_ID, WEIR_STATE_ID, WEIR_COMBINE_ID,
                                       WEIR_IO_ID, WEIR_FORMAT_ID };
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const char *table = weir_host_1.get_interface(ids[i]);
        uint32_t size;
        memcpy(&size, table, sizeof size);
        assert_true(size > 8 && size % sizeof(void *) == 0);
        for (uint32_t at = 8; at < size; at += sizeof(void *)) {
            void *function;
            memcpy(&function, table + at, sizeof function);
            if (!function) fail_msg("%s has no function at %u", ids[i], at);
        }
    }
    for (uint32_t at = offsetof(struct weir_host, alloc); at < sizeof weir_host_1; at += 8) {
        void *function;
        memcpy(&function, (const char *)&weir_host_1 + at, sizeof function);
        assert_non_null(function);
    }
}

static int released;

static void release(struct ArrowArray *array)
{
    released++;
    array->release = NULL;
}

static void test_emit_in_a_check_takes_the_arrays_and_is_unsupported(void **state)
{
    struct ArrowArray array = { .release = release };
    struct weir_output_column columns[] = { { -1, 0, &array } };
    struct weir_emission emission = { .size = sizeof emission, .columns = columns, .n_columns = 1 };
    (void)state;
    released = 0;
    assert_int_equal(weir_host_1.emit(&checked, &emission, &error), WEIR_UNSUPPORTED);
    assert_int_equal(released, 1);
    assert_int_equal(weir_host_1.emit(&running, &emission, NULL), WEIR_OK);
    assert_int_equal(job.emits, 1);
}

static void test_what_needs_a_job_is_unsupported_in_a_check(void **state)
{
    const struct weir_formats *formats = weir_host_1.get_interface(WEIR_FORMAT_ID);
    struct weir_bytes bytes = { NULL, 0 };
    struct weir_value value;
    int64_t handle;
    (void)state;
    assert_int_equal(weir_host_1.reject(&checked, NULL, 0, 0, "", NULL), WEIR_UNSUPPORTED);
    assert_int_equal(weir_host_1.reject_bytes(&checked, bytes, 0, "", NULL), WEIR_UNSUPPORTED);
    assert_int_equal(weir_host_1.option(&checked, "x", &value), WEIR_UNSUPPORTED);
    assert_int_equal(weir_host_1.cancelled(&checked), 0);
    weir_host_1.wake(&checked);
    weir_host_1.wake_after(&checked, 1);
    weir_host_1.count(&checked, "n", 1);
    weir_host_1.gauge(&checked, "n", 1);
    assert_int_equal(formats->frame(&checked, bytes, 0, 0, NULL, NULL), WEIR_UNSUPPORTED);
    assert_string_equal(formats->extension(&checked), "");
    assert_int_equal(io->open(&checked, "/x", WEIR_IO_READ, &handle, &error), WEIR_UNSUPPORTED);
    assert_int_equal(handle, -1);
    assert_true(weir_host_1.now_us(&checked) == 42);
}

static void test_state_is_declared_by_operators_only(void **state)
{
    const struct weir_state_table *table = weir_host_1.get_interface(WEIR_STATE_ID);
    struct weir_table_spec spec = { .size = sizeof spec };
    uint32_t number;
    (void)state;
    assert_int_equal(table->declare(&running, &spec, &number, &error), WEIR_UNSUPPORTED);
    spec.size = 8;
    assert_int_equal(table->declare(&running, &spec, &number, NULL), WEIR_CONFIG);
}

/* ---- expressions ---- */

static const struct weir_component *find_nothing(void *arg, uint32_t kind, const char *name)
{
    (void)arg, (void)kind, (void)name;
    return NULL;
}

static const char *name_nothing(void *arg, uint32_t i)
{
    (void)arg, (void)i;
    return NULL;
}

static void test_a_row_on_which_an_expression_fails_is_rejected_with_its_chunk(void **state)
{
    static const struct expr_env env = { find_nothing, name_nothing, &weir_host_1, NULL };
    const struct weir_expr_table *table = weir_host_1.get_interface(WEIR_EXPR_ID);
    struct ArrowSchema schema;
    struct ArrowArray array, out;
    struct weir_expr *expr;
    uint32_t numbers[3] = { 0, 1, 2 };
    struct weir_rows rows = { sizeof rows, 3, numbers };
    (void)state;
    assert_int_equal(weir_data_1.schema_parse("a int64", &schema, &error), WEIR_OK);
    assert_int_equal(weir_data_1.rows_parse(&schema, "[[2],[0],[5]]", 13, &array, &error), WEIR_OK);
    struct weir_expr_input input = { NULL, &schema };
    struct weir_chunk *chunk = chunk_create(&schema, &array, NULL, 0);
    const struct weir_chunk *chunks[] = { chunk };
    assert_non_null(chunk);
    assert_int_equal(table->compile(&running, "10 div a", "where", &input, 1, WEIR_TYPE_NONE, &expr,
                                    NULL), WEIR_UNSUPPORTED); /* no env: not in bind */
    running.env = &env;
    if (table->compile(&running, "10 div a", "where", &input, 1, WEIR_TYPE_NONE, &expr,
                       &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(table->eval(&running, expr, chunks, &rows, &out, &error), WEIR_OK);
    assert_int_equal(rows.n, 2);
    assert_ptr_equal(job.chunk, chunk);
    assert_int_equal(job.row, 1);
    assert_int_equal(job.code, WEIR_REJECT_EXPRESSION);
    assert_true(strlen(job.text) > 0);
    array_release(&out);
    table->free(expr);
    chunk_release(chunk);
    schema_release(&schema);
}

/* ---- files ---- */

static void test_errno_becomes_a_class(void **state)
{
    static const struct { int number; int32_t class; } cases[] = {
        { ENOENT, WEIR_UNSUPPORTED }, { ENOSPC, WEIR_RETRY },       { EDQUOT, WEIR_RETRY },
        { EMFILE, WEIR_RETRY },       { ENFILE, WEIR_RETRY },       { EAGAIN, WEIR_RETRY },
        { ECONNREFUSED, WEIR_RETRY }, { EIO, WEIR_FATAL },          { EACCES, WEIR_FATAL },
        { EROFS, WEIR_FATAL },        { ECANCELED, WEIR_CANCELLED },
    };
    int64_t handle;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SCRIPT(0);
        script.results[0] = -cases[i].number;
        weir_error_init(&error);
        assert_int_equal(io->open(&running, "/some/path", WEIR_IO_READ, &handle, &error),
                         cases[i].class);
        assert_int_equal(error.code, cases[i].number);
        assert_non_null(strstr(error.text, "/some/path"));
        assert_non_null(strstr(error.text, strerror(cases[i].number)));
        assert_int_equal(handle, -1);
    }
}

static void test_reads_and_writes_are_whole(void **state)
{
    char buffer[10];
    uint64_t got;
    int64_t handle;
    (void)state;
    SCRIPT(0, 4, -EINTR, 6, 3, 0, 7, 3);
    assert_int_equal(io->open(&running, "f", WEIR_IO_READ | WEIR_IO_WRITE, &handle, &error), 0);
    assert_int_equal(script.flags, SYS_READ | SYS_WRITE);
    assert_true(handle > WEIR_IO_STDOUT); /* though the descriptor is 0 */
    assert_int_equal(io->pread(&running, handle, buffer, 10, 0, &got, &error), WEIR_OK);
    assert_int_equal(got, 10);
    assert_int_equal(io->pread(&running, handle, buffer, 10, 0, &got, &error), WEIR_OK);
    assert_int_equal(got, 3); /* the end of the file */
    assert_int_equal(io->pwrite(&running, handle, buffer, 10, 0, &error), WEIR_OK);
    assert_int_equal(script.next, 8);
    io->close(&running, handle);
    assert_int_equal(script.fd, 0);
}

static void test_a_handle_is_final_after_a_failed_sync(void **state)
{
    int64_t handle, another;
    uint64_t got;
    (void)state;
    SCRIPT(5, 6, -EIO, 1, 5);
    io->open(&running, "f", WEIR_IO_WRITE, &handle, &error);
    io->open(&running, "g", WEIR_IO_WRITE, &another, &error);
    assert_int_equal(io->sync(&running, handle, &error), WEIR_FATAL);
    weir_error_init(&error);
    assert_int_equal(io->pwrite(&running, handle, "x", 1, 0, &error), WEIR_FATAL);
    assert_non_null(strstr(error.text, "sync of this handle failed"));
    assert_int_equal(io->sync(&running, handle, NULL), WEIR_FATAL);
    assert_int_equal(io->pread(&running, handle, NULL, 1, 0, &got, NULL), WEIR_FATAL);
    assert_int_equal(io->pwrite(&running, another, "x", 1, 0, NULL), WEIR_OK);
    io->close(&running, handle);
    io->open(&running, "f", WEIR_IO_WRITE, &handle, NULL); /* the same number again */
    SCRIPT(1);
    assert_int_equal(io->pwrite(&running, handle, "x", 1, 0, NULL), WEIR_OK);
}

static void test_bad_handles_fail_and_standard_ones_stay_open(void **state)
{
    uint64_t got;
    (void)state;
    SCRIPT(3);
    assert_int_equal(io->recv(&running, WEIR_IO_STDIN, NULL, 0, &got, NULL), WEIR_OK);
    assert_int_equal(script.fd, 100);
    io->close(&running, WEIR_IO_STDOUT);
    io->close(&running, -1);
    assert_int_equal(script.closed, 0);
    assert_int_equal(io->sync(&running, 2, &error), WEIR_FATAL);
    assert_int_equal(error.code, EBADF);
    assert_int_equal(io->sync(&running, INT64_MAX, NULL), WEIR_FATAL);
}

static int32_t stop_at_b(void *arg, const char *name)
{
    ++*(int *)arg;
    return *name == 'b' ? WEIR_DATA : WEIR_OK;
}

static void test_a_listing_ends_with_the_class_of_its_callback(void **state)
{
    int calls = 0;
    (void)state;
    assert_int_equal(io->list(&running, "d", stop_at_b, &calls, &error), WEIR_DATA);
    assert_int_equal(calls, 2);
}

/* ---- streams ---- */

static void test_streams_are_pending_where_nothing_is_there(void **state)
{
    char buffer[4];
    uint64_t n;
    int64_t handle;
    (void)state;
    SCRIPT(-EAGAIN, -EAGAIN, 2, -EAGAIN);
    assert_int_equal(io->recv(&running, 9, buffer, 4, &n, &error), WEIR_PENDING);
    assert_int_equal(io->send(&running, 9, buffer, 4, &n, &error), WEIR_PENDING);
    assert_int_equal(io->send(&running, 9, buffer, 4, &n, &error), WEIR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(io->accept(&running, 9, &handle, &error), WEIR_PENDING);
    assert_int_equal(script.polls, 0);
    assert_int_equal(error.error_class, WEIR_OK);
}

static void test_a_sink_thread_waits_and_writes_all(void **state)
{
    char buffer[4] = "";
    uint64_t n;
    (void)state;
    SCRIPT(1, -EAGAIN, 3, -EAGAIN, 2);
    assert_int_equal(io->send(&blocking, 9, buffer, 4, &n, &error), WEIR_OK);
    assert_int_equal(n, 4);
    assert_int_equal(script.polls, 2); /* one timed out */
    assert_int_equal(io->recv(&blocking, 9, buffer, 4, &n, &error), WEIR_OK);
    assert_int_equal(n, 2);
}

static void test_a_waiting_sink_thread_sees_that_it_is_cancelled(void **state)
{
    char buffer[4] = "";
    uint64_t n;
    (void)state;
    SCRIPT(-EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN, -EAGAIN);
    job.cancelled_at = 5;
    assert_int_equal(io->recv(&blocking, 9, buffer, 4, &n, &error), WEIR_CANCELLED);
    assert_int_equal(script.polls, 5);
}

static void test_a_watched_handle_wakes_its_instance(void **state)
{
    (void)state;
    assert_int_equal(io->watch(&running, 9, WEIR_IO_READABLE, &error), WEIR_OK);
    script.ready(script.arg);
    assert_int_equal(job.wakes, 1);
    io->close(&running, 9);
    assert_int_equal(script.unwatched, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_interfaces_are_found_by_id_and_unknown_ones_are_null),
        TEST(test_no_function_of_any_table_is_null),
        TEST(test_emit_in_a_check_takes_the_arrays_and_is_unsupported),
        TEST(test_what_needs_a_job_is_unsupported_in_a_check),
        TEST(test_state_is_declared_by_operators_only),
        TEST(test_a_row_on_which_an_expression_fails_is_rejected_with_its_chunk),
        TEST(test_errno_becomes_a_class),
        TEST(test_reads_and_writes_are_whole),
        TEST(test_a_handle_is_final_after_a_failed_sync),
        TEST(test_bad_handles_fail_and_standard_ones_stay_open),
        TEST(test_a_listing_ends_with_the_class_of_its_callback),
        TEST(test_streams_are_pending_where_nothing_is_there),
        TEST(test_a_sink_thread_waits_and_writes_all),
        TEST(test_a_waiting_sink_thread_sees_that_it_is_cancelled),
        TEST(test_a_watched_handle_wakes_its_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
