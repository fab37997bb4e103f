/*
 * fake_host.h - one plugin instance with its format, under the real host table and a faked job.
 *
 * Options are read from the same JSON that a job file holds, files and sockets are those of a
 * weir_sys (usually simulated). What the plugin emits and rejects is kept as text.
 */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include <weir/plugin.h>

#include "core/job/job.h"
#include "core/load/context.h"

struct fake {
    struct weir_context context; /* first: the context of the instance is the fake */
    struct job *job;
    struct report report;
    const struct weir_component *component, *format;
    void *self, *format_self, *format_lane;
    uint64_t max_record;
    struct weir_buffer rows;    /* emitted rows, "[…]\n" each */
    struct weir_buffer rejects; /* "code text|record\n" each */
    struct weir_buffer bytes;   /* of a bytes source: what it gave */
    struct weir_buffer head;
    struct weir_buffer counters; /* "name=delta\n" each */
    uint32_t listing;            /* WEIR_PARTITIONS_… of the next listings */
    struct weir_buffer names;    /* partitions of the last listing, "name\n" each */
    uint64_t n_rows, n_rejects, n_emits, n_left_out;
    const char *conjunct; /* that decode is offered, NULL: none */
    int quiet;            /* rows are counted only, counters not kept */
    int64_t wake_after;   /* the last one asked for, -1: none */
    uint32_t wakes;
    uint32_t is_cancelled;
    struct ArrowSchema schema; /* of decode, or of a columns source */
    uint32_t has_head;
    struct ArrowSchema encode_schema;
    uint8_t position[WEIR_POSITION_MAX]; /* of fake_read */
    uint64_t position_length;
    uint32_t flags; /* of the last next */
    struct weir_error error;
};

/* The entry of a module that is linked in under another name. */
typedef const struct weir_plugin *(*fake_entry_fn)(const struct weir_host *, struct weir_error *);

/* Creates component 0 of `entry` with `options` (JSON members, "\"a\": 1"), and the format of
 * `format_entry` (NULL: none). The class of create, or CONFIG where an option was wrong;
 * fake_destroy is due in any case. */
int32_t fake_create(struct fake *fake, struct weir_sys *sys, fake_entry_fn entry,
                    fake_entry_fn format_entry, const char *options);
void fake_destroy(struct fake *fake);
void fake_forget(struct fake *fake); /* rows, rejects, bytes, counters */

const char *fake_text(struct weir_buffer *buffer); /* NUL-terminated */
#define fake_rows(f) fake_text(&(f)->rows)
#define fake_rejects(f) fake_text(&(f)->rejects)

/* ---- formats (component 0 is the format) ---- */

/* bind_decode with the option `columns`; wanted NULL: all, else a NULL-terminated list. */
int32_t fake_bind_decode(struct fake *fake, const char *const *wanted, int null_on_error);
/* Frames and decodes a whole partition that arrives in pieces of `piece` bytes. */
int32_t fake_decode(struct fake *fake, const void *bytes, uint64_t n, uint64_t piece,
                    uint64_t max_records);
/* Encodes rows (JSON) of `ddl` with head and tail; the text is in fake->bytes. */
int32_t fake_encode(struct fake *fake, const char *ddl, const char *rows);

/* ---- sources ---- */

int32_t fake_bind_source(struct fake *fake); /* bind, bind_decode of the format, open */
int32_t fake_partitions(struct fake *fake, int64_t batch_time_us);
/* One `next` from fake->position (which is moved on); rows go through the format, if there is one. */
int32_t fake_next(struct fake *fake, const char *partition, uint64_t batch, uint64_t max_rows);
int32_t fake_replay(struct fake *fake, const char *partition, uint64_t batch,
                    struct weir_bytes until);

/* ---- sinks ---- */

int32_t fake_bind_sink(struct fake *fake, const char *ddl, uint32_t form);
int32_t fake_open_sink(struct fake *fake, const char *job_id);
/* Rows as JSON, written as a chunk of that partition. */
int32_t fake_write(struct fake *fake, uint64_t batch, uint32_t partition, const char *rows);
int32_t fake_begin(struct fake *fake, uint64_t batch, int64_t time_us, uint32_t partitions);

#endif
