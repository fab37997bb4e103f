/*
 * weir/stateful.h - a state function in C: per key one record of state, on the host's tables.
 *
 *     static int32_t update(struct weir_stateful_row *r, struct weir_error *error)
 *     {
 *         int64_t *total = weir_stateful_int(r, 0);
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
 * The first `n_key` columns of `inputs` are the key; rows of a key come in order. State is zero for a new key, is written
 * with the batch and survives restarts and other numbers of workers.
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
    uint32_t n_key;                /* leading columns of inputs that are the key */
    const char *state;             /* DDL of the record; fixed-width types */
    int32_t (*update)(struct weir_stateful_row *row, struct weir_error *error);
    uint32_t version;              /* of the meaning of the state */
};

struct weir_stateful_self {
    struct weir_row_self row; /* first: the row functions see it */
    const struct weir_stateful *spec;
    const struct weir_state_table *table;
    struct ArrowSchema key, state;
    uint32_t number;
};

struct weir_stateful_row {
    struct weir_row row; /* first: the lane */
    struct weir_state *state;
    struct weir_view views[WEIR_ROW_COLUMNS];
    uint32_t *slots;
    uint32_t capacity;
    uint32_t slot;
};

/* Cell c of the key's record; int64 and timestamp, or float64. Valid inside `update`. */
static inline int64_t *weir_stateful_int(struct weir_stateful_row *r, uint32_t c)
{
    return (int64_t *)(void *)(r->views[c].base + (uint64_t)r->slot * r->views[c].stride);
}

static inline double *weir_stateful_float(struct weir_stateful_row *r, uint32_t c)
{
    return (double *)(void *)(r->views[c].base + (uint64_t)r->slot * r->views[c].stride);
}

/* Drops the key's state; its record is readable until the batch ends. */
static inline int32_t weir_stateful_remove(struct weir_stateful_row *r)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)(void *)r->row.self;
    return s->table->remove(r->state, s->number, &r->slot, 1);
}

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
    return s->row.data_table->schema_parse(spec->state, &s->state, error);
}

WEIR_UNUSED static void weir_stateful_destroy(void *self)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    if (!s) return;
    if (s->key.release) s->key.release(&s->key);
    if (s->state.release) s->state.release(&s->state);
    weir_row_destroy(self);
}

WEIR_UNUSED static int32_t weir_stateful_bind(void *self, const struct weir_operator_bind *in,
                                              struct weir_operator_plan *out,
                                              struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    const struct weir_data *d = s->row.data_table;
    struct weir_table_column columns[WEIR_ROW_COLUMNS];
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
    for (c = 0; c < (uint32_t)s->state.n_children && c < WEIR_ROW_COLUMNS; c++) {
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
    spec.columns = columns;
    spec.version = s->spec->version;
    spec.signature = "";
    return s->table->declare(s->row.context, &spec, &s->number, error);
}

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

WEIR_UNUSED static void weir_stateful_lane_end(void *self, void *lane)
{
    struct weir_row_self *s = (struct weir_row_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)lane;
    if (!r) return;
    s->host->free(r->slots);
    weir_row_lane_end(self, lane);
}

WEIR_UNUSED static int32_t weir_stateful_begin(void *self, void *lane, const struct weir_begin *in,
                                               struct weir_error *error)
{
    ((struct weir_stateful_row *)lane)->state = in->state;
    return weir_row_begin(self, lane, in, error);
}

WEIR_UNUSED static int32_t weir_stateful_slots(struct weir_stateful_self *s,
                                               struct weir_stateful_row *r,
                                               const struct weir_chunk *chunk,
                                               struct weir_error *error)
{
    const struct ArrowArray *keys[WEIR_ROW_COLUMNS];
    uint32_t c;
    int32_t result;
    if (r->capacity < chunk->selected) {
        s->row.host->free(r->slots);
        r->capacity = 0;
        r->slots = (uint32_t *)s->row.host->alloc((uint64_t)chunk->selected * 4);
        if (!r->slots) return weir_fail(error, WEIR_FATAL, "out of memory");
        r->capacity = chunk->selected;
    }
    for (c = 0; c < s->spec->n_key; c++) keys[c] = chunk->array->children[s->row.columns[c]];
    result = s->table->lookup_or_insert(r->state, s->number, keys, chunk->hash, chunk->selection,
                                        chunk->selected, r->slots, error);
    for (c = 0; c < (uint32_t)s->state.n_children && c < WEIR_ROW_COLUMNS; c++)
        r->views[c] = s->table->column(r->state, s->number, c);
    return result;
}

WEIR_UNUSED static int32_t weir_stateful_process(void *self, void *lane, uint32_t input,
                                                 const struct weir_chunk *chunk,
                                                 struct weir_error *error)
{
    struct weir_stateful_self *s = (struct weir_stateful_self *)self;
    struct weir_stateful_row *r = (struct weir_stateful_row *)lane;
    uint32_t i;
    int32_t result = weir_stateful_slots(s, r, chunk, error);
    (void)input;
    if (result != WEIR_OK) return result;
    r->row.chunk = chunk;
    for (i = 0; i < chunk->selected; i++) {
        struct weir_error bad;
        weir_error_init(&bad);
        r->row.number = weir_row(chunk, i);
        r->slot = r->slots[i];
        result = s->spec->update(r, &bad);
        if (result == WEIR_DATA)
            result = s->row.host->reject(r->row.context, chunk, r->row.number,
                                         WEIR_REJECT_OPERATOR, bad.text, error);
        else if (result != WEIR_OK)
            weir_fail(error, result, "%s", bad.text);
        if (result != WEIR_OK) return result;
    }
    return weir_row_flush(&r->row, error);
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
        weir_stateful_process, 0, 0, 0, 0, 0, 0                                                    \
    };

#ifdef __cplusplus
}
#endif
#endif
