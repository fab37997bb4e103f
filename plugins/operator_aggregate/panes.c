/*
 * panes.c - aggregates over windows of batches, from panes that are added up.
 *
 * Time is cut into panes as long as the greatest time that divides length and slide, so windows
 * begin and end where panes do. The groups of a batch are merged into those of its pane:
 *
 *     panes   key: by, end of the pane   record: columns of the calls, until
 *     totals   key: by                     record: columns of the calls, number of its panes,
 *                                                  with `keep` `since`: end of its first pane
 *
 * `until` is a timer: end + length, from when on no window holds the pane; then it is removed. So
 * state is as large as the keys of length / pane panes, whatever the number of rows.
 *
 * Results come in one of two ways:
 *
 *  1. Where all aggregates can be undone exactly (counts, sums of integers), a total per key is
 *     kept: what comes is merged, a pane that leaves is taken away. A total goes with its last
 *     pane; with `inverse` it stays, with what the inverse left, until `keep` drops it.
 *  2. Else (floats, min, max, lists) the panes are merged anew, in order of time, for each window.
 *     Subtracting floats would leave what rounding lost; so results are those of the rows alone.
 *
 * The number of panes in a total tells keys without rows from keys whose sum is zero.
 *
 * With `keep` the total is apart from the panes, as in Spark: a total = the one before - what left
 * + what came, where there was one before; else what came. So a key that was dropped and comes back
 * begins with its new rows, and in windows after that its old panes are subtracted all the same. A
 * pane that leaves a key which has neither is an error. Panes then leave when a window is given, so
 * that a total made since the last one (by `since`) can be told from one before.
 *
 * A job may take `inverse` and `keep` on, and `inverse` off, over a restart. Totals and panes are
 * the same in each, but for `since`, which is 0 in totals from before `keep`: such a one is that of
 * all its panes, which are subtracted as they leave. Once it has none it begins anew. Totals
 * without panes that `inverse` left go with the first window without it.
 */
#include "plugins/operator_aggregate/panes.h"

#define NO_TABLE UINT32_MAX

/* ---- bind ---- */

static int64_t common(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int all_undoable(const struct aggregation *a)
{
    for (uint32_t i = 0; i < a->n_calls; i++) {
        const struct weir_aggregate_call *call =
            a->values ? a->expr->aggregate_call(a->values, i) : NULL;
        if (call && !(call->plan->flags & WEIR_AGGREGATE_INVERSE)) return 0;
        if (!a->calls[i].function->inverse) return 0;
    }
    return 1;
}

static int32_t read_options(const struct aggregation *a, struct panes *s, const char *prefix,
                            int inverse, struct weir_error *error)
{
    char option[32];
    snprintf(option, sizeof option, "%sinverse", prefix);
    s->exact = (uint32_t)all_undoable(a);
    s->inverse = inverse || option_integer(a->host, a->context, option, 0);
    if (inverse && !option_integer(a->host, a->context, option, 1))
        return weir_fail_option(error, option, -1,
                                "a count over a window stays, as 0, once there was something to "
                                "count: leave `inverse` out, and take `keep` to drop it");
    if (a->raw)
        return weir_fail_option(error, "values", -1,
                                "distinct arguments can't be told from their panes: put a "
                                "`window` in front and aggregate its rows");
    if (!s->inverse || s->exact) return WEIR_OK;
    return weir_fail_option(error, option, -1,
                            "not all of these aggregates can be undone exactly (count, sum and avg "
                            "of integers can): leave `inverse` out, and each window is added up "
                            "anew");
}

static int32_t read_keep(const struct aggregation *a, struct panes *s, const char *prefix,
                         const char *keep, const struct weir_operator_plan *out,
                         struct weir_error *error)
{
    struct weir_expr_input input = { NULL, &s->result };
    char option[32];
    snprintf(option, sizeof option, "%skeep", prefix);
    const char *text = option_text(a->host, a->context, option, s->inverse ? keep : NULL);
    if (!text) return WEIR_OK;
    if (!s->inverse)
        return weir_fail_option(error, option, -1,
                                "keys without rows are gone already unless `inverse` is true: put "
                                "a `filter` behind for others");
    int32_t result = a->data->schema_copy(&out->streams[0].schema, NULL, &s->result, error);
    if (result != WEIR_OK) return result;
    return a->expr->compile(a->context, text, option, &input, 1, WEIR_TYPE_BOOL, &s->keep, error);
}

static int32_t make_key(const struct aggregation *a, struct panes *s, struct weir_error *error)
{
    int32_t result = a->data->schema_struct(a->n_keys + 1, &s->key, error);
    for (uint32_t i = 0; i < a->n_keys && result == WEIR_OK; i++) {
        s->key.children[i]->release(s->key.children[i]);
        result = a->data->schema_copy(a->key.children[i], NULL, s->key.children[i], error);
    }
    if (result != WEIR_OK) return result;
    return a->data->schema_set(&s->key, a->n_keys, "pane", WEIR_TYPE_TIMESTAMP, error);
}

static int32_t declare(const struct aggregation *a, struct panes *s, struct weir_error *error)
{
    char over[64];
    snprintf(over, sizeof over, "; over %lld, %lld", (long long)s->over.length_us,
             (long long)s->over.slide_us);
    char *signature = aggregation_signature(a, over);
    s->columns = a->host->alloc((a->n_columns + 2) * sizeof *s->columns);
    if (!signature || !s->columns) {
        a->host->free(signature);
        return no_memory(error);
    }
    memcpy(s->columns, a->columns, a->n_columns * sizeof *s->columns);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "panes",
                                    .key = &s->key, .n_distribution = a->n_keys,
                                    .n_columns = a->n_columns + 1, .columns = s->columns,
                                    .version = 1, .signature = signature };
    s->columns[a->n_columns] =
        (struct weir_table_column){ "until", WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER };
    int32_t result = a->state->declare(a->context, &spec, &s->pane_table, error);
    spec.name = "totals";
    spec.key = &a->key;
    s->columns[a->n_columns] = (struct weir_table_column){ "panes", WEIR_TYPE_INT64, 0 };
    s->columns[a->n_columns + 1] = (struct weir_table_column){ "since", WEIR_TYPE_TIMESTAMP, 0 };
    spec.n_columns += s->keep ? 1 : 0;
    if (result == WEIR_OK && s->exact)
        result = a->state->declare(a->context, &spec, &s->total_table, error);
    a->host->free(signature);
    return result;
}

int32_t panes_bind(struct aggregation *a, const struct weir_operator_bind *in,
                   struct weir_operator_plan *out, int inverse, const char *keep,
                   struct weir_error *error)
{
    struct weir_value value;
    const char *prefix = option_get(a->host, a->context, "length", &value)        ? ""
                         : option_get(a->host, a->context, "over.length", &value) ? "over."
                                                                                   : NULL;
    if (!prefix) return WEIR_OK;
    struct panes *s = a->host->alloc(sizeof *s);
    if (!s) return no_memory(error);
    memset(s, 0, sizeof *s);
    a->panes = s;
    int32_t result = over_read(a->host, a->context, prefix, in, &s->over, error);
    if (result == WEIR_OK) result = read_options(a, s, prefix, inverse, error);
    if (result == WEIR_OK) result = read_keep(a, s, prefix, keep, out, error);
    if (result == WEIR_OK) result = make_key(a, s, error);
    if (result == WEIR_OK) result = declare(a, s, error);
    if (result != WEIR_OK) return result;
    s->pane_us = common(s->over.length_us, s->over.slide_us);
    a->table = s->total_table; /* what emit.c takes results from, where a lane has state */
    out->streams[0].slide = s->over.slide;
    out->flags |= WEIR_PLAN_TICKING | WEIR_PLAN_ALL_GROUPS;
    return WEIR_OK;
}

void panes_destroy(struct aggregation *a)
{
    struct panes *s = a->panes;
    if (!s) return;
    a->expr->free(s->keep);
    if (s->result.release) s->result.release(&s->result);
    if (s->key.release) s->key.release(&s->key);
    a->host->free(s->columns);
    a->host->free(s);
    a->panes = NULL;
}

/* ---- parts: groups of the batch, or panes, as arrays ---- */

static void drop_part(const struct aggregation *a, struct panes_lane *lane)
{
    for (uint32_t i = 0; i < a->n_keys + 1 + a->n_columns; i++)
        if (lane->arrays[i].release) lane->arrays[i].release(&lane->arrays[i]);
}

static int32_t take_groups(const struct aggregation *a, struct panes_lane *lane, uint32_t from,
                           uint32_t n, struct weir_error *error)
{
    struct weir_combine *groups = lane->batch->groups;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_keys && result == WEIR_OK; i++)
        result = a->combine->keys(groups, i, from, n, &lane->arrays[i], error);
    for (uint32_t i = 0; i < a->n_columns && result == WEIR_OK; i++)
        result = a->combine->values(groups, i, from, n, &lane->arrays[a->n_keys + 1 + i], error);
    return result;
}

static int32_t take_panes(const struct aggregation *a, struct panes_lane *lane,
                           const uint32_t *slots, uint32_t n, struct weir_error *error)
{
    struct weir_state *state = lane->begin.state;
    uint32_t table = a->panes->pane_table;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_keys && result == WEIR_OK; i++)
        result = a->state->keys(state, table, i, slots, n, &lane->arrays[i], error);
    for (uint32_t i = 0; i < a->n_columns && result == WEIR_OK; i++)
        result = a->state->values(state, table, i, slots, n, &lane->arrays[a->n_keys + 1 + i],
                                  error);
    return result;
}

/* The key column `pane` of n rows. */
static int32_t fill_pane(const struct aggregation *a, struct panes_lane *lane, uint32_t n,
                          int64_t end, struct weir_error *error)
{
    struct ArrowArray *array = &lane->arrays[a->n_keys];
    if (array->release) array->release(array);
    int32_t result = a->data->column(WEIR_TYPE_TIMESTAMP, n, 0, 0, array, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        ((int64_t *)(uintptr_t)array->buffers[1])[i] = end;
    return result;
}

/* Merges (or takes away) the columns of the part, rows[i] (or i) to slots[i], of a table of state
 * or of the groups of the batch. */
static int32_t fold(const struct aggregation *a, struct panes_lane *lane, int away, uint32_t table,
                    const uint32_t *slots, const uint32_t *rows, uint32_t n, uint32_t length,
                    struct weir_error *error)
{
    static const uint8_t constant[WEIR_AGGREGATE_MAX_COLUMNS];
    struct lane *batch = lane->batch;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < a->n_calls && result == WEIR_OK; i++) {
        const struct call *c = &a->calls[i];
        struct weir_cells cells = { .size = sizeof cells };
        struct weir_call call = { .size = sizeof call, .rows = length, .selection = rows,
                                  .selected = n, .n_args = c->n_columns,
                                  .args = lane->list + a->n_keys + 1 + c->first,
                                  .constant = constant, .time_us = lane->begin.time_us,
                                  .batch = lane->begin.batch,
                                  .partition = lane->begin.partition, .failed = batch->failed,
                                  .reason = batch->reason };
        if (table == NO_TABLE)
            a->combine->cells(batch->groups, c->first, c->n_columns, batch->views, &cells);
        else
            a->state->cells(lane->begin.state, table, c->first, c->n_columns, batch->views,
                            &cells);
        result = (away ? c->function->inverse : c->function->merge)(c->bound, &cells, slots, &call,
                                                                    error);
    }
    return result;
}

/* The one slot of a table without a key, for all n rows. */
static void repeat(const struct aggregation *a, uint32_t *slots, uint32_t n)
{
    for (uint32_t i = 1; !a->n_keys && i < n; i++) slots[i] = slots[0];
}

static int64_t *cell(const struct weir_view *view, uint32_t slot)
{
    return (int64_t *)(void *)(view->base + slot * view->stride);
}

/* ---- what comes ---- */

/* Slots of the pane for the keys of the part; counts new ones to their totals. */
static int32_t join_pane(const struct aggregation *a, struct panes_lane *lane, uint32_t n,
                          int64_t end, struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct weir_state *state = lane->begin.state;
    int64_t until = end + s->over.length_us;
    int32_t result = fill_pane(a, lane, n, end, error);
    if (result == WEIR_OK)
        result = a->state->lookup_or_insert(state, s->pane_table, lane->list, NULL, NULL, n,
                                            lane->slots, error);
    if (result == WEIR_OK && s->exact)
        result = a->state->lookup_or_insert(state, s->total_table, lane->list, NULL, NULL,
                                            a->n_keys ? n : 1, lane->totals, error);
    if (result != WEIR_OK) return result;
    repeat(a, lane->totals, n);
    struct weir_view untils = a->state->column(state, s->pane_table, a->n_columns), counts = { 0 },
                     since = { 0 };
    if (s->exact) counts = a->state->column(state, s->total_table, a->n_columns);
    if (s->keep) since = a->state->column(state, s->total_table, a->n_columns + 1);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        if (*cell(&untils, lane->slots[i]) == until) continue;
        result = a->state->set_timer(state, s->pane_table, a->n_columns, lane->slots[i], until);
        if (s->keep && *cell(&since, lane->totals[i]) == 0 && *cell(&counts, lane->totals[i]) == 0)
            *cell(&since, lane->totals[i]) = end;
        if (s->exact) ++*cell(&counts, lane->totals[i]);
    }
    return result == WEIR_OK ? result : no_memory(error);
}

static int32_t add_groups(const struct aggregation *a, struct panes_lane *lane, uint32_t from,
                          uint32_t n, int64_t end, struct weir_error *error)
{
    const struct panes *s = a->panes;
    int32_t result = take_groups(a, lane, from, n, error);
    if (result == WEIR_OK) result = join_pane(a, lane, n, end, error);
    if (result == WEIR_OK)
        result = fold(a, lane, 0, s->pane_table, lane->slots, NULL, n, n, error);
    if (result == WEIR_OK && s->exact)
        result = fold(a, lane, 0, s->total_table, lane->totals, NULL, n, n, error);
    drop_part(a, lane);
    return result;
}

static int32_t add_batch(const struct aggregation *a, struct panes_lane *lane,
                         struct weir_error *error)
{
    const struct panes *s = a->panes;
    const struct weir_begin *in = &lane->begin;
    uint32_t all = lane->batch->groups ? a->combine->count(lane->batch->groups) : 0;
    int64_t past = (in->time_us - in->zero_us) % s->pane_us;
    int64_t end = past ? in->time_us - past + s->pane_us : in->time_us;
    int32_t result = WEIR_OK;
    for (uint32_t from = 0; from < all && result == WEIR_OK; from += PANE_ROWS) {
        uint32_t n = all - from < PANE_ROWS ? all - from : PANE_ROWS;
        result = add_groups(a, lane, from, n, end, error);
    }
    if (all && result == WEIR_OK) a->host->count(lane->batch->context, "updated", all);
    return result;
}

/* ---- what leaves ---- */

/* Totals that have lost their last pane. Each is named once: its count is then -1. */
static uint32_t emptied(const struct weir_view *counts, uint32_t *totals, uint32_t n)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (*cell(counts, totals[i]) != 0) continue;
        *cell(counts, totals[i]) = -1;
        totals[k++] = totals[i];
    }
    return k;
}

/* Which of n panes are taken out of lane->totals: *k of them, left there with their rows. */
static int32_t choose_totals(const struct aggregation *a, struct panes_lane *lane, uint32_t n,
                             uint32_t *k, struct weir_error *error)
{
    const struct panes *s = a->panes;
    int64_t before = lane->begin.time_us - s->over.slide_us;
    struct weir_view since = { 0 };
    if (s->keep) since = a->state->column(lane->begin.state, s->total_table, a->n_columns + 1);
    *k = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t total = lane->totals[i];
        if (total == WEIR_NO_SLOT && s->keep)
            return weir_fail(error, WEIR_DATA,
                             "rows leave the window whose key `keep` dropped while they were in it, "
                             "and that has no new ones: nothing is left to subtract them from; let "
                             "`keep` drop only keys without rows, for example by a count(*) > 0");
        if (total == WEIR_NO_SLOT || (s->keep && *cell(&since, total) > before)) continue;
        lane->rows[*k] = i;
        lane->totals[(*k)++] = total;
    }
    return WEIR_OK;
}

/* Takes n panes out of their totals. */
static int32_t undo(const struct aggregation *a, struct panes_lane *lane, uint32_t n,
                    struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct weir_state *state = lane->begin.state;
    uint32_t k = 0;
    int32_t result = take_panes(a, lane, lane->slots, n, error);
    if (result != WEIR_OK) return result;
    a->state->lookup(state, s->total_table, lane->list, NULL, NULL, a->n_keys ? n : 1,
                     lane->totals);
    repeat(a, lane->totals, n);
    result = choose_totals(a, lane, n, &k, error);
    if (result != WEIR_OK || k == 0) return result;
    result = a->state->touch(state, s->total_table, lane->totals, k);
    if (result != WEIR_OK) return no_memory(error);
    result = fold(a, lane, 1, s->total_table, lane->totals, lane->rows, k, n, error);
    if (result != WEIR_OK) return result;
    struct weir_view counts = a->state->column(state, s->total_table, a->n_columns);
    for (uint32_t i = 0; i < k; i++) --*cell(&counts, lane->totals[i]);
    if (s->inverse) return WEIR_OK;
    k = emptied(&counts, lane->totals, k);
    if (k) a->host->count(lane->batch->context, "removed", k);
    result = a->state->remove(state, s->total_table, lane->totals, k);
    return result == WEIR_OK ? result : no_memory(error);
}

static int32_t leave(const struct aggregation *a, struct panes_lane *lane,
                     struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct weir_state *state = lane->begin.state;
    uint32_t n;
    while ((n = a->state->due(state, s->pane_table, a->n_columns, lane->begin.time_us,
                              lane->slots, PANE_ROWS)) > 0) {
        int32_t result = s->exact ? undo(a, lane, n, error) : WEIR_OK;
        drop_part(a, lane);
        if (result != WEIR_OK) return result;
        if (!s->exact) a->host->count(lane->batch->context, "removed", n);
        if (a->state->remove(state, s->pane_table, lane->slots, n) != WEIR_OK)
            return no_memory(error);
    }
    return WEIR_OK;
}

/* ---- results from totals ---- */

void panes_residue(const struct aggregation *a, struct lane *lane, uint32_t call,
                    const uint32_t *slots, uint32_t n, struct ArrowArray *result)
{
    const struct weir_aggregate_call *of =
        a->values ? a->expr->aggregate_call(a->values, call) : NULL;
    if (!a->panes->inverse || result->null_count == 0 || !of ||
        weir_type_of(&of->plan->result) != WEIR_TYPE_INT64)
        return;
    struct weir_view counts = a->state->column(lane->state, a->table, a->n_columns);
    for (uint32_t i = 0; i < n; i++) {
        if (!weir_is_null(result, i) || *cell(&counts, slots[i]) > 0) continue;
        ((uint8_t *)(uintptr_t)result->buffers[0])[i >> 3] |= (uint8_t)(1u << (i & 7));
        ((int64_t *)(uintptr_t)result->buffers[1])[i] = 0;
        result->null_count--;
    }
}

/* The rows for which `keep` is true stay, and the totals of those for which it is not are noted. Of
 * a row on which it fails on_error disposes, and the total stays: so it does with on_error `null`,
 * where a failure can't be told from a null, as long as the window has rows of it. */
static void judge(const struct aggregation *a, struct panes_lane *l, const struct ArrowArray *kept,
                  const uint32_t *slots, struct weir_rows *rows)
{
    struct weir_view counts =
        a->state->column(l->begin.state, a->panes->total_table, a->n_columns);
    uint32_t n = rows->n, k = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = rows->rows[i], slot = slots[row];
        const int null = weir_is_null(kept, row);
        if (!null && weir_get_bool(kept, row)) rows->rows[k++] = row;
        else if (!null || !a->null_on_error || *cell(&counts, slot) <= 0)
            l->dropped[l->n_dropped++] = slot;
    }
    rows->n = k;
}

int32_t panes_keep(const struct aggregation *a, struct lane *lane, const uint32_t *slots,
                   uint32_t n, uint32_t columns, struct weir_rows *rows, struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct panes_lane *l = lane->windows;
    const void *buffers[1] = { NULL };
    struct ArrowArray kept;
    if (!s->keep || rows->n == 0) return WEIR_OK;
    struct ArrowArray **children = a->host->alloc(columns * sizeof *children);
    if (!children) return no_memory(error);
    for (uint32_t i = 0; i < columns; i++) children[i] = lane->out[i].array;
    struct ArrowArray array = { .length = n, .n_buffers = 1, .n_children = columns,
                                .buffers = buffers, .children = children };
    struct weir_chunk chunk = { .size = sizeof chunk, .rows = n, .batch = l->begin.batch,
                                .partition = l->begin.partition, .selected = n, .array = &array,
                                .schema = &s->result };
    const struct weir_chunk *list = &chunk;
    int32_t result = a->expr->eval(lane->context, s->keep, &list, rows, &kept, error);
    if (result == WEIR_OK) {
        judge(a, l, &kept, slots, rows);
        kept.release(&kept);
    }
    a->host->free(children);
    return result;
}

static int32_t drop_totals(const struct aggregation *a, struct panes_lane *lane,
                           struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct weir_state *state = lane->begin.state;
    if (lane->n_dropped) a->host->count(lane->batch->context, "removed", lane->n_dropped);
    int32_t result = a->state->remove(state, s->total_table, lane->dropped, lane->n_dropped);
    lane->n_dropped = 0;
    return result == WEIR_OK ? result : no_memory(error);
}

/* The next n totals from *slot on, into lane->slots. Without `inverse` those that have no panes
 * go: they are of a job that had it, before a restart. */
static uint32_t next_totals(const struct aggregation *a, struct panes_lane *lane, uint32_t *slot)
{
    const struct panes *s = a->panes;
    struct weir_state *state = lane->begin.state;
    struct weir_view counts = a->state->column(state, s->total_table, a->n_columns);
    uint32_t n = 0;
    for (; *slot != WEIR_NO_SLOT && n < PANE_ROWS && lane->n_dropped < PANE_ROWS;
         *slot = a->state->next(state, s->total_table, *slot + 1)) {
        if (s->inverse || *cell(&counts, *slot) > 0) lane->slots[n++] = *slot;
        else lane->dropped[lane->n_dropped++] = *slot;
    }
    return n;
}

static int32_t emit_totals(const struct aggregation *a, struct panes_lane *lane,
                           struct weir_error *error)
{
    struct weir_state *state = lane->begin.state;
    uint32_t slot = a->state->next(state, a->panes->total_table, 0);
    int32_t result = WEIR_OK;
    lane->batch->state = state; /* results are those of slots */
    while (slot != WEIR_NO_SLOT && result == WEIR_OK) {
        uint32_t n = next_totals(a, lane, &slot);
        result = lane_emit_slots(a, lane->batch, lane->slots, n, error);
        if (result == WEIR_OK) result = drop_totals(a, lane, error);
    }
    lane->batch->state = NULL;
    return result;
}

/* ---- results from panes ---- */

static int32_t all_panes(const struct aggregation *a, struct panes_lane *lane, uint32_t *n,
                          struct weir_error *error)
{
    uint32_t table = a->panes->pane_table;
    uint32_t slot = a->state->next(lane->begin.state, table, 0);
    for (*n = 0; slot != WEIR_NO_SLOT;
         slot = a->state->next(lane->begin.state, table, slot + 1)) {
        if (*n == lane->room) {
            uint32_t room = lane->room ? lane->room * 2 : 1024;
            uint32_t *order = a->host->realloc(lane->order, 2 * (uint64_t)room * sizeof *order);
            if (!order) return no_memory(error);
            lane->order = order;
            lane->room = room;
        }
        lane->order[(*n)++] = slot;
    }
    return WEIR_OK;
}

/* How many panes behind T `until` lies: of panes in the window 1 to length / pane. */
static uint64_t panes_to_go(const struct panes *s, const struct panes_lane *lane,
                            const struct weir_view *untils, uint32_t slot)
{
    return (uint64_t)(*cell(untils, slot) - lane->begin.time_us) / (uint64_t)s->pane_us;
}

/* `to` has the slots of `from` by time, those of one time as they were; by counting. NULL without
 * memory. */
static const uint32_t *count_panes(const struct aggregation *a, const struct panes_lane *lane,
                                   const struct weir_view *untils, const uint32_t *from,
                                   uint32_t *to, uint32_t n, uint32_t buckets)
{
    const struct panes *s = a->panes;
    uint32_t *at = a->host->alloc((buckets + 1ull) * sizeof *at), sum = 0;
    if (!at) return NULL;
    memset(at, 0, (buckets + 1ull) * sizeof *at);
    for (uint32_t i = 0; i < n; i++) at[panes_to_go(s, lane, untils, from[i]) % (buckets + 1)]++;
    for (uint32_t b = 0; b <= buckets; b++) {
        uint32_t k = at[b];
        at[b] = sum;
        sum += k;
    }
    for (uint32_t i = 0; i < n; i++)
        to[at[panes_to_go(s, lane, untils, from[i]) % (buckets + 1)]++] = from[i];
    a->host->free(at);
    return to;
}

/* The same by merging runs, from one array to the other and back. */
static const uint32_t *merge_runs(const struct weir_view *untils, uint32_t *from, uint32_t *to,
                                  uint32_t n)
{
    for (uint64_t run = 1; run < n; run *= 2) {
        for (uint64_t at = 0; at < n; at += 2 * run) {
            uint64_t i = at, middle = at + run < n ? at + run : n;
            uint64_t j = middle, end = middle + run < n ? middle + run : n;
            for (uint64_t k = at; k < end; k++)
                to[k] = i < middle && (j == end || *cell(untils, from[i]) <= *cell(untils, from[j]))
                            ? from[i++]
                            : from[j++];
        }
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

/* The slots by time. Windows have few panes as a rule, and then it goes by counting; one that is
 * long for what is in it (a month of seconds, a handful of keys) costs as much as it holds. */
static const uint32_t *sort_panes(const struct aggregation *a, struct panes_lane *lane,
                                  uint32_t n, struct weir_error *error)
{
    const struct panes *s = a->panes;
    struct weir_view untils = a->state->column(lane->begin.state, s->pane_table, a->n_columns);
    uint32_t *other = lane->order + lane->room;
    const int64_t buckets = s->over.length_us / s->pane_us;
    if (buckets > n) return merge_runs(&untils, lane->order, other, n);
    const uint32_t *sorted =
        count_panes(a, lane, &untils, lane->order, other, n, (uint32_t)buckets);
    if (!sorted) no_memory(error);
    return sorted;
}

static int32_t merge_panes(const struct aggregation *a, struct panes_lane *lane,
                            const uint32_t *slots, uint32_t n, struct weir_error *error)
{
    int32_t result = take_panes(a, lane, slots, n, error);
    if (result == WEIR_OK)
        result = a->combine->lookup_or_insert(lane->batch->groups, lane->list, NULL, NULL,
                                              a->n_keys ? n : 1, lane->totals, error);
    repeat(a, lane->totals, n);
    if (result == WEIR_OK) result = fold(a, lane, 0, NO_TABLE, lane->totals, NULL, n, n, error);
    drop_part(a, lane);
    return result;
}

static int32_t emit_panes(const struct aggregation *a, struct panes_lane *lane,
                           struct weir_error *error)
{
    uint32_t n = 0;
    int32_t result = all_panes(a, lane, &n, error);
    if (result != WEIR_OK || n == 0) return result;
    const uint32_t *sorted = sort_panes(a, lane, n, error);
    if (!sorted) return WEIR_FATAL;
    result = lane_empty_groups(a, lane->batch, error);
    for (uint32_t from = 0; from < n && result == WEIR_OK; from += PANE_ROWS)
        result = merge_panes(a, lane, sorted + from, n - from < PANE_ROWS ? n - from : PANE_ROWS,
                              error);
    return result == WEIR_OK ? lane_emit_groups(a, lane->batch, error) : result;
}

int32_t panes_advance(const struct aggregation *a, struct panes_lane *lane,
                       struct weir_error *error)
{
    const struct panes *s = a->panes;
    int32_t result = add_batch(a, lane, error);
    int due = over_is_due(&s->over, &lane->begin);
    if (result == WEIR_OK && (due || !s->keep)) result = leave(a, lane, error);
    if (result != WEIR_OK || !due) return result;
    return s->exact ? emit_totals(a, lane, error) : emit_panes(a, lane, error);
}
