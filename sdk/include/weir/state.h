/*
 * weir/state.h - weir.state/1: durable tables of an operator; weir.combine/1: tables of a batch.
 *
 * State is the host's. A table is cut into 256 sub-tables, one per key group; an operator sees
 * one group at a time and addresses its records by *slot*, a uint32 within group and table.
 *
 *   table  key → one record of fixed-width columns; text and binary columns through get/put.
 *   rows   key → many records in order (joins, sessions, lists).
 *
 * Rules:
 *  1. The distribution columns of the operator begin every table key.
 *  2. `lookup` reads. `lookup_or_insert` and `touch` announce writing: those slots are written to
 *     the log with the batch. Writing without announcing loses the write.
 *  3. A view (base, stride) is valid until the next call that inserts into the same table:
 *         *(int64_t *)(view.base + slots[i] * view.stride) += v[i];
 *  4. New columns are zero. There are no nulls: use a flag column.
 *  5. `remove` frees the slot for other keys from the next batch on, lowest first. So new keys of a
 *     batch get ascending slots, in order of arrival.
 *  6. Slots keep their number over restarts, but a plugin never stores one.
 *  7. Nothing is visible to others and nothing is durable before STATE of the batch; when a batch
 *     fails all of this is taken back by the host.
 *
 * Record columns: BOOL (a byte 0 or 1), INT32, INT64, FLOAT64, TIMESTAMP, DATE, and UTF8, BINARY.
 */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H

#include <weir/data.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_state; /* the tables of one operator in one key group */

#define WEIR_STATE_ID "weir.state/1"
#define WEIR_COMBINE_ID "weir.combine/1"

#define WEIR_NO_SLOT UINT32_MAX
#define WEIR_NO_ROW UINT32_MAX

#define WEIR_TABLE 1u
#define WEIR_ROWS 2u

#define WEIR_COLUMN_TIMER 1u /* an INT64 or TIMESTAMP column whose due slots are found fast;
                                INT64_MAX: no timer; a new slot has no timer. One can't be
                                added to state that is there: it would never be due */
#define WEIR_COLUMN_EVENT_TIME 2u /* with TIMER: it is compared to the watermark W(n) that begin
                                     tells, not to the batch time T. The host runs a group, and a
                                     batch without rows, for a timer that is due by its clock */

struct weir_table_column {
    const char *name;
    uint32_t type;
    uint32_t flags;
};

struct weir_table_spec {
    uint32_t size;
    uint32_t kind;                   /* WEIR_TABLE or WEIR_ROWS */
    const char *name;                /* within the operator: the state is "instance/name" */
    const struct ArrowSchema *key;   /* struct of flat types; borrowed during the call */
    uint32_t n_distribution;         /* leading key columns that are the distribution */
    uint32_t n_columns;
    const struct weir_table_column *columns;
    uint32_t version;                /* of the operator's meaning of this table */
    uint32_t reserved;
    const char *signature;           /* what else must agree for the state to fit (expressions …) */
};

struct weir_view {
    uint8_t *base;
    uint64_t stride;
};

/* The cells of a table as aggregates see them; columns count from the aggregate's first. */
struct weir_cells {
    uint32_t size;
    uint32_t first; /* added to the column number in get and put */
    const struct weir_view *views; /* by column of the aggregate; of text columns meaningless */
    void *table;

    /* Purpose: the bytes of a text or binary cell; a new cell is empty.
     * Thread and state: [worker], inside the call that got the cells.
     * Ownership: valid until the next put into the table.
     * Returns: the bytes.
     * On failure: can't fail. */
    struct weir_bytes (*get)(const struct weir_cells *cells, uint32_t column, uint32_t slot);

    /* Purpose: replaces the bytes of a text or binary cell.
     * Thread and state: [worker], slot announced for writing.
     * Ownership: the bytes are copied.
     * Returns: OK; FATAL without memory.
     * On failure: the cell is as before; the caller passes the class on. */
    int32_t (*put)(const struct weir_cells *cells, uint32_t column, uint32_t slot,
                   struct weir_bytes bytes);
};

struct weir_state_table {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: declares a table of the operator.
     * Thread and state: [control], inside bind only.
     * Ownership: spec is copied; *table is its number for the other calls.
     * Returns: OK; CONFIG (a key type that is not flat, distribution not leading); FATAL.
     * On failure: bind returns the class. */
    int32_t (*declare)(struct weir_context *context, const struct weir_table_spec *spec,
                       uint32_t *table, struct weir_error *error);

    /* Purpose: the slots of n keys: of row selection[i] (or i where it is NULL) in slots[i],
     *   NO_SLOT where there is none. `hash` per row of the arrays is weir.hash/1 of all key
     *   columns, or NULL.
     * Thread and state: [worker], between begin and advance.
     * Ownership: all borrowed; `keys` has one array per key column.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*lookup)(struct weir_state *state, uint32_t table, const struct ArrowArray *const *keys,
                   const uint64_t *hash, const uint32_t *selection, uint32_t n, uint32_t *slots);

    /* Purpose: as lookup, but makes missing keys, and announces writing. Ends all views.
     * Thread and state: [worker], between begin and advance.
     * Ownership: as lookup; key bytes are copied.
     * Returns: OK; FATAL without memory (some keys may have been made).
     * On failure: the operator returns the class; the host takes the batch back. */
    int32_t (*lookup_or_insert)(struct weir_state *state, uint32_t table,
                                const struct ArrowArray *const *keys, const uint64_t *hash,
                                const uint32_t *selection, uint32_t n, uint32_t *slots,
                                struct weir_error *error);

    /* Purpose: announces writing to slots found by next, due or lookup.
     * Thread and state: [worker], between begin and advance.
     * Ownership: borrowed.
     * Returns: OK; FATAL without memory.
     * On failure: as lookup_or_insert. */
    int32_t (*touch)(struct weir_state *state, uint32_t table, const uint32_t *slots, uint32_t n);

    /* Purpose: removes keys (of a rows table: with their records). Slots are free from the
     *   next batch on; until then their cells are readable.
     * Thread and state: [worker], between begin and advance.
     * Ownership: borrowed.
     * Returns: OK; FATAL without memory.
     * On failure: as lookup_or_insert. */
    int32_t (*remove)(struct weir_state *state, uint32_t table, const uint32_t *slots, uint32_t n);

    /* Purpose: where column `column` of the records lies (of a rows table: of its records).
     * Thread and state: [worker], between begin and advance.
     * Ownership: valid until the next insert into the table.
     * Returns: the view; of text columns the view is meaningless.
     * On failure: can't fail. */
    struct weir_view (*column)(struct weir_state *state, uint32_t table, uint32_t column);

    /* Purpose: cells for aggregates whose first column is `first`.
     * Thread and state: [worker]; `views` has room for n_columns.
     * Ownership: the caller owns `out` and `views`; valid as a view.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*cells)(struct weir_state *state, uint32_t table, uint32_t first, uint32_t n_columns,
                  struct weir_view *views, struct weir_cells *out);

    /* Purpose: the least live slot >= from, for iteration in slot order.
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the slot, or NO_SLOT at the end.
     * On failure: can't fail. */
    uint32_t (*next)(struct weir_state *state, uint32_t table, uint32_t from);

    /* Purpose: keys of slots: key column `key` of n slots as an array.
     * Thread and state: [worker].
     * Ownership: `out` becomes the caller's (usually moved on by emit).
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*keys)(struct weir_state *state, uint32_t table, uint32_t key, const uint32_t *slots,
                    uint32_t n, struct ArrowArray *out, struct weir_error *error);

    /* Purpose: the bytes of a text or binary cell (of a rows table: by row); a new cell is empty.
     * Thread and state: [worker], between begin and advance.
     * Ownership: the host's; valid until the next put into the table.
     * Returns: the bytes.
     * On failure: can't fail. */
    struct weir_bytes (*get)(struct weir_state *state, uint32_t table, uint32_t column,
                             uint32_t slot);

    /* Purpose: replaces the bytes of a text or binary cell (of a rows table: by row).
     * Thread and state: [worker], between begin and advance; slot (or row) announced for writing.
     * Ownership: the bytes are copied; ends what `get` gave of the table.
     * Returns: OK; FATAL without memory.
     * On failure: the cell is as before; the operator returns the class. */
    int32_t (*put)(struct weir_state *state, uint32_t table, uint32_t column, uint32_t slot,
                   struct weir_bytes bytes);

    /* Purpose: slots whose timer column is <= until, in (time, slot) order; at most `capacity`.
     *   Those returned must be moved or removed before the next call, or they come again.
     * Thread and state: [worker], from begin to advance.
     * Ownership: `slots` is the caller's.
     * Returns: how many.
     * On failure: can't fail. */
    uint32_t (*due)(struct weir_state *state, uint32_t table, uint32_t column, int64_t until,
                    uint32_t *slots, uint32_t capacity);

    /* Purpose: sets the timer of a slot (INT64_MAX: none). Timer columns are written by this only.
     * Thread and state: [worker]; the slot is announced for writing by it.
     * Ownership: none.
     * Returns: OK; FATAL without memory.
     * On failure: as lookup_or_insert. */
    int32_t (*set_timer)(struct weir_state *state, uint32_t table, uint32_t column, uint32_t slot,
                         int64_t time);

    /* ---- rows tables: a key's slot comes from lookup and lookup_or_insert ---- */

    /* Purpose: appends a record to each of n keys, sorted in by (order, arrival); rows[i] is its
     *   number. Columns are zero.
     * Thread and state: [worker], between begin and advance; slots announced for writing.
     * Ownership: borrowed; ends all views of the table.
     * Returns: OK; FATAL without memory.
     * On failure: as lookup_or_insert. */
    int32_t (*row_append)(struct weir_state *state, uint32_t table, const uint32_t *slots,
                          const int64_t *order, uint32_t n, uint32_t *rows,
                          struct weir_error *error);

    /* Purpose: the first record of a key, in order.
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the row, or NO_ROW.
     * On failure: can't fail. */
    uint32_t (*row_first)(struct weir_state *state, uint32_t table, uint32_t slot);

    /* Purpose: the record of the same key behind a record, in order.
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the row, or NO_ROW behind the last one.
     * On failure: can't fail. */
    uint32_t (*row_next)(struct weir_state *state, uint32_t table, uint32_t row);

    /* Purpose: the order that a record was appended with.
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the number.
     * On failure: can't fail. */
    int64_t (*row_order)(struct weir_state *state, uint32_t table, uint32_t row);

    /* Purpose: announces writing to records (marks of joins).
     * Thread, ownership, returns, failure: as touch. */
    int32_t (*row_touch)(struct weir_state *state, uint32_t table, const uint32_t *rows,
                         uint32_t n);

    /* Purpose: removes records; a key without records goes with the last one.
     * Thread, ownership, returns, failure: as remove. */
    int32_t (*row_remove)(struct weir_state *state, uint32_t table, const uint32_t *rows,
                          uint32_t n);

    /* Purpose: removes the records of a key with order < `before`.
     * Thread, ownership, failure: as remove.
     * Returns: how many were removed, or a negative number without memory. */
    int64_t (*row_remove_before)(struct weir_state *state, uint32_t table, uint32_t slot,
                                 int64_t before);

    /* Purpose: the key's slot that a record hangs on, for `keys` (rows whose timer is due).
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the slot, or NO_SLOT where there is no such record.
     * On failure: can't fail. */
    uint32_t (*row_slot)(struct weir_state *state, uint32_t table, uint32_t row);

    /* ---- both kinds ---- */

    /* Purpose: column `column` of n slots (of a rows table: records) as an array of its type (BOOL
     *   as bits), without nulls: what `merge` gets.
     * Thread and state: [worker].
     * Ownership: `out` becomes the caller's.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*values)(struct weir_state *state, uint32_t table, uint32_t column,
                      const uint32_t *slots, uint32_t n, struct ArrowArray *out,
                      struct weir_error *error);

    /* Purpose: the key groups of n keys of a table: groups[i] is what begin calls `partition`. For
     *   keys that did not come through the exchange (state to begin with).
     * Thread and state: [worker], between begin and advance.
     * Ownership: all borrowed; `keys` has one array per key column.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*groups)(struct weir_state *state, uint32_t table, const struct ArrowArray *const *keys,
                   uint32_t n, uint8_t *groups);
};

struct weir_combine;

/* weir.combine/1: a hash table of one lane that lives for a batch (or until clear). Slots are
 * dense, in order of first arrival, so output by slot is output in order of first arrival. */
struct weir_combine_table {
    uint32_t size;
    uint32_t reserved;

    /* Purpose: an empty table; spec as for declare (kind WEIR_TABLE; name, version unused).
     * Thread and state: [control] or [worker].
     * Ownership: *out is the caller's until destroy.
     * Returns: OK; CONFIG for a key type that is not flat; FATAL without memory.
     * On failure: *out is NULL. */
    int32_t (*create)(struct weir_context *lane, const struct weir_table_spec *spec,
                      struct weir_combine **out, struct weir_error *error);

    /* Purpose: frees a table; NULL is allowed.
     * Thread and state: [control] or [worker].
     * Ownership: invalid afterwards.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*destroy)(struct weir_combine *table);

    /* Purpose: slots of n keys, missing ones made; as weir_state_table.lookup_or_insert. A table
     *   without key columns has the one slot 0.
     * Thread and state: [worker].
     * Ownership: borrowed; ends all views.
     * Returns: OK; FATAL without memory.
     * On failure: the operator returns the class. */
    int32_t (*lookup_or_insert)(struct weir_combine *table, const struct ArrowArray *const *keys,
                                const uint64_t *hash, const uint32_t *selection, uint32_t n,
                                uint32_t *slots, struct weir_error *error);

    /* Purpose: slots in use (0 to count - 1).
     * Thread and state: [worker].
     * Ownership: none.
     * Returns: the number.
     * On failure: can't fail. */
    uint32_t (*count)(const struct weir_combine *table);

    /* Purpose, thread, ownership, returns, failure: as weir_state_table.cells. */
    void (*cells)(struct weir_combine *table, uint32_t first, uint32_t n_columns,
                  struct weir_view *views, struct weir_cells *out);

    /* Purpose: key column `key` of slots [from, from + n) as an array; hash of them likewise
     *   (weir.hash/1 of all key columns), n entries into `out`.
     * Thread and state: [worker].
     * Ownership: `out` becomes the caller's.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*keys)(struct weir_combine *table, uint32_t key, uint32_t from, uint32_t n,
                    struct ArrowArray *out, struct weir_error *error);

    /* Purpose: record column `column` of slots [from, from + n) as an array of its type (BOOL as
     *   bits), without nulls: what a combine side emits and `merge` gets.
     * Thread and state: [worker].
     * Ownership: `out` becomes the caller's.
     * Returns: OK; FATAL without memory.
     * On failure: `out` is released. */
    int32_t (*values)(struct weir_combine *table, uint32_t column, uint32_t from, uint32_t n,
                      struct ArrowArray *out, struct weir_error *error);

    /* Purpose: empties the table and keeps its memory.
     * Thread and state: [worker].
     * Ownership: ends all views.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*clear)(struct weir_combine *table);

    /* Purpose: as weir_state_table.lookup: NO_SLOT for keys that are not there.
     * Thread and state: [worker]; several lanes at once while nobody inserts.
     * Ownership: borrowed.
     * Returns: nothing.
     * On failure: can't fail. */
    void (*lookup)(const struct weir_combine *table, const struct ArrowArray *const *keys,
                   const uint64_t *hash, const uint32_t *selection, uint32_t n, uint32_t *slots);
};

#ifdef __cplusplus
}
#endif
#endif
