/*
 * record.h - payloads of JOB, PLAN, STATE, DONE and DROP: structs, encoding, decoding. Version 1 of
 * each stands in record.c beside the code, with golden files. Numbers are little-endian varints,
 * text is length-prefixed.
 *
 * A decoded record points into the payload and into one arena: free with record_free.
 */
#ifndef WEIR_CORE_RECORD_H
#define WEIR_CORE_RECORD_H

#include "core/log/log.h"

#define RECORD_VERSION 1u /* of all payloads, for log_append */

struct record_module { const char *name; const char *hash; }; /* sha256 hex */
struct record_table { const char *name; const char *signature; }; /* "instance/table" */

struct record_job {
    const char *text;       /* canonical job JSON, secrets as references */
    uint64_t hash_seed;
    int64_t zero_us;        /* origin of the grid; INT64_MIN: not a ticking job */
    int64_t started_us;     /* the first start */
    const char *weir_version;
    uint32_t n_modules; struct record_module *modules;
    uint32_t n_tables; struct record_table *tables;
};

/* A partition that moved in a batch. */
struct record_move {
    const char *source;
    const char *partition;
    struct weir_bytes from, until;
    uint64_t rows, bytes;
    uint32_t ended;
    uint32_t n_spool; struct extent *spool; /* blocks, in order */
};

struct record_plan {
    int64_t time_us;
    int64_t late_us;                      /* W(n-1), global */
    uint32_t n_absent; const char **absent; /* sources without a dataset */
    uint32_t n_moves; struct record_move *moves;
    uint32_t n_forgotten; struct record_move *forgotten; /* dropped from the map: names only */
};

#define SINK_FINISHED 1u
#define SINK_COMMITTABLE 2u
#define SINK_SPOOLED 3u
#define SINK_DETACHED 4u

struct record_sink {
    const char *name;
    uint32_t outcome;
    uint64_t rows;
    struct weir_bytes committable;
    uint32_t n_output; struct extent *output; /* spooled rows, weir.block/1 */
};

struct record_piece {
    const char *table; /* "instance/table" */
    uint32_t group;
    uint32_t base;
    struct weir_bytes bytes; /* inline (<= 64 KiB), or data NULL and: */
    struct extent extent;
};

struct record_watermark { const char *node; int64_t us; };

struct record_state {
    int64_t watermark_us;                 /* W(n+1), global */
    int64_t late_us;                      /* W(n), which rows of batch n+1 are late by */
    uint32_t n_watermarks; struct record_watermark *watermarks;
    uint32_t n_sinks; struct record_sink *sinks;
    uint32_t n_pieces; struct record_piece *pieces;
    uint32_t has_map;                     /* 1: `map` is the full position map (a base of it) */
    uint32_t n_map; struct record_move *map; /* source, partition, until, ended */
    uint64_t dead_letters;                /* rows dead-lettered in this batch */
    uint32_t n_dead; struct extent *dead; /* weir.block/1 of dead letters */
};

struct record_done { const char *sink; };
struct record_drop { const char *name; }; /* operator, "operator/table" or source */

struct record_arena;
int32_t record_job_encode(const struct record_job *job, struct weir_buffer *out);
int32_t record_plan_encode(const struct record_plan *plan, struct weir_buffer *out);
int32_t record_state_encode(const struct record_state *state, struct weir_buffer *out);
int32_t record_done_encode(const struct record_done *done, struct weir_buffer *out);
int32_t record_drop_encode(const struct record_drop *drop, struct weir_buffer *out);
/* DATA for anything malformed; *arena owns what `out` points to beside the payload. */
int32_t record_job_decode(struct weir_bytes payload, struct record_job *out,
                          struct record_arena **arena, struct weir_error *error);
int32_t record_plan_decode(struct weir_bytes payload, struct record_plan *out,
                           struct record_arena **arena, struct weir_error *error);
int32_t record_state_decode(struct weir_bytes payload, struct record_state *out,
                            struct record_arena **arena, struct weir_error *error);
int32_t record_done_decode(struct weir_bytes payload, struct record_done *out,
                           struct record_arena **arena, struct weir_error *error);
int32_t record_drop_decode(struct weir_bytes payload, struct record_drop *out,
                           struct record_arena **arena, struct weir_error *error);
void record_free(struct record_arena *arena);

#endif
