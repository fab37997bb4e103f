/*
 * host.c - the host table: what every plugin gets, and the interfaces by id.
 *
 * The table is thin. What needs the running job goes to context->ops, which run/ fills; where a
 * context has no ops, or ops lack a function, the answer is UNSUPPORTED (or nothing, for functions
 * that can't fail). So the same plugin code can be created and bound by `weir check`. What a plugin
 * passes is input: a NULL context is answered, not followed.
 */
#include <pthread.h>

#include "core/data/chunk.h"
#include "core/load/decoder.h"
#include "core/load/services.h"
#include "core/load/table_format.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

#define HAS(context, function) ((context) && (context)->ops && (context)->ops->function)

static int32_t unsupported(struct weir_error *error, const char *what)
{
    return weir_fail(error, WEIR_UNSUPPORTED, "`%s` works only in a running job", what);
}

static void host_log(struct weir_context *context, int32_t level, const char *text)
{
    if (!context || !text) return;
    if (level < WEIR_LOG_ERROR || level > WEIR_LOG_DEBUG) level = WEIR_LOG_INFO;
    journal_add(context->journal, level, context->instance,
                context->ops ? (int64_t)context->batch : -1, "%s", text);
}

static void host_count(struct weir_context *context, const char *name, int64_t delta)
{
    if (HAS(context, count)) context->ops->count(context, name, delta);
}

static void host_gauge(struct weir_context *context, const char *name, double value)
{
    if (HAS(context, gauge)) context->ops->gauge(context, name, value);
}

static int32_t host_option(struct weir_context *context, const char *name, struct weir_value *out)
{
    if (!context || !context->options) return WEIR_UNSUPPORTED;
    return options_get(context->options, name, out);
}

static int32_t host_option_item(struct weir_context *context, const char *name, uint64_t index,
                                struct weir_value *out)
{
    if (!context || !context->options) return WEIR_UNSUPPORTED;
    return options_item(context->options, name, index, out);
}

static int32_t host_emit(struct weir_context *lane, const struct weir_emission *emission,
                         struct weir_error *error)
{
    if (HAS(lane, emit)) return lane->ops->emit(lane, emission, error);
    for (uint32_t i = 0; i < emission->n_columns; i++)
        if (emission->columns[i].input < 0) array_release(emission->columns[i].array);
    return unsupported(error, "emit");
}

static int32_t host_reject(struct weir_context *lane, const struct weir_chunk *chunk, uint32_t row,
                           int32_t code, const char *text, struct weir_error *error)
{
    if (!HAS(lane, reject)) return unsupported(error, "reject");
    return lane->ops->reject(lane, chunk, row, code, text, error);
}

static int32_t host_reject_bytes(struct weir_context *lane, struct weir_bytes record, int32_t code,
                                 const char *text, struct weir_error *error)
{
    if (!HAS(lane, reject_bytes)) return unsupported(error, "reject_bytes");
    return lane->ops->reject_bytes(lane, record, code, text, error);
}

static int64_t host_started_us(struct weir_context *context)
{
    if (context && context->has_started) return context->started_us;
    return context && context->sys ? sys_now(context->sys) : 0;
}

static int64_t host_now_us(struct weir_context *context)
{
    return context && context->sys ? sys_now(context->sys) : 0;
}

static void host_wake(struct weir_context *context)
{
    if (HAS(context, wake)) context->ops->wake(context);
}

static void host_wake_after(struct weir_context *context, int64_t delay_us)
{
    if (HAS(context, wake_after)) context->ops->wake_after(context, delay_us);
}

static int32_t host_cancelled(struct weir_context *context)
{
    return HAS(context, cancelled) ? context->ops->cancelled(context) : 0;
}

/* ---- weir.format/1 ---- */

static int32_t format_frame(struct weir_context *context, struct weir_bytes bytes, uint32_t flags,
                            uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    if (!HAS(context, frame)) return unsupported(error, "frame");
    return context->ops->frame(context, bytes, flags, max_records, out, error);
}

static int32_t format_encode(struct weir_context *context, const struct weir_chunk *chunk,
                             uint32_t flags, struct weir_buffer *out, struct weir_error *error)
{
    if (!HAS(context, encode)) return unsupported(error, "encode");
    return context->ops->encode(context, chunk, flags, out, error);
}

static int32_t format_bind_encode(struct weir_context *context, const struct ArrowSchema *schema,
                                  struct weir_error *error)
{
    if (!HAS(context, bind_encode)) return unsupported(error, "bind_encode");
    return context->ops->bind_encode(context, schema, error);
}

static const char *format_extension(struct weir_context *context)
{
    const char *text = HAS(context, extension) ? context->ops->extension(context) : NULL;
    return text ? text : "";
}

static const struct weir_formats formats_1 = {
    .size = sizeof formats_1,
    .frame = format_frame,
    .encode = format_encode,
    .bind_encode = format_bind_encode,
    .extension = format_extension,
    .bind_decode = decoder_bind,
    .decoder_create = decoder_create,
    .decoder_destroy = decoder_destroy,
    .decode = decoder_decode,
    .table_bind = table_format_bind,
    .table_read = table_format_read,
};

/* ---- weir.state/1: that of core/state, with the `declare` that knows the context ---- */

static struct weir_state_table state_1;
static struct weir_combine_table combine_1; /* with the seed of the job */
static pthread_once_t state_once = PTHREAD_ONCE_INIT;

static int32_t combine_make(struct weir_context *lane, const struct weir_table_spec *spec,
                            struct weir_combine **out, struct weir_error *error)
{
    return combine_create(lane ? lane->seed : 0, spec, out, error);
}

static int32_t state_declare(struct weir_context *context, const struct weir_table_spec *spec,
                             uint32_t *table, struct weir_error *error)
{
    if (spec->size < sizeof *spec)
        return weir_fail(error, WEIR_CONFIG, "a table spec needs %zu bytes, it says %u",
                         sizeof *spec, spec->size);
    if (!context || !context->tables)
        return weir_fail(error, WEIR_UNSUPPORTED, "only operators may keep state, in their bind");
    return store_declare(context->tables, spec, table, error);
}

static void state_make(void)
{
    state_1 = weir_state_1;
    state_1.declare = state_declare;
    combine_1 = weir_combine_1;
    combine_1.create = combine_make;
}

/* ---- by id ---- */

static const void *host_get_interface(const char *id)
{
    static const struct weir_interface known[] = {
        { WEIR_DATA_ID, &weir_data_1 },   { WEIR_COMBINE_ID, &combine_1 },
        { WEIR_STATE_ID, &state_1 },      { WEIR_EXPR_ID, &weir_expr_1 },
        { WEIR_FORMAT_ID, &formats_1 },   { WEIR_IO_ID, &weir_io_1 },
    };
    pthread_once(&state_once, state_make);
    for (size_t i = 0; id && i < sizeof known / sizeof *known; i++)
        if (strcmp(id, known[i].id) == 0) return known[i].table;
    return NULL;
}

const struct weir_host weir_host_1 = {
    .size = sizeof weir_host_1,
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR,
    .version = PACKAGE_VERSION,
    .alloc = mem_alloc,
    .realloc = mem_realloc,
    .free = mem_free,
    .buffer_grow = buffer_grow,
    .get_interface = host_get_interface,
    .log = host_log,
    .count = host_count,
    .gauge = host_gauge,
    .option = host_option,
    .option_item = host_option_item,
    .chunk_retain = chunk_retain,
    .chunk_release = chunk_release,
    .emit = host_emit,
    .reject = host_reject,
    .reject_bytes = host_reject_bytes,
    .now_us = host_now_us,
    .started_us = host_started_us,
    .wake = host_wake,
    .wake_after = host_wake_after,
    .cancelled = host_cancelled,
};
