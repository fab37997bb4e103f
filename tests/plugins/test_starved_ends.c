/*
 * test_starved_ends.c - sources and sinks where memory runs out: every allocation of every call of
 * theirs fails once, and from there on for ever. Each time the call says so, with a reason, and
 * nothing is left behind; a sink that was told to abort gives the batch as if nothing had been.
 */
#include "tests/plugins/sink_case.h"

#include "core/data/array.h"
#include "core/data/chunk.h"

#define PORT 9999

struct starved {
    const char *name;
    fake_entry_fn entry, format;
    const char *options;
    const char *ddl, *rows; /* of a sink */
};

struct play {
    uint64_t fail_call, fail_at, calls; /* the calls are counted from 1 */
    int forever;
    struct fake fake;
    struct weir_sys *sys;
    int peer;
    char text[4096]; /* what came out */
};

/* A call of the component: the chosen one with memory that fails. */
#define CALL(play, status, call)                                                                   \
    do {                                                                                           \
        if ((status) != WEIR_OK) break;                                                            \
        if (++(play)->calls == (play)->fail_call)                                                  \
            mem_fail_at((play)->fail_at, (play)->forever);                                         \
        (status) = (call);                                                                         \
        mem_fail_at(0, 0);                                                                         \
    } while (0)

static void keep(struct play *p, const void *bytes, size_t n)
{
    assert_true(n < sizeof p->text);
    if (n) memcpy(p->text, bytes, n);
    p->text[n] = 0;
}

/* ---- sources: create, bind, partitions, and rows of two batches, one by one ---- */

static int32_t drop_name(struct weir_names *names, const char *name)
{
    (void)names, (void)name;
    return WEIR_OK;
}

static int32_t read_some(struct play *p, const struct weir_source *source, const char *partition,
                         uint64_t batch, uint8_t *position, uint64_t *length)
{
    struct fake *fake = &p->fake;
    struct weir_next in = { .size = sizeof in, .partition = partition,
                            .from = { position, *length }, .max_rows = 2, .max_bytes = 1 << 20,
                            .deadline_us = INT64_MAX, .batch = batch,
                            .batch_time_us = fake->context.time_us };
    struct weir_next_result out = { .size = sizeof out };
    int32_t status = WEIR_OK;
    CALL(p, status, source->next(fake->self, &in, &out, &fake->error));
    if (status != WEIR_OK) {
        assert_null(out.array.release);
        return status;
    }
    if (out.position.length) memcpy(position, out.position.data, out.position.length);
    *length = out.position.length;
    if (!out.array.release) return status;
    struct weir_buffer text = { 0 };
    size_t n = strlen(p->text);
    uint32_t row = 0;
    for (; row < out.array.length; row++)
        assert_int_equal(rows_json(&fake->schema, &out.array, &row, 1, &text), WEIR_OK);
    snprintf(p->text + n, sizeof p->text - n, "%.*s;", (int)text.length, (char *)text.data);
    mem_free(text.data);
    array_release(&out.array);
    return status;
}

static int32_t play_source(struct play *p)
{
    struct fake *fake = &p->fake;
    const struct weir_source *source = fake->component->table;
    struct weir_source_bind in = { .size = sizeof in };
    struct weir_source_plan out = { .size = sizeof out };
    struct weir_partitions list = { sizeof list, 0, START_US, NULL, drop_name };
    uint8_t position[WEIR_POSITION_MAX];
    uint64_t length = 0;
    int32_t status = WEIR_OK;
    CALL(p, status, source->bind(fake->self, &in, &out, &fake->error));
    fake->schema = out.schema;
    CALL(p, status, source->open(fake->self, &fake->error));
    CALL(p, status, source->partitions(fake->self, &list, &fake->error));
    for (uint64_t i = 0; i < 4 && (status == WEIR_OK || status == WEIR_PENDING); i++) {
        fake->context.time_us = START_US + (int64_t)i * 1000000;
        status = read_some(p, source, "p0", i, position, &length);
    }
    return status == WEIR_PENDING ? WEIR_OK : status;
}

/* ---- sinks: create, bind, open, one batch; where it fails it is aborted and given again ---- */

static int32_t play_batch(struct play *p, const struct weir_sink *sink, const struct weir_chunk *chunk)
{
    struct fake *fake = &p->fake;
    struct weir_sink_batch batch = { sizeof batch, 1, 0, START_US };
    int32_t status = WEIR_OK;
    CALL(p, status, sink->begin(fake->self, &batch, &fake->error));
    CALL(p, status, sink->write(fake->self, chunk, &fake->error));
    CALL(p, status, sink->finish(fake->self, &fake->error));
    return status;
}

static void give_again(struct play *p, const struct weir_sink *sink, const struct weir_chunk *chunk)
{
    struct weir_error was = p->fake.error;
    assert_int_equal(sink->abort(p->fake.self, NULL), WEIR_OK);
    weir_error_init(&p->fake.error);
    p->peer = sim_peer(p->sys, PORT, "", 0, 1, 0); /* for a sink whose connection is closed now */
    p->fail_call = 0;
    assert_ok(play_batch(p, sink, chunk), &p->fake);
    p->fake.error = was;
}

static int32_t play_sink(struct play *p, const struct starved *s)
{
    struct fake *fake = &p->fake;
    const struct weir_sink *sink = fake->component->table;
    struct ArrowArray array;
    int32_t status = WEIR_OK;
    assert_ok(fake_bind_sink(fake, s->ddl, WEIR_FORM_APPEND), fake);
    CALL(p, status, fake_open_sink(fake, "0"));
    if (status != WEIR_OK) return status;
    assert_ok(weir_data_1.rows_parse(&fake->schema, s->rows, strlen(s->rows), &array, &fake->error),
              fake);
    struct weir_chunk *chunk = chunk_create(&fake->schema, &array, NULL, 0);
    p->peer = sim_peer(p->sys, PORT, "", 0, 1, 0);
    status = play_batch(p, sink, chunk);
    if (status != WEIR_OK) give_again(p, sink, chunk);
    chunk_release(chunk);
    size_t n;
    const uint8_t *bytes = sim_stdout(p->sys, &n);
    if (s->format) bytes = sim_peer_received(p->sys, p->peer, &n);
    keep(p, bytes, n);
    return status;
}

/* ---- all of a component ---- */

/* Everything up to create runs with memory; then create runs once more, as a call of its own. */
static int32_t create(struct play *p, const struct starved *s)
{
    struct fake *fake = &p->fake;
    int32_t status = fake_create(fake, p->sys, s->entry, s->format, s->options);
    assert_ok(status, fake);
    fake->quiet = 1;
    if (fake->component->kind == WEIR_KIND_SOURCE) {
        const struct weir_source *source = fake->component->table;
        source->destroy(fake->self);
        fake->self = NULL;
        CALL(p, status, source->create(&weir_host_1, &fake->context, &fake->self, &fake->error));
    } else {
        const struct weir_sink *sink = fake->component->table;
        sink->destroy(fake->self);
        fake->self = NULL;
        CALL(p, status, sink->create(&weir_host_1, &fake->context, &fake->self, &fake->error));
    }
    return status;
}

static int32_t play(struct play *p, const struct starved *s)
{
    struct sim_disk *disk = sim_disk_create();
    p->sys = sim_create(disk, START_US, 1);
    int32_t status = create(p, s);
    if (status == WEIR_OK)
        status = p->fake.component->kind == WEIR_KIND_SOURCE ? play_source(p) : play_sink(p, s);
    if (status != WEIR_OK && status != WEIR_FATAL)
        fail_msg("%s, call %llu, allocation %llu: class %d: %s", s->name,
                 (unsigned long long)p->fail_call, (unsigned long long)p->fail_at, status,
                 p->fake.error.text);
    if (status != WEIR_OK && !p->fake.error.text[0])
        fail_msg("%s, call %llu of %llu, allocation %llu: no reason is given", s->name,
                 (unsigned long long)p->fail_call, (unsigned long long)p->calls,
                 (unsigned long long)p->fail_at);
    fake_destroy(&p->fake);
    sys_destroy(p->sys);
    sim_disk_destroy(disk);
    return status;
}

/* The number of allocations that failed. */
static uint64_t starve(const struct starved *s)
{
    struct play good = { 0 };
    uint64_t failures = 0;
    assert_int_equal(play(&good, s), WEIR_OK);
    const uint64_t before = mem_in_use();
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t call = 1; call <= good.calls; call++)
            for (uint64_t at = 1;; at++) {
                struct play p = { .fail_call = call, .fail_at = at, .forever = forever };
                int32_t status = play(&p, s);
                if (mem_in_use() != before)
                    fail_msg("%s, call %llu, allocation %llu: %lld bytes are left", s->name,
                             (unsigned long long)call, (unsigned long long)at,
                             (long long)(mem_in_use() - before));
                /* what came is right: of a sink always, as the batch was given again */
                if ((status == WEIR_OK || p.text[0]) && s->ddl && strcmp(p.text, good.text) != 0)
                    fail_msg("%s, call %llu, allocation %llu: '%s' came, not '%s'", s->name,
                             (unsigned long long)call, (unsigned long long)at, p.text, good.text);
                if (status == WEIR_OK) break;
                failures++;
            }
    return failures;
}

#define COLUMNS "a string, b double, l list<int>, s struct<x: int, y: string>, t timestamp"
#define ROWS                                                                                       \
    "[[\"one\", 1.5, [1, null], {\"x\": 1, \"y\": \"z\"}, \"2024-01-02T03:04:05Z\"],"              \
    " [\"t,w\\\"o\", null, [], null, null], [null, 3, null, {\"x\": null, \"y\": \"\"}, null]]"

static void sources_survive_the_want_of_memory(void **state)
{
    static const struct starved cases[] = {
        { "queue", entry_source_queue, NULL,
          "\"columns\": \"v int, s string, l list<string>\", \"batches\": [[[1, \"a\", [\"x\", null]], "
          "[2, null, []], [3, \"c\", null]], null, []], \"default\": [[4, \"d\", [\"y\"]]]",
          NULL, NULL },
        { "queue of several", entry_source_queue, NULL,
          "\"columns\": \"v int\", \"partitions\": 3, \"one_at_a_time\": false, "
          "\"batches\": [[[1], [2]], [[3], [4]]]", NULL, NULL },
        { "rate", entry_source_rate, NULL, "\"rows_per_second\": 5, \"ramp_up\": \"2s\"", NULL, NULL },
        { "rate of batches", entry_source_rate, NULL,
          "\"rows_per_batch\": 3, \"partitions\": 2, \"start\": \"2024-01-01T00:00:00Z\"", NULL, NULL },
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(starve(&cases[i]) > 8);
}

static void sinks_survive_the_want_of_memory(void **state)
{
    static const struct {
        struct starved starved;
        uint64_t least; /* allocations that fail, at the least */
    } cases[] = {
        { { "console", entry_sink_console, NULL, "\"truncate\": 5", COLUMNS, ROWS }, 8 },
        { { "console as json", entry_sink_console, NULL, "\"format\": \"json\"", COLUMNS, ROWS }, 2 },
        { { "console as csv", entry_sink_console, NULL, "\"format\": \"csv\"", "a string, b double",
            "[[\"t,w\\\"o\", null], [null, 1]]" }, 2 },
        { { "console as text", entry_sink_console, NULL, "\"format\": \"text\"", COLUMNS, ROWS }, 2 },
        { { "null", entry_sink_null, NULL, "\"checksum\": true", COLUMNS, ROWS }, 2 },
        { { "socket", entry_sink_socket, entry_format_csv,
            "\"host\": \"h\", \"port\": 9999, \"header\": true", "a string, b double",
            "[[\"t,w\\\"o\", null], [null, 1]]" }, 4 },
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(starve(&cases[i].starved) >= cases[i].least);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_survive_the_want_of_memory),
        cmocka_unit_test(sinks_survive_the_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
