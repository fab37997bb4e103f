/*
 * raw.c - the format `raw`: bytes as they are, in one column (value binary).
 *
 * Without `record_length` a partition is one record, which is whole only at its end; with it
 * records have just so many bytes, and a shorter tail is a bad row. Records that come one by one
 * (Kafka values) are rows as they are.
 */
#include <weir/plugin.h>

#include "plugins/share/column.h"
#include "plugins/share/option.h"
#include "plugins/share/render.h"

#define CHUNK_BYTES (8u << 20)

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, "record_length", NULL, NULL,
                "bytes of a record; without it a file is one record"),
};

struct raw {
    const struct weir_host *host;
    const struct weir_data *data;
    uint64_t record_length; /* 0: none */
    uint32_t n_columns;     /* 0: only the number of rows is wanted */
};

struct lane {
    struct weir_context *context;
    struct column column;
};

static int32_t raw_create(const struct weir_host *host, struct weir_context *context, void **self,
                          struct weir_error *error)
{
    struct raw *raw = host->alloc(sizeof *raw);
    struct weir_value value;
    *self = raw;
    if (!raw) return no_memory(error);
    memset(raw, 0, sizeof *raw);
    raw->host = host;
    raw->data = host->get_interface(WEIR_DATA_ID);
    if (!raw->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    if (option_get(host, context, "record_length", &value)) {
        if (value.integer < 1 || value.integer > INT32_MAX)
            return weir_fail_option(error, "record_length", -1, "a record has 1 to 2^31 - 1 bytes");
        raw->record_length = (uint64_t)value.integer;
    }
    return WEIR_OK;
}

static void raw_destroy(void *self)
{
    struct raw *raw = self;
    if (raw) raw->host->free(raw);
}

static int32_t raw_bind_decode(void *self, const struct weir_decode_bind *in,
                               struct weir_decode_plan *out, struct weir_error *error)
{
    struct raw *raw = self;
    uint32_t i;
    if (in->declared && !(in->declared->n_children == 1 &&
                          weir_type_of(in->declared->children[0]) == WEIR_TYPE_BINARY))
        return weir_fail_option(error, "columns", -1, "raw has one column, 'value binary'");
    for (i = 0; i < in->n_wanted; i++)
        if (strcmp(in->wanted[i], "value") != 0)
            return weir_fail(error, WEIR_CONFIG, "raw has no column '%s', only 'value'",
                             in->wanted[i]);
    out->has_head = 0;
    out->one_to_one = 2;
    out->absorbed = 0;
    raw->n_columns = in->wanted ? in->n_wanted : 1;
    if (raw->n_columns == 0) return raw->data->schema_struct(0, &out->schema, error);
    return raw->data->schema_parse("value binary", &out->schema, error);
}

static int32_t raw_frame(void *self, struct weir_bytes bytes, uint32_t flags, uint64_t max_records,
                         struct weir_frame *out, struct weir_error *error)
{
    struct raw *raw = self;
    uint64_t whole;
    (void)error;
    out->end = out->head_end = out->records = 0;
    if (bytes.length == 0 || max_records == 0) return WEIR_OK;
    if (raw->record_length == 0) {
        if (flags & WEIR_FRAME_END) {
            out->end = bytes.length;
            out->records = 1;
        }
        return WEIR_OK;
    }
    whole = bytes.length / raw->record_length;
    out->records = whole < max_records ? whole : max_records;
    out->end = out->records * raw->record_length;
    if ((flags & WEIR_FRAME_END) && out->records < max_records && out->end < bytes.length) {
        out->end = bytes.length;
        out->records++;
    }
    return WEIR_OK;
}

static int32_t raw_lane_create(void *self, struct weir_context *context, void **out,
                               struct weir_error *error)
{
    struct raw *raw = self;
    struct lane *lane = raw->host->alloc(sizeof *lane);
    struct ArrowSchema schema;
    int32_t status;
    *out = lane;
    if (!lane) return no_memory(error);
    memset(lane, 0, sizeof *lane);
    lane->context = context;
    status = raw->data->schema_parse("value binary", &schema, error);
    if (status != WEIR_OK) return status;
    status = column_init(&lane->column, raw->host, schema.children[0], 0, error);
    schema.release(&schema);
    return status;
}

static void raw_lane_destroy(void *self, void *p)
{
    struct raw *raw = self;
    struct lane *lane = p;
    if (!lane) return;
    column_free(&lane->column);
    raw->host->free(lane);
}

static int32_t flush(struct raw *raw, struct lane *lane, struct weir_error *error)
{
    struct weir_emission emission;
    if (raw->n_columns == 0) {
        memset(&emission, 0, sizeof emission);
        emission.size = (uint32_t)sizeof emission;
        emission.rows = lane->column.rows;
        column_truncate(&lane->column, 0);
        return emission.rows ? raw->host->emit(lane->context, &emission, error) : WEIR_OK;
    }
    return columns_emit(&lane->column, 1, lane->column.rows, lane->context, error);
}

static int32_t take(struct raw *raw, struct lane *lane, struct weir_bytes record,
                    struct weir_error *error)
{
    if (raw->record_length && record.length != raw->record_length)
        return raw->host->reject_bytes(lane->context, record, WEIR_REJECT_DECODE,
                                       record.length < raw->record_length
                                           ? "a record is shorter than record_length"
                                           : "a record is longer than record_length",
                                       error);
    if (lane->column.rows && (lane->column.rows == WEIR_CHUNK_TARGET_ROWS ||
                              lane->column.length + record.length > CHUNK_BYTES)) {
        int32_t status = flush(raw, lane, error);
        if (status != WEIR_OK) return status;
    }
    return column_add_bytes(&lane->column, record.data, record.length) ? WEIR_OK
                                                                       : no_memory(error);
}

static int32_t raw_decode(void *self, void *p, const struct weir_records *records,
                          struct weir_error *error)
{
    struct raw *raw = self;
    struct lane *lane = p;
    int32_t status = WEIR_OK;
    uint64_t at, step = raw->record_length ? raw->record_length : records->length;
    uint32_t i;
    column_truncate(&lane->column, 0);
    for (i = 0; status == WEIR_OK && i + 1 < records->n_offsets; i++) {
        struct weir_bytes record = { records->bytes + records->offsets[i],
                                     (uint64_t)(records->offsets[i + 1] - records->offsets[i]) };
        status = take(raw, lane, record, error);
    }
    for (at = 0; status == WEIR_OK && !records->n_offsets && at < records->length; at += step) {
        struct weir_bytes record = { records->bytes + at, step };
        if (records->length - at < step) record.length = records->length - at;
        status = take(raw, lane, record, error);
    }
    return status == WEIR_OK ? flush(raw, lane, error) : status;
}

static int32_t raw_bind_encode(void *self, const struct ArrowSchema *schema,
                               struct weir_error *error)
{
    (void)self;
    if (schema->n_children == 1 && (weir_type_of(schema->children[0]) == WEIR_TYPE_UTF8 ||
                                    weir_type_of(schema->children[0]) == WEIR_TYPE_BINARY))
        return WEIR_OK;
    return weir_fail_option(error, "format", -1,
                            "raw holds one column of type binary or string, not %lld columns",
                            (long long)schema->n_children);
}

static int32_t raw_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                          struct weir_buffer *out, struct weir_error *error)
{
    struct raw *raw = self;
    uint64_t before = out->length;
    uint32_t i;
    (void)lane;
    (void)flags;
    for (i = 0; chunk && i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        struct weir_bytes value = { NULL, 0 };
        if (!weir_is_null(chunk->array->children[0], row))
            value = weir_get_bytes(chunk->array->children[0], row);
        if (raw->record_length && value.length != raw->record_length) {
            out->length = before;
            if (error) error->code = (int32_t)row;
            return weir_fail(error, WEIR_DATA, "a value has not the length of a record");
        }
        if (render_bytes(raw->host, value.data, value.length, out) != WEIR_OK) {
            out->length = before;
            return no_memory(error);
        }
    }
    return WEIR_OK;
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = raw_create,
    .destroy = raw_destroy,
    .bind_decode = raw_bind_decode,
    .frame = raw_frame,
    .lane_create = raw_lane_create,
    .lane_destroy = raw_lane_destroy,
    .decode = raw_decode,
    .bind_encode = raw_bind_encode,
    .encode = raw_encode,
    .extension = "bin",
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_FORMAT,
      .name = "raw",
      .summary = "bytes as they are (value binary)",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .table = &format },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.format.raw",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
