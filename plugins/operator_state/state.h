/*
 * state.h - what the operators of this module share: options, lanes, and the state of a key as a
 * function sees it.
 */
#ifndef OPERATOR_STATE_STATE_H
#define OPERATOR_STATE_STATE_H

#include "plugins/lua/batch.h"
#include "plugins/operator_state/faces.h"
#include "plugins/operator_state/fields.h"
#include "plugins/operator_state/grouping.h"

#define BY_MAX 16u
#define FIELDS_MAX 500u
#define NO_TIMEOUT INT64_MAX

enum kind { KIND_UPDATE, KIND_MAPPED, KIND_GROUPED, KIND_STATEFUL };
enum clock { CLOCK_NONE, CLOCK_PROCESSING, CLOCK_EVENT };

/* A key column. */
struct by {
    int32_t input;          /* >= 0: this column of the input */
    struct weir_expr *expr;
    const char *name;       /* valid with the instance */
};

/* State to begin with. */
struct initial {
    struct ArrowSchema schema;
    struct ArrowArray rows;     /* released: none */
    int32_t columns[BY_MAX + FIELDS_MAX]; /* of key and fields: column of `rows`, or -1 */
};

struct state_operator {
    enum kind kind;
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_expr_table *expr;
    const struct weir_combine_table *combine;
    const struct weir_state_table *state;
    struct script script;
    struct by by[BY_MAX];
    uint32_t n_by;
    struct ArrowSchema key;     /* struct of the key columns */
    const struct ArrowSchema *input;
    int32_t time_column;        /* of the input, or -1 */
    struct fields fields;
    struct ArrowSchema output;  /* what the function gives */
    struct initial initial;
    enum clock clock;
    int64_t timeout_us;         /* map_with_state; 0: none */
    int64_t expire_every; /* turns of the input */
    int64_t slide;        /* of the input, in triggers */
    struct collections *collections; /* of `stateful` */
};

/* Columns of the table "state" before the fields. */
#define MAPPED_TOUCHED 0u
#define GROUPED_EXISTS 0u
#define GROUPED_EXPIRES 1u
#define STATEFUL_EXPIRES 0u

/* The state of a key in the call under way. Nothing is written before the call has succeeded. */
struct call {
    uint32_t slot;       /* or NO_SLOT */
    int exists, updated, removed;
    const char *timing_out; /* NULL: not; else the timer's name, or "" */
    int64_t timeout_us;  /* set by this call (stateful: when the value expires), or NO_TIMEOUT */
    const struct ArrowArray *const *keys;
    uint32_t key_row;
    uint32_t rows;       /* first of the grouping, or UINT32_MAX */
    uint32_t n_rows;
    const struct weir_chunk *chunk; /* map_with_state: of its row, else NULL */
    uint32_t row;
};

struct lane {
    const struct state_operator *op;
    struct weir_context *context;
    struct vm *vm;              /* made by the first call */
    int S;                      /* reference */
    struct output out;
    struct fields_lane fields;  /* the state that was taken last, */
    struct fields_lane spare;   /* and where the next is converted */
    struct batch_table batch;
    struct weir_begin begin;
    struct weir_state *state;
    struct grouping grouping;
    struct call call, before;   /* before: as the call began */
    struct ArrowArray keys[BY_MAX];       /* of slots, else released */
    const struct ArrowArray *key_list[BY_MAX];
    uint8_t *initial_groups;    /* per row of the state to begin with */
    uint32_t n_initial;         /* slots 0 … of this group in the first batch */
    uint8_t *called;            /* of them */
    struct weir_output_column *columns; /* combine side: key, input */
    struct ArrowArray *evaluated;
    struct collections_lane *collections; /* of `stateful` */
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
    uint32_t slots[WEIR_CHUNK_TARGET_ROWS];
};

/* ---- bind.c ---- */

int32_t state_create(const struct weir_host *host, struct weir_context *context, void **self,
                     struct weir_error *error);
void state_destroy(void *self);
/* `by`, `lua`, `state`; of all kinds. */
int32_t state_bind_common(struct state_operator *op, const struct weir_operator_bind *in,
                          struct weir_error *error);
/* `timeout`, and that the input has the one event time that it needs; of `group_state` and
 * `stateful`. */
int32_t state_read_clock(struct state_operator *op, const struct weir_operator_bind *in,
                         struct weir_error *error);
/* `output_mode`, which is the job's if it is not given, and whether the two go together; of
 * `group_state` and `stateful`. */
int32_t state_read_mode(const struct state_operator *op, const struct weir_operator_bind *in,
                        struct weir_operator_plan *out, struct weir_error *error);
/* `columns` of the function. */
int32_t state_bind_columns(struct state_operator *op, struct weir_error *error);
/* `initial`. */
int32_t state_bind_initial(struct state_operator *op, struct weir_error *error);
/* The table "state": n columns before the fields. */
int32_t state_declare(struct state_operator *op, const struct weir_table_column *before, uint32_t n,
                      struct weir_error *error);
/* The exchange; and output `k` with the columns of key and state. */
int32_t state_plan_exchange(const struct state_operator *op, struct weir_operator_plan *out,
                            struct weir_error *error);
int32_t state_plan_whole(const struct state_operator *op, struct weir_stream *stream,
                         struct weir_error *error);
int32_t state_plan_output(const struct state_operator *op, struct weir_operator_plan *out,
                          struct weir_error *error);

/* ---- lane.c: functions of weir_operator ---- */

int32_t state_lane_create(void *self, struct weir_context *context, void **lane,
                          struct weir_error *error);
void state_lane_destroy(void *self, void *lane);
int32_t state_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error);
int32_t state_combine(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error);
int32_t state_combine_end(void *self, void *lane, uint32_t input, struct weir_error *error);
/* Keeps the rows until advance; late ones are dropped with a clock of event time. */
int32_t state_collect(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                      struct weir_error *error);

/* Gives key and state of all slots to an output, in slot order. */
int32_t lane_emit_whole(struct lane *lane, uint32_t output, struct weir_error *error);
/* Keys of n slots into lane->keys and lane->key_list. */
int32_t lane_keys(struct lane *lane, const uint32_t *slots, uint32_t n, struct weir_error *error);
void lane_drop_keys(struct lane *lane);

/* ---- call.c ---- */

/* Calls the function with lane->call. *done: it went through, and what it wants is in lane->call. One
 * that fails has its rows rejected; without rows, or where it has changed a list, map or timer before,
 * it ends the batch (DATA). OK; DATA; another class. */
int32_t call_or_reject(struct lane *lane, int *done, struct weir_error *error);
/* At the end of a turn: DATA where a call has changed what outlives it (see vm_settle). */
int32_t call_settle(struct lane *lane, struct weir_error *error);
/* Inside of a body: pushes S, made on first use. */
void call_push_S(struct lane *lane, lua_State *L);
/* The slot of the call's key, made where there is none; announced for writing. OK; FATAL. */
int32_t call_slot(struct lane *lane, struct weir_error *error);

/* Inside of a method of S: takes away the object that S:get() puts first. */
struct lane *call_method(lua_State *L);
void call_add_method(lua_State *L, struct lane *lane, const char *name, lua_CFunction function);
/* Inside of a method: when what is written now expires; milliseconds from now are at `index`, or nil
 * for the option `ttl`. NO_TIMEOUT: never. */
int64_t call_expiry(struct lane *lane, lua_State *L, int index);
/* Makes the table at the top an object whose methods may be called with a colon. */
void call_make_object(lua_State *L);

/* ---- collections.c: lists, maps and timers of `stateful` ---- */

int32_t collections_bind(struct state_operator *op, struct weir_error *error);
void collections_free(struct state_operator *op);
int32_t collections_lane_create(struct lane *lane, struct weir_error *error);
void collections_lane_destroy(struct lane *lane);
void collections_add_methods(struct lane *lane, lua_State *L);
/* Removes what has expired by the time of the batch. */
int32_t collections_expire(struct lane *lane, struct weir_error *error);
/* Timers due by now: their slots in the table of timers, in order; freed by the caller. */
int32_t collections_due(struct lane *lane, int64_t now, uint32_t **slots, uint32_t *n,
                        struct weir_error *error);
/* Takes a due timer: 1 and its key in lane->key_list (row 0) and name in call.timing_out; 0 where it
 * has been set anew or dropped meanwhile. */
int32_t collections_take_timer(struct lane *lane, uint32_t slot, int64_t now, int *taken,
                               const char **name, struct weir_error *error);

#define STATE_FACE(name, create_fn, bind_fn, process_fn, advance_fn)                               \
    .size = sizeof name, .create = create_fn, .destroy = state_destroy, .bind = bind_fn,           \
    .lane_create = state_lane_create, .lane_destroy = state_lane_destroy, .begin = state_begin,    \
    .process = process_fn, .advance = advance_fn, .combine = state_combine,                        \
    .combine_end = state_combine_end

#endif
