/*
 * log_world.h - a checkpoint on a simulated disk and a process that uses it, for the tests of the
 * log. Each test program includes it once.
 */
#ifndef WEIR_TESTS_LOG_WORLD_H
#define WEIR_TESTS_LOG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* after its needs */
#include <cmocka.h>

#include <unistd.h>

#include "core/data/block.h"
#include "core/log/log.h"
#include "core/log/record.h"
#include "core/sys/sim.h"

#define DIRECTORY "/w/ckpt"
#define START_US INT64_C(1700000000000000)
#define BIG_SEGMENT 0u
#define SMALL_SEGMENT 1024u
#define TEXT(s) ((struct weir_bytes){(const uint8_t *)(s), sizeof(s) - 1})

/* One process on a disk. */
struct world {
    struct sim_disk *disk;
    struct weir_sys *sys;
    struct log *log;
    struct log_report report;
    struct weir_error error;
    uint32_t segment_bytes;
    int read_only;
    const char *job;
    /* what the last opening showed */
    uint32_t n;
    uint64_t sequence[256];
    uint64_t batch[256];
    uint64_t length[256];
    uint32_t crc[256];
};

WEIR_UNUSED
static int32_t keep_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct world *w = arg;

    (void)error;
    assert_true(w->n < 256);
    w->sequence[w->n] = record->sequence;
    w->batch[w->n] = record->batch;
    w->length[w->n] = record->payload.length;
    w->crc[w->n++] = crc32c(0, record->payload.data, record->payload.length);
    return WEIR_OK;
}

WEIR_UNUSED
static int32_t world_open(struct world *w)
{
    struct log_options options = {DIRECTORY, w->job, w->segment_bytes, w->read_only};

    if (!w->sys)
        w->sys = sim_create(w->disk, START_US, 1);
    w->n = 0;
    weir_error_init(&w->error);
    return log_open(w->sys, &options, keep_record, w, &w->log, &w->report, &w->error);
}

WEIR_UNUSED
static void world_close(struct world *w)
{
    log_close(w->log);
    w->log = NULL;
    if (w->sys)
        sys_destroy(w->sys);
    w->sys = NULL;
}

WEIR_UNUSED
static struct world *world_new(uint32_t segment_bytes)
{
    struct world *w = calloc(1, sizeof *w);

    w->disk = sim_disk_create();
    w->segment_bytes = segment_bytes;
    w->job = "job";
    assert_int_equal(world_open(w), WEIR_OK);
    return w;
}

WEIR_UNUSED
static void world_free(struct world *w)
{
    world_close(w);
    sim_disk_destroy(w->disk);
    free(w);
    assert_int_equal(mem_in_use(), 0);
}

/* Closes without a sync and opens again. */
WEIR_UNUSED
static int32_t world_again(struct world *w)
{
    world_close(w);
    return world_open(w);
}

WEIR_UNUSED
static void append(struct world *w, uint64_t batch, const void *bytes, uint64_t n)
{
    assert_int_equal(log_append(w->log, LOG_PLAN, 1, batch, (struct weir_bytes){bytes, n},
                                &w->error), WEIR_OK);
}

WEIR_UNUSED
static void synced(struct world *w)
{
    assert_int_equal(log_sync(w->log, &w->error), WEIR_OK);
}

/* Batches from..until, one record of `length` bytes and one sync each. */
WEIR_UNUSED
static void fill(struct world *w, uint64_t from, uint64_t until, uint64_t length)
{
    uint8_t bytes[4096];

    for (; from <= until; from++) {
        memset(bytes, (int)from, sizeof bytes);
        append(w, from, bytes, length);
        synced(w);
    }
}

/* Changes the disk as no process does; durable at once. */
WEIR_UNUSED
static void put(struct world *w, const char *name, const void *bytes, size_t n)
{
    char path[256];

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    assert_int_equal(sim_disk_put(w->disk, path, bytes, n, START_US), 0);
}

WEIR_UNUSED
static uint8_t *file_copy(struct world *w, const char *name, size_t *n)
{
    char path[256];
    const uint8_t *bytes;
    uint8_t *copy;

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    bytes = sim_disk_file(w->disk, path, n);
    assert_non_null(bytes);
    copy = malloc(*n + 1);
    memcpy(copy, bytes, *n);
    copy[*n] = 0;
    return copy;
}

WEIR_UNUSED
static int exists(struct world *w, const char *name)
{
    char path[256];
    size_t n;

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    return sim_disk_file(w->disk, path, &n) != NULL;
}

WEIR_UNUSED
static void gone(struct world *w, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, DIRECTORY "/%s", name);
    assert_int_equal(sys_unlink(w->sys, path), 0);
}

WEIR_UNUSED
static void snapshot_file(void *arg, const char *path)
{
    uint32_t *crc = arg;

    *crc = crc32c(*crc, path, strlen(path));
}

/* Names and content of all files but the lock. */
WEIR_UNUSED
static uint32_t snapshot(struct world *w)
{
    static const char *const names[] = {"weir.json", "log-00000001", "log-00000002"};
    uint32_t crc = 0, i;

    sim_disk_each(w->disk, "/", snapshot_file, &crc);
    for (i = 0; i < 3; i++) {
        size_t n;
        uint8_t *bytes;

        if (!exists(w, names[i]))
            continue;
        bytes = file_copy(w, names[i], &n);
        crc = crc32c(crc, bytes, n);
        free(bytes);
    }
    return crc;
}

#endif
