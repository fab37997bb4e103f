/*
 * cp.h - what checkpoint.c (writing) and recover.c (reading) share.
 */
#ifndef WEIR_CORE_CP_H
#define WEIR_CORE_CP_H

#include "core/run/run.h"

/* A call on the log's thread. */
struct log_work {
    struct weir_task task, done;
    struct run *run;
    struct batch *batch;
    int32_t (*fn)(struct log_work *work, struct weir_error *error);
    int appended; /* the record is in the log's memory: only sync is left */
    int busy;
    int32_t result;
    struct weir_error error;
};

/* One table of one key group: where its newest base is. */
struct cp_group {
    struct plan_node *node;
    uint32_t table, group;
    const char *name;       /* "instance/table" */
    uint64_t base_sequence; /* 0: never captured */
    uint32_t file;          /* least extent file needed; UINT32_MAX: none */
    uint64_t round;         /* the STATE (a count of this run) that held it whole last */
};

struct cp_piece {
    struct plan_node *node;
    uint32_t table, group;
    int base;
    uint64_t at, length; /* in the bytes of the capture */
};

/* A piece of the log, kept until the tables are there. */
struct cp_stored {
    char *table;
    uint32_t group, base;
    uint8_t *bytes; /* NULL: extent */
    uint64_t length;
    struct extent extent;
    uint64_t sequence;
};

struct cp_position {
    char *source, *partition;
    uint8_t *bytes;
    uint64_t length;
    int ended;
};

struct cp_committable {
    char *sink;
    uint64_t batch;
    uint8_t *bytes;
    uint64_t length;
};

struct cp_output { /* STATE names rows that the sink has not finished */
    char *sink;
    struct spooled output;
};

struct cp_dead {
    uint32_t file;
    uint64_t length;
    int64_t time_us;
};

/* Where the log was when a batch was safe: what is behind it is of later batches. */
struct cp_mark {
    uint64_t sequence;
    uint32_t files[5];
};

struct checkpoint {
    struct log *log;
    struct weir_sys *sys;
    struct journal *journal;
    const struct job *job;
    char *job_text;       /* of the job that runs */
    int job_changed;      /* JOB is to be written before the next PLAN */
    int drop_waits;       /* DROP is to be written with the next STATE */
    uint32_t n_drops;     /* names of options.drop that the log has */
    uint64_t seed;
    int64_t zero_us;
    int64_t started_us; /* the first start */
    uint64_t job_sequence;
    uint64_t plan_sequence; /* of the last PLAN */
    uint64_t map_sequence;  /* of the PLAN whose STATE has the newest map of positions */
    uint32_t since_map;
    uint64_t kept_bytes;    /* of all files, when the last ones went */
    int with_map;
    uint32_t output_file;   /* first file of the output spool that is needed; UINT32_MAX: none */
    struct state_work *captured; /* by checkpoint_capture, until its STATE is written */
    struct cp_group *groups; uint32_t n_groups, cursor;
    uint64_t round;
    int64_t owed; /* bytes of the log that no base has paid for yet; < 0: paid in advance */
    char **names; uint32_t n_names;
    struct record_move *forgotten; uint32_t n_forgotten;
    struct cp_dead *dead; uint32_t n_dead;
    int64_t dead_size, dead_age_us;
    struct cp_mark *marks; uint32_t n_marks; /* of the last batches, at most retain_batches */

    /* what was read at opening */
    int has_job;
    char *logged_text;
    struct record_table *tables; uint32_t n_tables;
    uint64_t next_batch;
    int any_batch;
    int64_t last_time_us, watermark_us, previous_watermark_us;
    uint8_t *plan_payload; uint64_t plan_length; uint64_t plan_batch; int has_plan;
    struct record_plan plan; struct record_arena *plan_arena;
    struct cp_position *positions; uint32_t n_positions, positions_capacity;
    struct cp_stored *pieces; uint32_t n_pieces, pieces_capacity;
    struct cp_committable *committables; uint32_t n_committables;
    struct cp_output *outputs; uint32_t n_outputs;
};

void cp_drop_captured(struct checkpoint *cp);
/* tables of the plan and their signatures; FATAL without memory */
/* Whether "instance/table" is of `name`: an instance, or the table itself. */
int cp_belongs(const char *table, const char *name);
/* NULL: there is no table of that name */
const char *cp_signature_of(const struct record_table *tables, uint32_t n, const char *name);
int32_t cp_signatures(struct run *run, struct record_table **out, uint32_t *n);
void cp_signatures_free(struct record_table *tables, uint32_t n);
struct cp_group *cp_group_of(struct checkpoint *cp, const struct plan_node *node, uint32_t table,
                             uint32_t group);
/* By its name "instance/table"; NULL: the job does not have it. */
struct cp_group *cp_group_by_name(struct checkpoint *cp, const char *name, uint32_t group);
int cp_dropped(const struct run *run, const char *table); /* by name, on request */
/* restore.c: state from the pieces; as checkpoint_restore */
int32_t cp_restore_pieces(struct checkpoint *cp, struct run *run, struct weir_error *error);
void cp_note_piece(struct checkpoint *cp, const struct cp_piece *piece, uint64_t sequence,
                   uint32_t file);
void cp_note_dead(struct checkpoint *cp, const struct extent *extent, int64_t time_us);
int32_t cp_note_batch(struct checkpoint *cp); /* its STATE is durable; FATAL without memory */
int32_t cp_retain(struct checkpoint *cp, struct weir_error *error);
/* positions */
void cp_find_forgotten(struct run *run);
void cp_forget(struct run *run);
int32_t cp_take_moves(struct run *run, struct batch *batch); /* readers' committed positions */
int32_t cp_map(struct run *run, struct record_move **out, uint32_t *n);

#endif
