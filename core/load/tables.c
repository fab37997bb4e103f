/*
 * tables.c - tables of functions at the size that this weir knows.
 *
 *  1. The copy begins as the table of stubs of its kind: each function answers UNSUPPORTED, or does
 *     nothing where it returns nothing; optional functions are NULL.
 *  2. Over it go the bytes of the module's table, as far as both have them, in whole pointers.
 *  3. Then a NULL in a place that the headers don't call optional can only have come from the
 *     module: it is refused by the function's name. A shorter table therefore is fine (it was made
 *     before the function was), a hole in it is not.
 *
 * A format may be for sources or sinks only: of each side either all functions are there or none,
 * and none becomes stubs.
 */
#include "core/load/tables.h"

#include "core/load/why.h"

#define LACKS(name) weir_fail(error, WEIR_UNSUPPORTED, "the plugin does not have `" name "`")

static int32_t no_create(const struct weir_host *host, struct weir_context *context, void **self,
                         struct weir_error *error)
{
    (void)host, (void)context;
    *self = NULL;
    return LACKS("create");
}

static void no_call(void *self)
{
    (void)self;
}

static int32_t no_abort(void *self, struct weir_error *error)
{
    (void)self;
    return LACKS("finish or abort");
}

static int32_t no_lane_create(void *self, struct weir_context *context, void **lane,
                              struct weir_error *error)
{
    (void)self, (void)context;
    *lane = NULL;
    return LACKS("lane_create");
}

static void no_lane_destroy(void *self, void *lane)
{
    (void)self, (void)lane;
}

/* ---- source ---- */

static int32_t no_source_bind(void *self, const struct weir_source_bind *in,
                              struct weir_source_plan *out, struct weir_error *error)
{
    (void)self, (void)in, (void)out;
    return LACKS("bind");
}

static int32_t no_source_open(void *self, struct weir_error *error)
{
    (void)self;
    return LACKS("open");
}

static int32_t no_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    (void)self, (void)list;
    return LACKS("partitions");
}

static int32_t no_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                       struct weir_error *error)
{
    (void)self, (void)in, (void)out;
    return LACKS("next");
}

static int32_t no_source_commit(void *self, const char *partition, struct weir_bytes position,
                                struct weir_error *error)
{
    (void)self, (void)partition, (void)position;
    return LACKS("commit");
}

static int32_t no_position_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    (void)self, (void)position, (void)text, (void)size;
    return WEIR_UNSUPPORTED;
}

static const struct weir_source no_source = {
    sizeof no_source, 0, no_create, no_call, no_source_bind, no_source_open, no_partitions, no_next,
    no_source_commit, no_position_text, no_call, no_call, NULL,
};

/* ---- format ---- */

static int32_t no_bind_decode(void *self, const struct weir_decode_bind *in,
                              struct weir_decode_plan *out, struct weir_error *error)
{
    (void)self, (void)in, (void)out;
    return weir_fail(error, WEIR_UNSUPPORTED, "the format is for sinks only");
}

static int32_t no_frame(void *self, struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                        struct weir_frame *out, struct weir_error *error)
{
    (void)self, (void)bytes, (void)flags, (void)max_records, (void)out;
    return LACKS("frame");
}

static int32_t no_decode(void *self, void *lane, const struct weir_records *records,
                         struct weir_error *error)
{
    (void)self, (void)lane, (void)records;
    return LACKS("decode");
}

static int32_t no_bind_encode(void *self, const struct ArrowSchema *schema,
                              struct weir_error *error)
{
    (void)self, (void)schema;
    return weir_fail(error, WEIR_UNSUPPORTED, "the format is for sources only");
}

static int32_t no_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                         struct weir_buffer *out, struct weir_error *error)
{
    (void)self, (void)lane, (void)chunk, (void)flags, (void)out;
    return LACKS("encode");
}

static const struct weir_format no_format = {
    sizeof no_format, 0, no_create, no_call, no_bind_decode, no_frame, no_lane_create,
    no_lane_destroy, no_decode, no_bind_encode, no_encode, "",
};

/* ---- operator ---- */

static int32_t no_operator_bind(void *self, const struct weir_operator_bind *in,
                                struct weir_operator_plan *out, struct weir_error *error)
{
    (void)self, (void)in, (void)out;
    return LACKS("bind");
}

static int32_t no_operator_begin(void *self, void *lane, const struct weir_begin *in,
                                 struct weir_error *error)
{
    (void)self, (void)lane, (void)in;
    return LACKS("begin");
}

static int32_t no_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                          struct weir_error *error)
{
    (void)self, (void)lane, (void)input, (void)chunk;
    return LACKS("process");
}

static const struct weir_operator no_operator = {
    sizeof no_operator, 0, no_create, no_call, no_operator_bind, no_lane_create, no_lane_destroy,
    no_operator_begin, no_process, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
};

/* ---- sink ---- */

static int32_t no_sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self, (void)in;
    return LACKS("bind");
}

static int32_t no_sink_open(void *self, const struct weir_identity *identity,
                            struct weir_error *error)
{
    (void)self, (void)identity;
    return LACKS("open");
}

static int32_t no_recover(void *self, const struct weir_committable *list, uint32_t n,
                          uint64_t next_batch, struct weir_error *error)
{
    (void)self, (void)list, (void)n, (void)next_batch;
    return LACKS("recover");
}

static int32_t no_sink_begin(void *self, const struct weir_sink_batch *batch,
                             struct weir_error *error)
{
    (void)self, (void)batch;
    return LACKS("begin");
}

static int32_t no_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    (void)self, (void)chunk;
    return LACKS("write");
}

static int32_t no_prepare(void *self, struct weir_buffer *committable, struct weir_error *error)
{
    (void)self, (void)committable;
    return LACKS("prepare");
}

static int32_t no_sink_commit(void *self, const struct weir_committable *committable,
                              uint32_t *outcome, struct weir_error *error)
{
    (void)self, (void)committable, (void)outcome;
    return LACKS("commit");
}

static const struct weir_sink no_sink = {
    sizeof no_sink, 0, no_create, no_call, no_sink_bind, no_sink_open, no_recover, no_sink_begin,
    no_write, no_abort, no_prepare, no_sink_commit, no_abort, no_call, no_call, NULL,
};

/* ---- functions ---- */

static int32_t no_scalar_bind(const struct weir_host *host, const struct weir_argument *args,
                              uint32_t n_args, struct ArrowSchema *result, void **bound,
                              struct weir_error *error)
{
    (void)host, (void)args, (void)n_args, (void)result;
    *bound = NULL;
    return LACKS("bind");
}

static int32_t no_eval(const struct weir_host *host, void *bound, const struct weir_call *call,
                       struct ArrowArray *out, struct weir_error *error)
{
    (void)host, (void)bound, (void)call;
    out->release = NULL;
    return LACKS("eval");
}

static const struct weir_scalar no_scalar = {
    sizeof no_scalar, 0, no_scalar_bind, no_call, no_eval,
};

static int32_t no_aggregate_bind(const struct weir_host *host, const struct weir_argument *args,
                                 uint32_t n_args, struct weir_aggregate_plan *plan, void **bound,
                                 struct weir_error *error)
{
    (void)host, (void)args, (void)n_args, (void)plan;
    *bound = NULL;
    return LACKS("bind");
}

static int32_t no_update(void *bound, const struct weir_cells *cells, const uint32_t *slots,
                         const struct weir_call *call, struct weir_error *error)
{
    (void)bound, (void)cells, (void)slots, (void)call;
    return LACKS("update or merge");
}

static int32_t no_finish(const struct weir_host *host, void *bound, const struct weir_cells *cells,
                         const uint32_t *slots, uint32_t from, uint32_t n, uint8_t *failed,
                         char *reason, struct ArrowArray *out, struct weir_error *error)
{
    (void)host, (void)bound, (void)cells, (void)slots, (void)from, (void)n, (void)failed;
    (void)reason;
    out->release = NULL;
    return LACKS("finish");
}

static const struct weir_aggregate no_aggregate = {
    sizeof no_aggregate, 0, no_aggregate_bind, no_call, no_update, no_update, NULL, no_finish,
};

/* ---- what must be there ---- */

#define ALWAYS 1u
#define DECODES 2u   /* of the side of a format that sources use: all or none */
#define ENCODES 4u   /* of the side that sinks use */
#define COMBINES 8u  /* of the combine side: all or none */
#define TWO_PHASE 16u
#define FINISHES 32u /* not two-phase */

struct place {
    uint32_t offset;
    uint32_t when;
    const char *name;
};

#define AT(type, when, member) { (uint32_t)offsetof(struct weir_##type, member), when, #member }

static const struct place source_places[] = {
    AT(source, ALWAYS, create), AT(source, ALWAYS, destroy), AT(source, ALWAYS, bind),
    AT(source, ALWAYS, open), AT(source, ALWAYS, partitions), AT(source, ALWAYS, next),
    AT(source, ALWAYS, commit), AT(source, ALWAYS, position_text), AT(source, ALWAYS, cancel),
    AT(source, ALWAYS, close), { 0, 0, NULL },
};

static const struct place format_places[] = {
    AT(format, ALWAYS, create), AT(format, ALWAYS, destroy), AT(format, DECODES, bind_decode),
    AT(format, DECODES, frame), AT(format, ALWAYS, lane_create), AT(format, ALWAYS, lane_destroy),
    AT(format, DECODES, decode), AT(format, ENCODES, bind_encode), AT(format, ENCODES, encode),
    { 0, 0, NULL },
};

static const struct place operator_places[] = {
    AT(operator, ALWAYS, create), AT(operator, ALWAYS, destroy), AT(operator, ALWAYS, bind),
    AT(operator, ALWAYS, lane_create), AT(operator, ALWAYS, lane_destroy),
    AT(operator, ALWAYS, process), AT(operator, COMBINES, combine),
    AT(operator, COMBINES, combine_end), { 0, 0, NULL },
};

static const struct place sink_places[] = {
    AT(sink, ALWAYS, create), AT(sink, ALWAYS, destroy), AT(sink, ALWAYS, bind),
    AT(sink, ALWAYS, open), AT(sink, TWO_PHASE, recover), AT(sink, ALWAYS, begin),
    AT(sink, ALWAYS, write), AT(sink, FINISHES, finish), AT(sink, TWO_PHASE, prepare),
    AT(sink, TWO_PHASE, commit), AT(sink, ALWAYS, abort), AT(sink, ALWAYS, cancel),
    AT(sink, ALWAYS, close), { 0, 0, NULL },
};

static const struct place scalar_places[] = {
    AT(scalar, ALWAYS, bind), AT(scalar, ALWAYS, unbind), AT(scalar, ALWAYS, eval), { 0, 0, NULL },
};

static const struct place aggregate_places[] = {
    AT(aggregate, ALWAYS, bind), AT(aggregate, ALWAYS, unbind), AT(aggregate, ALWAYS, update),
    AT(aggregate, ALWAYS, merge), AT(aggregate, ALWAYS, finish), { 0, 0, NULL },
};

static const struct shape {
    const void *stubs;
    uint32_t size;
    const struct place *places;
} shapes[] = {
    [WEIR_KIND_SOURCE] = { &no_source, sizeof no_source, source_places },
    [WEIR_KIND_FORMAT] = { &no_format, sizeof no_format, format_places },
    [WEIR_KIND_OPERATOR] = { &no_operator, sizeof no_operator, operator_places },
    [WEIR_KIND_SINK] = { &no_sink, sizeof no_sink, sink_places },
    [WEIR_KIND_SCALAR] = { &no_scalar, sizeof no_scalar, scalar_places },
    [WEIR_KIND_AGGREGATE] = { &no_aggregate, sizeof no_aggregate, aggregate_places },
};

static int is_there(const union table *table, const struct place *place)
{
    void *function;
    memcpy(&function, (const char *)table + place->offset, sizeof function);
    return function != NULL;
}

/* Which groups of functions this table must have whole, as bits. */
static uint32_t groups_of(const struct weir_component *component, const union table *table,
                          const struct shape *shape)
{
    uint32_t groups = ALWAYS;
    for (const struct place *p = shape->places; p->name; p++)
        if (p->when & (DECODES | ENCODES | COMBINES) && is_there(table, p)) groups |= p->when;
    if (component->kind == WEIR_KIND_SINK)
        groups |= component->level == WEIR_SINK_TWO_PHASE ? TWO_PHASE : FINISHES;
    return groups;
}

/* Stubs for the sides that a format does not have. */
static void mend_format(struct weir_format *format, uint32_t groups)
{
    if (!(groups & DECODES)) {
        format->bind_decode = no_bind_decode;
        format->frame = no_frame;
        format->decode = no_decode;
    }
    if (!(groups & ENCODES)) {
        format->bind_encode = no_bind_encode;
        format->encode = no_encode;
    }
    if (!format->extension) format->extension = "";
}

int table_copy(const struct weir_component *component, union table *out, char *why, size_t size)
{
    const struct shape *shape = &shapes[component->kind];
    const union table *given = component->table;
    if (!given || given->size < 2 * sizeof(uint32_t))
        return refuse("needs a table of functions for `%s`; it is %s: set it in the descriptor",
                      component->name, given ? "shorter than its own header" : "NULL");
    uint32_t length = given->size < shape->size ? given->size : shape->size;
    memset(out, 0, sizeof *out);
    memcpy(out, shape->stubs, shape->size);
    memcpy(out, given, length - length % sizeof(void *));
    out->size = shape->size;
    uint32_t groups = groups_of(component, out, shape);
    for (const struct place *p = shape->places; p->name; p++)
        if (p->when & groups && !is_there(out, p))
            return refuse("needs the function `%s` in the table of `%s`; it is NULL: fill it "
                          "in, it is not optional", p->name, component->name);
    if (component->kind == WEIR_KIND_FORMAT) mend_format(&out->format, groups);
    if (component->kind == WEIR_KIND_FORMAT && !(groups & (DECODES | ENCODES)))
        return refuse("needs `decode` or `encode` in the table of `%s`; both are NULL: fill in one "
                      "side", component->name);
    return 0;
}
