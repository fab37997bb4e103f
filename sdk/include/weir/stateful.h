/*
 * weir/stateful.h - a state function in C: per key one record of state, on the host's tables.
 *
 *     static int32_t update(struct weir_stateful_row *r, struct weir_error *error)
 *     {
 *         int64_t *total = weir_stateful_int(r, 0);
 *         if (weir_row_null(&r->row, 1)) return weir_fail(error, WEIR_DATA, "amount is null");
 *         *total += weir_row_int(&r->row, 1);
 *         weir_row_put_text(&r->row, 0, weir_row_text(&r->row, 0));
 *         weir_row_put_int(&r->row, 1, *total);
 *         return weir_row_emit(&r->row, error);
 *     }
 *     static const struct weir_stateful totals = {
 *         { "user string, amount bigint", "user string, total bigint", 0, 0 },
 *         1, "total bigint", update, 1 };
 *     WEIR_STATEFUL(totals_table, totals)
 *
 * The first `n_key` columns of `inputs` are the key; rows of a key come in order. State is zero for
 * a new key, is written with the batch and survives restarts and other numbers of workers. A row
 * that `update` rejects (WEIR_DATA) leaves no trace in it: record, timer and number of rows are as
 * before, a key that it began is not there, one that it removed stays. (Rows that it had emitted
 * stay; so check first.) Behind a row that removed its key the next one of that key, also in the
 * same batch, begins with fresh state.
 *
 * With WEIR_STATEFUL_WITH there may be more calls than those for rows (struct weir_stateful_more):
 * one for each key at the end of a batch, also without rows, and one for each key whose timer is
 * due. In these there is no row: the key is read by weir_stateful_key_int and
 * weir_stateful_key_text.
 *
 *     static int32_t gone(struct weir_stateful_row *r, struct weir_error *error)
 *     {
 *         weir_row_put_text(&r->row, 0, weir_stateful_key_text(r, 0));
 *         weir_row_put_int(&r->row, 1, -1);
 *         return weir_row_emit(&r->row, error) == WEIR_OK ? weir_stateful_remove(r) : WEIR_FATAL;
 *     }
 *     static const struct weir_stateful_more timeouts = { sizeof timeouts, 0, WEIR_CLOCK_BATCH, 0,
 *                                                         NULL, gone };
 *     WEIR_STATEFUL_WITH(totals_table, totals, timeouts)  // update calls weir_stateful_timer
 *
 * A module is compiled with -fvisibility=hidden, for the table is no static one: other files of the
 * module may name it. examples/state has an operator of each kind.
 */
#ifndef WEIR_STATEFUL_H
#define WEIR_STATEFUL_H

#include <weir/row.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_stateful_row;

struct weir_stateful {
    struct weir_row_operator rows; /* inputs and outputs; `row` is unused */
    uint32_t n_key;                /* leading columns of inputs that are the key; 1 to 16 */
    const char *state;             /* DDL of the record; fixed-width types, at most 32 */

    /* Purpose: one row of a key whose record is at hand: any number of rows out, by weir_row_put_…
     *   and weir_row_emit on &row->row.
     * Thread and state: [worker], inside process; key groups run at the same time, each with a
     *   `row` of its own.
     * Ownership: `row`, its cells and its record are borrowed during the call.
     * Returns: OK; DATA with a text about the row; the class of weir_row_emit or
     *   weir_stateful_timer; FATAL.
     * On failure: DATA rejects the row, as on_error says, and the key's state is as before it
     *   (rows that it had ended stay); with others the host ends the batch and takes its state
     *   back. */
    int32_t (*update)(struct weir_stateful_row *row, struct weir_error *error);
    uint32_t version;              /* of the meaning of the state */
};

#define WEIR_STATEFUL_EVERY_KEY 1u  /* `end` for all keys, in every tick of a ticking job */
#define WEIR_STATEFUL_ROW_KEYS 2u   /* `end` for the keys that had rows */

#define WEIR_CLOCK_NONE 0u
#define WEIR_CLOCK_BATCH 1u         /* timers go by the time of the batch */
#define WEIR_CLOCK_WATERMARK 2u     /* by the watermark of the input, which must have one */

struct weir_stateful_more {
    uint32_t size;
    uint32_t flags;                 /* WEIR_STATEFUL_… */
    uint32_t clock;                 /* WEIR_CLOCK_… */
    uint32_t reserved;

    /* Purpose: after the rows of the batch, for a key; weir_stateful_rows tells how many it had.
     *   Optional: NULL.
     * Thread and state: [worker], inside advance; key groups at the same time, keys of a group in
     *   the order of their slots.
     * Ownership: `row`, its key and its record are borrowed during the call; there are no input
     *   cells.
     * Returns: OK; the class of weir_row_emit or weir_stateful_timer; FATAL.
     * On failure: the host ends the batch, with DATA too (there is no row to reject), and takes
     *   its state back. */
    int32_t (*end)(struct weir_stateful_row *row, struct weir_error *error);

    /* Purpose: after these, for a key whose timer is at or before now, in order of (time, slot).
     *   The timer is cleared before. Optional: NULL.
     * Thread, ownership, returns, failure: as end. */
    int32_t (*timeout)(struct weir_stateful_row *row, struct weir_error *error);
};

struct weir_stateful_self {
    struct weir_row_self row; /* first: the row functions see it */
    const struct weir_stateful *spec;
    const struct weir_state_table *table;
    struct ArrowSchema key, state;
    uint32_t number;
    const struct weir_stateful_more *more; /* NULL: rows only */
};

struct weir_stateful_row {
    struct weir_row row; /* first: the lane */
    struct weir_state *state;
    struct weir_view views[WEIR_ROW_COLUMNS];
    uint32_t *slots;           /* per row of the chunk, and behind them `found` */
    uint32_t capacity;
    uint32_t slot;
    uint32_t remove;           /* 1: this call removes the key, once it has returned OK */
    uint32_t stale;            /* 1: keys went since the slots of the chunk were looked up */
    int64_t newest;            /* greatest slot of a new key that had its first row; -1: none */
    uint64_t batch;
    int64_t watermark_us;      /* W(n), or WEIR_WATERMARK_NONE */
    int64_t not_before;        /* of timers set while one fires; else INT64_MIN */
    struct ArrowArray keys[WEIR_ROW_COLUMNS]; /* of the slot, in end and timeout; else released */
};

/* The state of a key as it was before a row. */
struct weir_stateful_before {
    uint32_t fresh;            /* 1: the row began the key */
    uint8_t cells[WEIR_ROW_COLUMNS][8];
    int64_t hidden[3];
};

/* Purpose: internal. Cell c behind those of the author: 0 and 1 batch and number of rows of the
 *   last batch with rows, 2 the timer (written by set_timer only). With WEIR_STATEFUL_WITH.
 * Thread and state: [worker], between begin and advance.
 * Ownership: the table's; valid until the next insert into it.
 * Returns: the place of an int64.
 * On failure: can't fail. */
static inline uint8_t *weir_stateful_hidden(struct weir_stateful_row *r, uint32_t c)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)(void *)r->row.self;
    struct weir_view view =
        s->table->column(r->state, s->number, (uint32_t)s->state.n_children + c);
    return view.base + (uint64_t)r->slot * view.stride;
}

/* Purpose: rows that the key had in this batch so far, this one included, rejected ones not; since
 *   it was removed, where it was. With WEIR_STATEFUL_WITH.
 * Thread and state: [worker], inside `update`, `end` or `timeout`.
 * Ownership: none.
 * Returns: the number.
 * On failure: can't fail. */
static inline int64_t weir_stateful_rows(struct weir_stateful_row *r)
{
    if (*(int64_t *)(void *)weir_stateful_hidden(r, 0) != (int64_t)r->batch + 1) return 0;
    return *(int64_t *)(void *)weir_stateful_hidden(r, 1);
}

/* Purpose: sets the timer of the key (microseconds since the epoch; INT64_MAX: none); it fires when
 *   `at_us` is at or before now. One that is set while a timer fires does so in a later batch. With
 *   WEIR_STATEFUL_WITH and a clock.
 * Thread and state: [worker], inside `update`, `end` or `timeout`.
 * Ownership: none.
 * Returns: OK; FATAL without memory.
 * On failure: the caller returns the class; the host ends the batch. */
static inline int32_t weir_stateful_timer(struct weir_stateful_row *r, int64_t at_us)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)(void *)r->row.self;
    return s->table->set_timer(r->state, s->number, (uint32_t)s->state.n_children + 2, r->slot,
                               at_us < r->not_before ? r->not_before : at_us);
}

/* Purpose: key column c: weir_stateful_key_null is it null; weir_stateful_key_int its value, of a
 *   bool (0 or 1), int32, int64, date (days) or timestamp (microseconds UTC);
 *   weir_stateful_key_text its bytes, of text or binary. These three share this contract.
 * Thread and state: [worker], inside `end` or `timeout` only (`update` reads the row); c < n_key,
 *   of a type named above.
 * Ownership: the bytes are borrowed, valid during the call; other values are copies.
 * Returns: the value; of a null it means nothing.
 * On failure: can't fail. */
static inline int weir_stateful_key_null(const struct weir_stateful_row *r, uint32_t c)
{
    return weir_is_null(&r->keys[c], 0);
}

static inline int64_t weir_stateful_key_int(const struct weir_stateful_row *r, uint32_t c)
{
    const struct weir_stateful_self *s =
        (const struct weir_stateful_self *)(const void *)r->row.self;
    switch (weir_type_of(s->key.children[c])) {
    case WEIR_TYPE_BOOL: return weir_get_bool(&r->keys[c], 0);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return weir_get_int32(&r->keys[c], 0);
    default: return weir_get_int64(&r->keys[c], 0);
    }
}

static inline struct weir_bytes weir_stateful_key_text(const struct weir_stateful_row *r,
                                                       uint32_t c)
{
    return weir_get_bytes(&r->keys[c], 0);
}

/* Purpose: cell c of the key's record, to read and to write: weir_stateful_int for int64 and
 *   timestamp (microseconds UTC), weir_stateful_float for float64. The two share this contract.
 * Thread and state: [worker], inside `update`, `end` or `timeout`; c is a column of `state` of such
 *   a type.
 * Ownership: the table's; valid until the call returns.
 * Returns: the place of the cell; zero in a new record.
 * On failure: can't fail. */
static inline int64_t *weir_stateful_int(struct weir_stateful_row *r, uint32_t c)
{
    return (int64_t *)(void *)(r->views[c].base + (uint64_t)r->slot * r->views[c].stride);
}

static inline double *weir_stateful_float(struct weir_stateful_row *r, uint32_t c)
{
    return (double *)(void *)(r->views[c].base + (uint64_t)r->slot * r->views[c].stride);
}

/* Purpose: drops the key's state when the call has returned OK; until then the record is readable.
 *   The next row of the key begins with fresh state.
 * Thread and state: [worker], inside `update`, `end` or `timeout`.
 * Ownership: none.
 * Returns: OK, so that it can be the last word of the call.
 * On failure: can't fail. */
static inline int32_t weir_stateful_remove(struct weir_stateful_row *r)
{
    r->remove = 1;
    return WEIR_OK;
}

/* Purpose: internal. Bytes of a cell of the record.
 * Thread and state: [any].
 * Ownership: the schema is borrowed.
 * Returns: 1, 4 or 8; 0 for a type that a record can't have.
 * On failure: can't fail. */
static inline uint32_t weir_stateful_width(const struct ArrowSchema *column)
{
    switch (weir_type_of(column)) {
    case WEIR_TYPE_BOOL: return 1;
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return 4;
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_FLOAT64:
    case WEIR_TYPE_TIMESTAMP: return 8;
    default: return 0;
    }
}

/* Purpose: internal. Is the spec one that the adapter can serve?
 * Thread and state: [control], inside create.
 * Ownership: borrowed.
 * Returns: OK; FATAL with what is wrong.
 * On failure: create returns the class. */
WEIR_UNUSED static int32_t weir_stateful_check(const struct weir_stateful_self *s,
                                               struct weir_error *error)
{
    int64_t c;
    if (s->spec->n_key < 1 || s->spec->n_key > 16 ||
        s->spec->n_key > (uint64_t)s->row.inputs.n_children)
        return weir_fail(error, WEIR_FATAL, "a state function has 1 to 16 key columns, which begin "
                         "its inputs");
    if (s->state.n_children > WEIR_ROW_COLUMNS)
        return weir_fail(error, WEIR_FATAL,
                         "the record of a state function has at most 32 columns");
    for (c = 0; c < s->state.n_children; c++)
        if (weir_stateful_width(s->state.children[c]) == 0)
            return weir_fail(error, WEIR_FATAL, "column \"%s\" of the record is of no fixed width",
                             s->state.children[c]->name);
    return WEIR_OK;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.create, for the function that
 *   `spec` (constant, valid for ever) describes; UNSUPPORTED where the host lacks weir.data/1 or
 *   weir.state/1. */
WEIR_UNUSED static int32_t weir_stateful_create(const struct weir_stateful *spec,
                                                const struct weir_host *host,
                                                struct weir_context *context, void **self,
                                                struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)host->alloc(sizeof *s);
    void *inner = NULL;
    int32_t result;
    *self = s;
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(s, 0, sizeof *s);
    result = weir_row_create(&spec->rows, host, context, &inner, error);
    if (inner) memcpy(&s->row, inner, sizeof s->row);
    host->free(inner); /* its members moved to s */
    s->row.host = host;
    s->spec = spec;
    if (result != WEIR_OK) return result;
    s->table = (const struct weir_state_table *)host->get_interface(WEIR_STATE_ID);
    if (!s->table) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_STATE_ID);
    result = s->row.data_table->schema_parse(spec->state, &s->state, error);
    return result == WEIR_OK ? weir_stateful_check(s, error) : result;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.destroy. */
WEIR_UNUSED static void weir_stateful_destroy(void *self)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    if (!s) return;
    if (s->key.release) s->key.release(&s->key);
    if (s->state.release) s->state.release(&s->state);
    weir_row_destroy(self);
}

/* Purpose: internal. What WEIR_STATEFUL_WITH adds to bind: three columns behind the author's, and
 *   flags.
 * Thread and state: [control], inside bind.
 * Ownership: borrowed; `columns` has room for three, names are constants.
 * Returns: OK; CONFIG where timers go by a watermark and there is none.
 * On failure: bind returns the class. */
WEIR_UNUSED static int32_t weir_stateful_bind_more(struct weir_stateful_self *s,
                                                   const struct weir_operator_bind *in,
                                                   struct weir_operator_plan *out,
                                                   struct weir_table_column *columns,
                                                   struct weir_error *error)
{
    static const char *const names[] = { "last batch", "last rows", "timer" };
    uint32_t c;
    if (s->more->clock == WEIR_CLOCK_WATERMARK && !in->inputs[0].watermarked)
        return weir_fail(error, WEIR_CONFIG, "the input has no watermark, and timers go by it");
    for (c = 0; c < 3; c++) {
        columns[c].name = names[c];
        columns[c].type = c < 2 ? WEIR_TYPE_INT64 : WEIR_TYPE_TIMESTAMP;
    }
    columns[2].flags = WEIR_COLUMN_TIMER;
    if (s->more->clock == WEIR_CLOCK_WATERMARK) columns[2].flags |= WEIR_COLUMN_EVENT_TIME;
    else out->flags |= WEIR_PLAN_TIMELESS;
    if (s->more->flags & WEIR_STATEFUL_EVERY_KEY)
        out->flags |= WEIR_PLAN_TICKING | WEIR_PLAN_ALL_GROUPS;
    return WEIR_OK;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.bind; one input, one output,
 *   one table. */
WEIR_UNUSED static int32_t weir_stateful_bind(void *self, const struct weir_operator_bind *in,
                                              struct weir_operator_plan *out,
                                              struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    const struct weir_data *d = s->row.data_table;
    struct weir_table_column columns[WEIR_ROW_COLUMNS + 3];
    struct weir_table_spec spec;
    uint32_t c;
    int32_t result = weir_row_bind(self, in, out, error);
    if (result != WEIR_OK) return result;
    memset(columns, 0, sizeof columns);
    memset(&spec, 0, sizeof spec);
    result = d->schema_struct(s->spec->n_key, &s->key, error);
    for (c = 0; c < s->spec->n_key && result == WEIR_OK; c++) {
        result = d->schema_set(&s->key, c, s->row.inputs.children[c]->name,
                               weir_type_of(s->row.inputs.children[c]), error);
        out->distribution[0].columns[c] = (uint32_t)s->row.columns[c];
    }
    if (result != WEIR_OK) return result;
    for (c = 0; c < (uint32_t)s->state.n_children; c++) {
        columns[c].name = s->state.children[c]->name;
        columns[c].type = weir_type_of(s->state.children[c]);
    }
    out->distribution[0].kind = WEIR_DISTRIBUTE_HASHED;
    out->distribution[0].n_columns = s->spec->n_key;
    spec.size = (uint32_t)sizeof spec;
    spec.kind = WEIR_TABLE;
    spec.name = "state";
    spec.key = &s->key;
    spec.n_distribution = s->spec->n_key;
    spec.n_columns = (uint32_t)s->state.n_children;
    if (s->more) {
        result = weir_stateful_bind_more(s, in, out, &columns[spec.n_columns], error);
        if (result != WEIR_OK) return result;
        spec.n_columns += 3;
    }
    spec.columns = columns;
    spec.version = s->spec->version;
    spec.signature = "";
    return s->table->declare(s->row.context, &spec, &s->number, error);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.lane_create. */
WEIR_UNUSED static int32_t weir_stateful_lane(void *self, struct weir_context *context, void **lane,
                                              struct weir_error *error)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)s->host->alloc(sizeof *r);
    *lane = r;
    if (!r) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(r, 0, sizeof *r);
    r->row.self = s;
    r->row.context = context;
    return s->data_table->builder_create(&s->outputs, &r->row.builder, error);
}

/* Purpose: internal. Releases the key that `end` and `timeout` read.
 * Thread and state: [worker], or [control] inside lane_destroy.
 * Ownership: r->keys are invalid afterwards.
 * Returns: nothing.
 * On failure: can't fail. */
WEIR_UNUSED static void weir_stateful_drop_keys(struct weir_stateful_row *r)
{
    uint32_t c;
    for (c = 0; c < WEIR_ROW_COLUMNS; c++)
        if (r->keys[c].release) r->keys[c].release(&r->keys[c]);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.lane_destroy. */
WEIR_UNUSED static void weir_stateful_lane_end(void *self, void *lane)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)lane;
    if (!r) return;
    weir_stateful_drop_keys(r);
    s->host->free(r->slots);
    weir_row_lane_end(self, lane);
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.begin; always OK. */
WEIR_UNUSED static int32_t weir_stateful_begin(void *self, void *lane, const struct weir_begin *in,
                                               struct weir_error *error)
{
    ((struct weir_stateful_row *)lane)->state = in->state;
    ((struct weir_stateful_row *)lane)->batch = in->batch;
    ((struct weir_stateful_row *)lane)->watermark_us = in->evict_us;
    ((struct weir_stateful_row *)lane)->not_before = INT64_MIN;
    return weir_row_begin(self, lane, in, error);
}

/* Purpose: internal. Fetches the views of the author's columns anew, after what ends views.
 * Thread and state: [worker], between begin and advance.
 * Ownership: valid until the next insert into the table.
 * Returns: nothing.
 * On failure: can't fail. */
WEIR_UNUSED static void weir_stateful_views(struct weir_stateful_self *s,
                                            struct weir_stateful_row *r)
{
    uint32_t c;
    for (c = 0; c < (uint32_t)s->state.n_children; c++)
        r->views[c] = s->table->column(r->state, s->number, c);
}

/* Purpose: internal. Slots of the rows of a chunk, announced for writing; behind them what there
 *   was before (NO_SLOT: a new key).
 * Thread and state: [worker], inside process.
 * Ownership: the chunk is borrowed; the slots are the lane's until the next chunk.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_slots(struct weir_stateful_self *s,
                                               struct weir_stateful_row *r,
                                               const struct weir_chunk *chunk,
                                               struct weir_error *error)
{
    const struct ArrowArray *keys[WEIR_ROW_COLUMNS];
    uint32_t *found, c, i, missing = 0, n = chunk->selected;
    int32_t result = WEIR_OK;
    r->stale = 0;
    r->newest = -1;
    if (r->capacity < n) {
        s->row.host->free(r->slots);
        r->capacity = 0;
        r->slots = (uint32_t *)s->row.host->alloc((uint64_t)n * 8);
        if (!r->slots) return weir_fail(error, WEIR_FATAL, "out of memory");
        r->capacity = n;
    }
    found = r->slots + r->capacity;
    for (c = 0; c < s->spec->n_key; c++) keys[c] = chunk->array->children[s->row.columns[c]];
    s->table->lookup(r->state, s->number, keys, chunk->hash, chunk->selection, n, found);
    for (i = 0; i < n; i++) missing |= found[i] == WEIR_NO_SLOT;
    if (missing) {
        result = s->table->lookup_or_insert(r->state, s->number, keys, chunk->hash,
                                            chunk->selection, n, r->slots, error);
    } else if (n) {
        memcpy(r->slots, found, (uint64_t)n * sizeof *found);
        if (s->table->touch(r->state, s->number, found, n) != WEIR_OK)
            result = weir_fail(error, WEIR_FATAL, "out of memory");
    }
    weir_stateful_views(s, r);
    return result;
}

/* Purpose: internal. The slot of a row whose key went since the slots of the chunk were looked up.
 * Thread and state: [worker], inside process.
 * Ownership: *fresh is the caller's: 1 where this row begins the key.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_again(struct weir_stateful_self *s,
                                               struct weir_stateful_row *r, uint32_t *fresh,
                                               struct weir_error *error)
{
    const struct weir_chunk *chunk = r->row.chunk;
    const struct ArrowArray *keys[WEIR_ROW_COLUMNS];
    uint32_t c, found;
    int32_t result;
    for (c = 0; c < s->spec->n_key; c++) keys[c] = chunk->array->children[s->row.columns[c]];
    s->table->lookup(r->state, s->number, keys, chunk->hash, &r->row.number, 1, &found);
    *fresh = found == WEIR_NO_SLOT; /* else an earlier row of the chunk began it again */
    result = s->table->lookup_or_insert(r->state, s->number, keys, chunk->hash, &r->row.number, 1,
                                        &r->slot, error);
    weir_stateful_views(s, r);
    return result;
}

/* Purpose: internal. Finds the key of row i of the chunk, and keeps its state as it is. New keys of
 *   a chunk have ascending slots in order of arrival, so a row is the first of its key where it has
 *   a greater one.
 * Thread and state: [worker], inside process.
 * Ownership: `before` is the caller's.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_enter(struct weir_stateful_self *s,
                                               struct weir_stateful_row *r, uint32_t i,
                                               struct weir_stateful_before *before,
                                               struct weir_error *error)
{
    int32_t result = WEIR_OK;
    uint32_t c;
    r->row.number = weir_row(r->row.chunk, i);
    r->slot = r->slots[i];
    r->remove = 0;
    before->fresh = r->slots[r->capacity + i] == WEIR_NO_SLOT && r->slot > r->newest;
    if (before->fresh) r->newest = r->slot;
    if (r->stale && s->table->next(r->state, s->number, r->slot) != r->slot)
        result = weir_stateful_again(s, r, &before->fresh, error);
    if (result != WEIR_OK || before->fresh) return result;
    for (c = 0; c < (uint32_t)s->state.n_children; c++)
        memcpy(before->cells[c], r->views[c].base + (uint64_t)r->slot * r->views[c].stride,
               weir_stateful_width(s->state.children[c]));
    for (c = 0; c < 3 && s->more; c++)
        before->hidden[c] = *(int64_t *)(void *)weir_stateful_hidden(r, c);
    return WEIR_OK;
}

/* Purpose: internal. Takes the key's slot from it.
 * Thread and state: [worker], inside process or advance.
 * Ownership: none; the cells are readable until the batch ends.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_gone(struct weir_stateful_self *s,
                                              struct weir_stateful_row *r, struct weir_error *error)
{
    r->stale = 1;
    return s->table->remove(r->state, s->number, &r->slot, 1) == WEIR_OK
               ? WEIR_OK
               : weir_fail(error, WEIR_FATAL, "out of memory");
}

/* Purpose: internal. The row was rejected: the key's state as it was before it.
 * Thread and state: [worker], inside process.
 * Ownership: `before` is borrowed.
 * Returns: OK; FATAL without memory.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_back(struct weir_stateful_self *s,
                                              struct weir_stateful_row *r,
                                              const struct weir_stateful_before *before,
                                              struct weir_error *error)
{
    uint32_t c;
    if (before->fresh) return weir_stateful_gone(s, r, error);
    for (c = 0; c < (uint32_t)s->state.n_children; c++)
        memcpy(r->views[c].base + (uint64_t)r->slot * r->views[c].stride, before->cells[c],
               weir_stateful_width(s->state.children[c]));
    if (!s->more) return WEIR_OK;
    for (c = 0; c < 2; c++)
        *(int64_t *)(void *)weir_stateful_hidden(r, c) = before->hidden[c];
    if (*(int64_t *)(void *)weir_stateful_hidden(r, 2) == before->hidden[2]) return WEIR_OK;
    return s->table->set_timer(r->state, s->number, (uint32_t)s->state.n_children + 2, r->slot,
                               before->hidden[2]) == WEIR_OK
               ? WEIR_OK
               : weir_fail(error, WEIR_FATAL, "out of memory");
}

/* Purpose: internal. Counts a row of the key, for weir_stateful_rows.
 * Thread and state: [worker], inside process.
 * Ownership: none.
 * Returns: nothing.
 * On failure: can't fail. */
WEIR_UNUSED static void weir_stateful_count(struct weir_stateful_row *r)
{
    int64_t rows = weir_stateful_rows(r);
    *(int64_t *)(void *)weir_stateful_hidden(r, 0) = (int64_t)r->batch + 1;
    *(int64_t *)(void *)weir_stateful_hidden(r, 1) = rows + 1;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.process; calls `update` for
 *   each selected row. */
WEIR_UNUSED static int32_t weir_stateful_process(void *self, void *lane, uint32_t input,
                                                 const struct weir_chunk *chunk,
                                                 struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)lane;
    struct weir_stateful_before before;
    uint32_t i;
    int32_t result = weir_stateful_slots(s, r, chunk, error);
    (void)input;
    r->row.chunk = chunk;
    for (i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        struct weir_error bad;
        result = weir_stateful_enter(s, r, i, &before, error);
        if (result != WEIR_OK) return result;
        if (s->more) weir_stateful_count(r);
        weir_error_init(&bad);
        result = s->spec->update(r, &bad);
        if (result == WEIR_DATA) {
            result = weir_stateful_back(s, r, &before, error);
            if (result == WEIR_OK)
                result = s->row.host->reject(r->row.context, chunk, r->row.number,
                                             WEIR_REJECT_OPERATOR, bad.text, error);
        } else if (result != WEIR_OK) {
            weir_fail(error, result, "%s", bad.text);
        } else if (r->remove) {
            result = weir_stateful_gone(s, r, error);
        }
        if (result == WEIR_OK) result = weir_row_settle(&r->row, error);
    }
    return result == WEIR_OK ? weir_row_flush(&r->row, error) : result;
}

/* Purpose: internal. Calls `function` for the key of r->slot, whose record it announces for
 *   writing.
 * Thread and state: [worker], inside advance.
 * Ownership: r->keys are the lane's, for that key.
 * Returns: OK; FATAL without memory; the class of `function`.
 * On failure: the host ends the batch. */
WEIR_UNUSED static int32_t weir_stateful_call(struct weir_stateful_self *s,
                                              struct weir_stateful_row *r,
                                              int32_t (*function)(struct weir_stateful_row *,
                                                                  struct weir_error *),
                                              struct weir_error *error)
{
    uint32_t c;
    int32_t result = s->table->touch(r->state, s->number, &r->slot, 1);
    weir_stateful_drop_keys(r);
    for (c = 0; c < s->spec->n_key && result == WEIR_OK; c++)
        result = s->table->keys(r->state, s->number, c, &r->slot, 1, &r->keys[c], error);
    weir_stateful_views(s, r);
    if (result != WEIR_OK) return weir_fail(error, result, "out of memory");
    r->remove = 0;
    result = function(r, error);
    if (result == WEIR_OK && r->remove) result = weir_stateful_gone(s, r, error);
    return result == WEIR_OK ? weir_row_settle(&r->row, error) : result;
}

/* Purpose: internal. Calls `end` for the keys that the flags ask for.
 * Thread, ownership, returns, failure: as weir_stateful_call. */
WEIR_UNUSED static int32_t weir_stateful_ends(struct weir_stateful_self *s,
                                              struct weir_stateful_row *r, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    if (!s->more->end) return WEIR_OK;
    for (r->slot = s->table->next(r->state, s->number, 0);
         r->slot != WEIR_NO_SLOT && result == WEIR_OK;
         r->slot = s->table->next(r->state, s->number, r->slot + 1)) {
        if (!(s->more->flags & WEIR_STATEFUL_EVERY_KEY) && weir_stateful_rows(r) == 0) continue;
        result = weir_stateful_call(s, r, s->more->end, error);
    }
    return result;
}

/* Purpose: internal. Calls `timeout` for the keys whose timer is due.
 * Thread, ownership, returns, failure: as weir_stateful_call. */
WEIR_UNUSED static int32_t weir_stateful_timeouts(struct weir_stateful_self *s,
                                                  struct weir_stateful_row *r,
                                                  struct weir_error *error)
{
    uint32_t column = (uint32_t)s->state.n_children + 2;
    int64_t now = s->more->clock == WEIR_CLOCK_WATERMARK ? r->watermark_us : r->row.time_us;
    int32_t result = WEIR_OK;
    if (!s->more->timeout || s->more->clock == WEIR_CLOCK_NONE || now == WEIR_WATERMARK_NONE)
        return WEIR_OK;
    r->not_before = now + 1;
    while (result == WEIR_OK &&
           s->table->due(r->state, s->number, column, now, &r->slot, 1) == 1) {
        result = weir_stateful_timer(r, INT64_MAX);
        if (result == WEIR_OK) result = weir_stateful_call(s, r, s->more->timeout, error);
    }
    return result;
}

/* Purpose, thread, ownership, returns, failure: as weir_operator.advance; calls `end`, then
 *   `timeout`. */
WEIR_UNUSED static int32_t weir_stateful_advance(void *self, void *lane, struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)lane;
    int32_t result = weir_stateful_ends(s, r, error);
    if (result == WEIR_OK) result = weir_stateful_timeouts(s, r, error);
    return result == WEIR_OK ? weir_row_flush(&r->row, error) : result;
}

/* Defines `const struct weir_operator table` over a struct weir_stateful. */
#define WEIR_STATEFUL(table, spec)                                                                 \
    static int32_t table##_create(const struct weir_host *host, struct weir_context *context,      \
                                  void **self, struct weir_error *error)                           \
    {                                                                                              \
        return weir_stateful_create(&spec, host, context, self, error);                            \
    }                                                                                              \
    const struct weir_operator table = {                                                           \
        (uint32_t)sizeof(struct weir_operator), 0, table##_create, weir_stateful_destroy,          \
        weir_stateful_bind, weir_stateful_lane, weir_stateful_lane_end, weir_stateful_begin,       \
        weir_stateful_process, 0, 0, 0, 0, 0, 0, 0                                                 \
    };

/* The same with more calls: `extra` is a struct weir_stateful_more. */
#define WEIR_STATEFUL_WITH(table, spec, extra)                                                     \
    static int32_t table##_create(const struct weir_host *host, struct weir_context *context,      \
                                  void **self, struct weir_error *error)                           \
    {                                                                                              \
        int32_t result = weir_stateful_create(&spec, host, context, self, error);                  \
        if (*self) ((struct weir_stateful_self *)*self)->more = &extra;                            \
        return result;                                                                             \
    }                                                                                              \
    const struct weir_operator table = {                                                           \
        (uint32_t)sizeof(struct weir_operator), 0, table##_create, weir_stateful_destroy,          \
        weir_stateful_bind, weir_stateful_lane, weir_stateful_lane_end, weir_stateful_begin,       \
        weir_stateful_process, 0, weir_stateful_advance, 0, 0, 0, 0, 0                             \
    };

#ifdef __cplusplus
}
#endif
#endif
