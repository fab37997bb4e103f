/*
 * plan.c - bind: what crosses the exchange, what is kept, and for how long.
 *
 * Behind the exchange a row of a side has the input columns that the result or a condition over
 * both sides reads (all of them, where such a condition may fail: a dead letter holds the whole
 * row), then the keys that had to be computed, then (where rows may come out without a partner at
 * once) `alone`. Plain key columns are not sent twice.
 *
 * Bounds. In scope `stream` a row of a side is kept until no row of the other side that is still
 * to come can match it:
 *
 *   a key that is event time (on either side): when the watermark W reaches it;
 *   conditions  time > other time + c  (>= with a millisecond of slack, as Structured Streaming
 *   has it): rows to come on the other side are later than W, so when W reaches time - c.
 *
 * So each bounded row has one time, its expiry, to be compared with W.
 */
#include "plugins/operator_join/op.h"

#include "plugins/share/pack.h"

#define SLACK_US 1000

/* ---- event time ---- */

static int is_time(const struct weir_input *input, int32_t column)
{
    return column >= 0 && column < 64 && (input->time_columns >> column & 1);
}

/* The field of a window that judges it. */
static int32_t end_field(const struct ArrowSchema *type)
{
    const int32_t end =
        weir_type_of(type) == WEIR_TYPE_STRUCT ? weir_column_index(type, "end") : -1;
    if (end < 0 || weir_type_of(type->children[end]) != WEIR_TYPE_TIMESTAMP) return -1;
    return end;
}

static int is_timestamp(const struct ArrowSchema *type)
{
    return weir_type_of(type) == WEIR_TYPE_TIMESTAMP;
}

/* The leaf of key k that is event time by one of the sides, or -1. */
static int32_t time_leaf(const struct join_op *op, const struct weir_input *inputs, uint32_t k)
{
    const struct join_key *key = &op->join.keys[k];
    const struct ArrowSchema *type = op->join.expr->schema(key->expr[0]);
    if (!is_time(&inputs[0], key->source[0]) && !is_time(&inputs[1], key->source[1])) return -1;
    if (!key->is_struct) return is_timestamp(type) ? (int32_t)key->first : -1;
    return end_field(type) < 0 ? -1 : (int32_t)key->first + 1 + end_field(type);
}

/* The bound of `side` by conditions: the least of them counts, as the safe one. */
static void find_bound(struct join_op *op, const struct weir_input *inputs, uint32_t s)
{
    struct side *side = &op->sides[s];
    struct weir_time_bound b = { .size = sizeof b };
    for (uint32_t k = 0; k < op->join.n_rest; k++)
        for (uint32_t i = 0; op->join.expr->time_bound(op->join.rest[k], i, &b); i++) {
            int64_t offset = b.offset_us - (b.strict ? 0 : SLACK_US);
            const int own = (int32_t)b.column == inputs[s].time_column;
            if (b.input != s || b.other_input == s ||
                !is_time(&inputs[1 - s], (int32_t)b.other_column))
                continue;
            if (side->bounded && side->bound_column != (int32_t)b.column && !own) continue;
            if (side->bounded && side->bound_column == (int32_t)b.column &&
                side->offset_us < offset)
                continue;
            side->bounded = 1;
            side->bound_column = (int32_t)b.column;
            side->offset_us = offset;
        }
}

static void find_bounds(struct join_op *op, const struct weir_input *inputs)
{
    int32_t leaf = -1;
    for (uint32_t k = 0; k < op->join.n_keys && leaf < 0; k++) leaf = time_leaf(op, inputs, k);
    for (uint32_t s = 0; s < 2; s++) {
        struct side *side = &op->sides[s];
        side->bound_column = -1;
        if (leaf < 0) {
            find_bound(op, inputs, s);
            continue;
        }
        side->bounded = 1;
        side->time_at = leaf; /* of the leaves; see place_times */
    }
}

/* Of a side: rows of which time are late. One at most, as each of two would say otherwise. */
static int32_t find_late(struct join_op *op, const struct weir_input *input, uint32_t s,
                         struct weir_error *error)
{
    struct side *side = &op->sides[s];
    const struct ArrowSchema *type;
    if (input->time_columns & (input->time_columns - 1))
        return weir_fail_option(error, "scope", -1,
                                "\"%s\" has several event times, of which each says otherwise when "
                                "a row is late: leave all but one out by a select before the join",
                                input->name);
    if (input->time_column < 0) return WEIR_OK;
    type = input->schema->children[input->time_column];
    side->late_field = end_field(type);
    if (is_timestamp(type) || side->late_field >= 0) side->late_column = input->time_column;
    return WEIR_OK;
}

/* ---- the exchange ---- */

static int is_carried(const struct join_op *op, uint32_t s, uint32_t column)
{
    const struct side *side = &op->sides[s];
    if (op->join.needed[s][column] || (int32_t)column == side->bound_column) return 1;
    for (uint32_t k = 0; k < op->join.n_keys; k++)
        if (!op->join.keys[k].is_struct && op->join.keys[k].column[s] == (int32_t)column) return 1;
    return 0;
}

static void place_leaf(struct join_op *op, uint32_t s, uint32_t i)
{
    struct side *side = &op->sides[s];
    const struct join_key *key = &op->join.keys[op->join.leaves[i].key];
    if (!key->is_struct && key->column[s] >= 0) {
        side->leaf_at[i] = (uint32_t)side->at[key->column[s]];
        return;
    }
    side->from[side->n_exchange] = -1;
    side->leaf_at[i] = side->n_exchange++;
}

static int32_t place_columns(struct join_op *op, uint32_t s, struct weir_error *error)
{
    struct side *side = &op->sides[s];
    const struct weir_host *host = op->join.host;
    side->n_inputs = (uint32_t)op->join.inputs[s].schema->n_children;
    side->at = host->alloc(side->n_inputs * sizeof *side->at + 4);
    side->from = host->alloc((side->n_inputs + JOIN_KEYS_MAX + 1) * sizeof *side->from);
    if (!side->at || !side->from) return no_memory(error);
    for (uint32_t c = 0; c < side->n_inputs; c++) {
        side->at[c] = -1;
        if (!is_carried(op, s, c)) continue;
        side->from[side->n_exchange] = (int32_t)c;
        side->at[c] = (int32_t)side->n_exchange++;
    }
    for (uint32_t i = 0; i < op->join.n_leaves; i++) place_leaf(op, s, i);
    if (join_keeps(op->join.type, s) && op->join.n_filters[s]) {
        side->from[side->n_exchange] = -1;
        side->alone_at = (int32_t)side->n_exchange++;
    }
    if (side->bounded)
        side->time_at = side->bound_column >= 0 ? side->at[side->bound_column]
                                                : (int32_t)side->leaf_at[side->time_at];
    return WEIR_OK;
}

static int32_t exchange_column(const struct join_op *op, uint32_t s, uint32_t i, const char *name,
                               struct ArrowSchema *out, struct weir_error *error)
{
    const struct side *side = &op->sides[s];
    const struct ArrowSchema *type = NULL;
    int32_t result;
    if (side->from[i] >= 0) type = op->join.inputs[s].schema->children[side->from[i]];
    for (uint32_t k = 0; k < op->join.n_leaves && !type; k++)
        if (side->leaf_at[k] == i) type = op->join.key.children[k];
    if (!type) return op->join.data->schema_set(out, i, name, WEIR_TYPE_BOOL, error);
    out->children[i]->release(out->children[i]);
    result = op->join.data->schema_copy(type, name, out->children[i], error);
    if (result == WEIR_OK && side->from[i] < 0) out->children[i]->flags |= ARROW_FLAG_NULLABLE;
    return result;
}

static int32_t make_exchange(struct join_op *op, uint32_t s, struct weir_error *error)
{
    struct side *side = &op->sides[s];
    char name[16];
    int32_t result = op->join.data->schema_struct(side->n_exchange, &side->exchange, error);
    for (uint32_t i = 0; i < side->n_exchange && result == WEIR_OK; i++) {
        snprintf(name, sizeof name, "%c%u", side->from[i] >= 0 ? 'c' : 'k', i);
        result = exchange_column(op, s, i, name, &side->exchange, error);
    }
    return result;
}

/* ---- rules ---- */

static int32_t refuse_unbounded(const struct join_op *op, uint32_t s, struct weir_error *error)
{
    const struct join *join = &op->join;
    return weir_fail_option(
        error, "on", -1,
        "a %s join has to know when a row of \"%s\" can't find a partner any more: put a watermark "
        "on a column that is a key, or one on \"%s\" and a condition like %s.time >= %s.time - "
        "interval '1h'",
        option_text(join->host, join->context, "type", ""), join->inputs[s].name,
        join->inputs[1 - s].name, join->inputs[s].name, join->inputs[1 - s].name);
}

static int32_t check_stream(const struct join_op *op, const struct weir_operator_bind *in,
                            struct weir_error *error)
{
    const struct join *join = &op->join;
    if (join->type == JOIN_LEFT_ANTI)
        return weir_fail_option(error, "type", -1,
                                "left_anti is for scope batch; over streams, take left_outer and "
                                "filter by \"… is null\"");
    if (in->output_mode && in->output_mode != WEIR_FORM_APPEND)
        return weir_fail_option(error, "scope", -1,
                                "a join of streams only ever adds rows: it needs output_mode "
                                "append");
    for (uint32_t s = 0; s < 2; s++)
        if (in->inputs[s].form != WEIR_FORM_APPEND)
            return weir_fail_option(error, "scope", -1,
                                    "rows of \"%s\" replace earlier ones; a join of streams takes "
                                    "streams that only add rows",
                                    in->inputs[s].name);
    if (join->n_keys == 0)
        return weir_fail_option(error, "on", -1,
                                "a join of streams needs an equality between \"%s\" and \"%s\"",
                                join->inputs[0].name, join->inputs[1].name);
    if (join->type == JOIN_FULL_OUTER && (op->sides[0].bounded || op->sides[1].bounded))
        return WEIR_OK; /* rows of the other side wait for ever, as in an inner join */
    for (uint32_t s = 0; s < 2; s++)
        if (!op->sides[s].bounded &&
            (join_keeps(join->type, s) || (s == 0 && join->type == JOIN_LEFT_SEMI)))
            return refuse_unbounded(op, s, error);
    return WEIR_OK;
}

static int32_t check_inputs(const struct weir_operator_bind *in, struct weir_error *error)
{
    if (in->n_inputs == 2) return WEIR_OK;
    return weir_fail(error, WEIR_CONFIG,
                     "a join has two inputs, not %u: \"from\": {\"a\": …, \"b\": …}",
                     in->n_inputs);
}

/* ---- the plan ---- */

/* Columns of the result that are event time; those of a side that is always there come first. */
static void plan_times(const struct join_op *op, const struct weir_operator_bind *in,
                       struct weir_operator_plan *out)
{
    const struct join *join = &op->join;
    const uint32_t first = join->type == JOIN_RIGHT_OUTER;
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < join->n_columns && i < 64; i++) {
            const struct join_column *column = &join->columns[i];
            uint32_t side = column->side;
            int32_t source = (int32_t)column->column;
            if (column->expr) source = join->expr->time_source(column->expr, &side);
            if (side != (k ? 1 - first : first) || !is_time(&in->inputs[side], source)) continue;
            out->time_columns[0] |= (uint64_t)1 << i;
            if (out->streams[0].time_column < 0) out->streams[0].time_column = (int32_t)i;
        }
}

static int32_t plan_output(const struct join_op *op, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    const struct join *join = &op->join;
    int32_t result = join_schema(join, &out->streams[0].schema, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].slide = in->inputs[0].slide;
    plan_times(op, in, out);
    out->flags = WEIR_PLAN_READS_KNOWN;
    if (!op->stream) out->flags |= WEIR_PLAN_TICKING;
    if (op->stream && !op->sides[0].bounded && !op->sides[1].bounded)
        out->flags |= WEIR_PLAN_TIMELESS;
    if (join->nondeterministic) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    for (uint32_t s = 0; s < 2; s++) {
        struct weir_distribution *d = &out->distribution[s];
        const int32_t late = op->sides[s].late_column;
        out->reads[s] = join_reads(join, s);
        if (late >= 0) out->reads[s] |= (uint64_t)1 << (late < 63 ? late : 63);
        d->kind = join->n_leaves ? WEIR_DISTRIBUTE_HASHED : WEIR_DISTRIBUTE_SINGLE;
        d->n_columns = join->n_leaves;
        memcpy(d->columns, op->sides[s].leaf_at, sizeof op->sides[s].leaf_at);
        result = join->data->schema_copy(&op->sides[s].exchange, NULL, &d->exchange, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

#define LISTS_MAX 512u

static int holds_lists(const struct ArrowSchema *type)
{
    if (weir_type_of(type) == WEIR_TYPE_LIST) return 1;
    for (int64_t i = 0; i < type->n_children; i++)
        if (holds_lists(type->children[i])) return 1;
    return 0;
}

/* Lists are bytes to the table: their types are told by the signature. */
static void sign_lists(const struct join_op *op, uint32_t s, char *signature, size_t size)
{
    for (uint32_t c = 0; c < op->sides[s].n_inputs; c++) {
        const struct ArrowSchema *type = op->join.inputs[s].schema->children[c];
        if (!(op->join.needed[s][c] & ~JOIN_FOR_LETTER) || !holds_lists(type)) continue;
        if (strlen(signature) + 2 < size) strcat(signature, " ");
        pack_signature(type, signature, size);
    }
}

/* The table of a side: what state fits is told by the condition and the type. */
static int32_t declare(struct join_op *op, uint32_t s, struct weir_error *error)
{
    struct side *side = &op->sides[s];
    const struct join *join = &op->join;
    const char *on = option_text(join->host, join->context, "on", "");
    const char *type = option_text(join->host, join->context, "type", "");
    const size_t room = strlen(on) + strlen(type) + 16;
    char *signature = join->host->alloc(room + LISTS_MAX);
    int32_t result;
    if (!signature) return no_memory(error);
    sprintf(signature, "%s on %s", type, on);
    sign_lists(op, s, signature, room + LISTS_MAX);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_ROWS,
                                    .name = s ? "right" : "left", .key = &join->key,
                                    .n_distribution = join->n_leaves,
                                    .n_columns = side->cells.n_columns,
                                    .columns = side->cells.columns, .version = 1,
                                    .signature = signature };
    result = op->state->declare(join->context, &spec, &side->table, error);
    join->host->free(signature);
    return result;
}

static int32_t bind_state(struct join_op *op, const struct weir_operator_bind *in,
                          struct weir_error *error)
{
    int32_t result = check_stream(op, in, error);
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++) {
        result = cells_bind(op, s, error);
        if (result == WEIR_OK) result = declare(op, s, error);
    }
    return result;
}

int32_t join_op_bind(void *self, const struct weir_operator_bind *in,
                     struct weir_operator_plan *out, struct weir_error *error)
{
    struct join_op *op = self;
    int32_t result = check_inputs(in, error);
    if (result != WEIR_OK) return result;
    const struct weir_expr_input inputs[2] = { { in->inputs[0].name, in->inputs[0].schema },
                                               { in->inputs[1].name, in->inputs[1].schema } };
    op->stream = option_is(option_text(op->join.host, op->join.context, "scope", ""), "stream");
    op->join.probes = op->stream ? 3 : 1;
    result = join_bind(&op->join, inputs, error);
    if (result != WEIR_OK) return result;
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++) {
        op->sides[s].alone_at = op->sides[s].late_column = op->sides[s].bound_column = -1;
        if (op->stream) result = find_late(op, &in->inputs[s], s, error);
    }
    if (result == WEIR_OK && op->stream) find_bounds(op, in->inputs);
    for (uint32_t s = 0; s < 2 && result == WEIR_OK; s++) {
        result = place_columns(op, s, error);
        if (result == WEIR_OK) result = make_exchange(op, s, error);
    }
    if (result == WEIR_OK && op->stream) result = bind_state(op, in, error);
    return result == WEIR_OK ? plan_output(op, in, out, error) : result;
}

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum == INT64_MIN ? INT64_MIN + 1 : sum;
    return b < 0 ? INT64_MIN + 1 : INT64_MAX;
}

/* What may still come out: rows that wait for a partner lag by their offset. */
int64_t join_op_watermark(void *self, const int64_t *inputs, uint32_t n_inputs)
{
    const struct join_op *op = self;
    int64_t least = WEIR_WATERMARK_NONE, out;
    for (uint32_t i = 0; i < n_inputs; i++)
        if (inputs[i] != WEIR_WATERMARK_NONE && (least == WEIR_WATERMARK_NONE || inputs[i] < least))
            least = inputs[i];
    if (least == WEIR_WATERMARK_NONE || !op->stream) return least;
    out = least;
    for (uint32_t s = 0; s < 2; s++) {
        const int64_t of_side = add_saturated(least, op->sides[s].offset_us);
        if (op->sides[s].bounded && of_side < out) out = of_side;
    }
    return out;
}
