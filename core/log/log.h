/*
 * log.h - the checkpoint directory: records in append-only segments, extents, identity, lock and
 * fence.
 *
 *   DIR/weir.json            identity: job name, id, format version, salt; made once
 *   DIR/lock                 OFD lock, and the fence (generation, raised at each open)
 *   DIR/log-<number>         segments of records
 *   DIR/state-<n> spool-<n> output-<n> dead-<n>   extents, named by records with length and CRC
 *
 * A record: length, type, version, sequence number, salt, offset known durable when it was
 * written, payload, CRC (layout in segment.c; golden files). Damage below the greatest durable
 * offset stops the start; above is a torn tail, cut and reported.
 *
 * Threads: log_open, log_close [control]; append, sync, extents on one log thread at a time.
 */
#ifndef WEIR_CORE_LOG_H
#define WEIR_CORE_LOG_H

#include "core/data/array.h"
#include "core/sys/sys.h"

#define LOG_JOB 1u
#define LOG_PLAN 2u
#define LOG_STATE 3u
#define LOG_DONE 4u
#define LOG_DROP 5u /* state, or positions of a source, dropped on request */

#define EXTENT_STATE 1u
#define EXTENT_SPOOL 2u
#define EXTENT_OUTPUT 3u
#define EXTENT_DEAD 4u

struct log;

struct log_record {
    uint32_t type;
    uint32_t version;
    uint64_t sequence;
    uint64_t batch;
    struct weir_bytes payload;
    uint32_t segment;
    uint64_t offset; /* in the segment, for messages */
};

struct extent {
    uint32_t kind;
    uint32_t file; /* number in its name */
    uint64_t offset;
    uint64_t length;
    uint32_t crc; /* CRC-32C of the bytes */
};

/* Called for each valid record in order; another class than OK ends the opening with it. */
typedef int32_t (*log_record_fn)(void *arg, const struct log_record *record,
                                 struct weir_error *error);

struct log_options {
    const char *directory;
    const char *job_name;
    uint32_t segment_bytes;  /* of segments and extent files; 0: 64 MiB */
    int read_only;           /* show, verify, check: no lock, no cut, nothing written */
};

/* What opening found. */
struct log_report {
    uint64_t records;
    uint64_t cut_bytes;      /* torn tail */
    char cut[256];           /* where and why, "" if nothing was cut */
    int created;             /* 1: the directory is new */
};

/* Opens or makes a checkpoint. Errors (exit classes by run): CONFIG: belongs to another job or
 * format is newer, nothing written; RETRY: locked by a living process; DATA: damage, with file
 * and offset; FATAL: I/O. read_only where there is none, but could be made: OK with *out NULL if the
 * job's name was given, else CONFIG. */
int32_t log_open(struct weir_sys *sys, const struct log_options *options, log_record_fn fn,
                 void *arg, struct log **out, struct log_report *report, struct weir_error *error);
void log_close(struct log *log);
const char *log_job_id(const struct log *log);   /* 32 hex digits */

/* Appends a record to the buffer; durable after the next log_sync. The payload is copied. */
int32_t log_append(struct log *log, uint32_t type, uint32_t version, uint64_t batch,
                   struct weir_bytes payload, struct weir_error *error);
/* Writes what was appended and makes it and its extents durable; checks the fence first. A
 * failed fsync is final: every later call fails with FATAL. ENOSPC and EDQUOT give RETRY with
 * nothing lost: what was appended stays in memory and a later call goes on. */
int32_t log_sync(struct log *log, struct weir_error *error);

/* Writes bytes as an extent (into the current file of the kind); durable after log_sync. RETRY
 * when full. */
int32_t log_extent_write(struct log *log, uint32_t kind, struct weir_bytes bytes,
                         struct extent *out, struct weir_error *error);
/* Reads an extent into mem_alloc'ed memory and checks its CRC. */
int32_t log_extent_read(struct log *log, const struct extent *extent, uint8_t **out,
                        struct weir_error *error);

/* Retention. Each segment and extent file is kept while something needs it: `log_need` says,
 * after a sync, the first record sequence needed, and per extent kind the least file number
 * needed (UINT32_MAX: none). Files below go, pointers first; what is being written and the last
 * synced record stay. */
int32_t log_need(struct log *log, uint64_t sequence, const uint32_t least_file[5],
                 struct weir_error *error);
/* Per kind of extent the number of the file that the next one goes into, or a later one. */
void log_extent_files(const struct log *log, uint32_t files[5]);
uint64_t log_last_sequence(const struct log *log);
uint64_t log_bytes(const struct log *log); /* all files of the checkpoint */

/* verify: reads everything (records, and the extents that PLAN and STATE name), prints findings
 * through `say`; returns OK, or DATA where something is damaged. repair: cuts at the first
 * damage after copying the cut bytes aside as log-<n>.cut; says what was lost. */
typedef void (*log_say_fn)(void *arg, const char *line);
int32_t log_verify(struct weir_sys *sys, const char *directory, log_say_fn say, void *arg,
                   struct weir_error *error);
int32_t log_repair(struct weir_sys *sys, const char *directory, log_say_fn say, void *arg,
                   struct weir_error *error);

#endif
