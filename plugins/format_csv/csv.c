/*
 * csv.c - the format `csv`: a record is a line of fields (csv_scan.h), a row has the declared
 * columns.
 *
 *  1. Fields go by place, or, with `header`, by the names of the first line, which is the head of
 *     the partition. A declared column that the header lacks fails the file.
 *  2. An unquoted field equal to `null_value` is null; a quoted one is text.
 *  3. A record is bad as a whole: number of fields, an open quote, text behind a closing one, a
 *     value that does not fit. With on_error "null" bad fields are null and `_corrupt_record`, if
 *     it is declared, gets the text of the record. That column is no field.
 *  4. An empty line is no record. Where records come one by one (values of a column), each must hold
 *     just one: none, or a second one, makes it bad.
 */
#include "plugins/format_csv/csv.h"

#include "plugins/share/option.h"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "columns", NULL, NULL,
                "the columns, \"user string, amount double\" (needed by sources)"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "header", "false", NULL,
                "the first line names the fields; sinks write one"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "delimiter", ",", NULL, "1 to 8 bytes between fields"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "quote", "\"", NULL,
                "the byte around quoted fields; \"\" for none"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "null_value", "", NULL, "the unquoted field that means null"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "timestamp_unit", NULL, "s|ms|us",
                "timestamps are numbers since 1970 in this unit"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "invalid", "dead_letter", "dead_letter|replace",
                "what becomes of text that is not UTF-8"),
};

static void schema_release(struct ArrowSchema *schema)
{
    if (schema->release) schema->release(schema);
}

static int32_t read_dialect(struct csv *csv, struct weir_context *context,
                            struct weir_error *error)
{
    struct weir_value value;
    csv->dialect.delimiter[0] = ',';
    csv->dialect.n_delimiter = 1;
    csv->dialect.quote = '"';
    if (option_get(csv->host, context, "delimiter", &value)) {
        if (value.length < 1 || value.length > 8 || memchr(value.text, '\n', value.length) ||
            memchr(value.text, '\r', value.length))
            return weir_fail_option(error, "delimiter", -1,
                                    "a delimiter has 1 to 8 bytes and no line break");
        memcpy(csv->dialect.delimiter, value.text, value.length);
        csv->dialect.n_delimiter = (uint32_t)value.length;
    }
    if (option_get(csv->host, context, "quote", &value)) {
        if (value.length > 1 || (value.length == 1 && strchr("\n\r", value.text[0])))
            return weir_fail_option(error, "quote", -1, "a quote is one byte, or empty for none");
        csv->dialect.quote = value.length ? (uint8_t)value.text[0] : -1;
    }
    if (csv->dialect.quote == (uint8_t)csv->dialect.delimiter[0])
        return weir_fail_option(error, "quote", -1, "quote and delimiter begin alike");
    return WEIR_OK;
}

static int32_t csv_create(const struct weir_host *host, struct weir_context *context, void **self,
                          struct weir_error *error)
{
    struct csv *csv = host->alloc(sizeof *csv);
    struct weir_value value;
    const char *unit;
    *self = csv;
    if (!csv) return no_memory(error);
    memset(csv, 0, sizeof *csv);
    csv->host = host;
    csv->corrupt = -1;
    csv->data = host->get_interface(WEIR_DATA_ID);
    if (!csv->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    csv->header = option_integer(host, context, "header", 0) != 0;
    csv->replace = option_is(option_text(host, context, "invalid", NULL), "replace");
    csv->null_value = "";
    if (option_get(host, context, "null_value", &value)) {
        csv->null_value = value.text;
        csv->n_null = value.length;
    }
    unit = option_text(host, context, "timestamp_unit", NULL);
    csv->timestamp_unit = option_is(unit, "s")    ? 1000000
                          : option_is(unit, "ms") ? 1000
                          : option_is(unit, "us") ? 1
                                                  : 0;
    return read_dialect(csv, context, error);
}

static void csv_destroy(void *self)
{
    struct csv *csv = self;
    if (!csv) return;
    schema_release(&csv->declared);
    schema_release(&csv->wanted);
    csv->host->free(csv->wanted_of);
    csv->host->free(csv);
}

static int32_t csv_check_type(const struct ArrowSchema *column, struct weir_error *error)
{
    uint32_t type = weir_type_of(column);
    if (type == WEIR_TYPE_LIST || type == WEIR_TYPE_STRUCT || type == WEIR_TYPE_NONE)
        return weir_fail(error, WEIR_CONFIG,
                         "csv can't hold column '%s': lists and structs need json", column->name);
    return WEIR_OK;
}

/* Copies column i of the declared ones to the end of the wanted ones. */
static int32_t want(struct csv *csv, uint32_t i, uint32_t at, struct weir_error *error)
{
    struct ArrowSchema copy;
    int32_t status = csv->data->schema_copy(csv->declared.children[i], NULL, &copy, error);
    if (status != WEIR_OK) return status;
    csv->wanted_of[i] = (int32_t)at;
    if (strcmp(copy.name, CSV_CORRUPT) == 0) csv->corrupt = (int32_t)at;
    schema_release(csv->wanted.children[at]);
    *csv->wanted.children[at] = copy;
    return WEIR_OK;
}

static int32_t csv_bind_decode(void *self, const struct weir_decode_bind *in,
                               struct weir_decode_plan *out, struct weir_error *error)
{
    struct csv *csv = self;
    uint32_t i, n, n_declared;
    int32_t status;
    if (!in->declared || in->declared->n_children == 0)
        return weir_fail_option(error, "columns", -1,
                                "csv needs its columns: \"user string, amount double\"");
    status = csv->data->schema_copy(in->declared, NULL, &csv->declared, error);
    n_declared = (uint32_t)in->declared->n_children;
    csv->null_on_error = in->null_on_error != 0;
    if (status != WEIR_OK) return status;
    csv->wanted_of = csv->host->alloc(n_declared * sizeof *csv->wanted_of);
    if (!csv->wanted_of) return no_memory(error);
    for (i = 0; i < n_declared; i++) {
        const struct ArrowSchema *column = csv->declared.children[i];
        status = csv_check_type(column, error);
        if (status != WEIR_OK) return status;
        csv->wanted_of[i] = -1;
        if (strcmp(column->name, CSV_CORRUPT) != 0) csv->n_fields++;
        else if (weir_type_of(column) != WEIR_TYPE_UTF8)
            return weir_fail_option(error, "columns", -1, CSV_CORRUPT " must be a string");
    }
    n = in->wanted ? in->n_wanted : n_declared;
    status = csv->data->schema_struct(n, &csv->wanted, error);
    for (i = 0; i < n && status == WEIR_OK; i++) {
        int32_t at = in->wanted ? weir_column_index(&csv->declared, in->wanted[i]) : (int32_t)i;
        status = at < 0 ? weir_fail_option(error, "columns", -1, "there is no column '%s'",
                                           in->wanted[i])
                        : want(csv, (uint32_t)at, i, error);
    }
    if (status != WEIR_OK) return status;
    out->has_head = (uint32_t)csv->header;
    out->one_to_one = 2;
    out->absorbed = 0;
    return csv->data->schema_copy(&csv->wanted, NULL, &out->schema, error);
}

static int32_t csv_bind_encode(void *self, const struct ArrowSchema *schema,
                               struct weir_error *error)
{
    struct csv *csv = self;
    int64_t i;
    for (i = 0; i < schema->n_children; i++) {
        int32_t status = csv_check_type(schema->children[i], error);
        if (status != WEIR_OK) return status;
    }
    csv->encoded = schema;
    return WEIR_OK;
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = csv_create,
    .destroy = csv_destroy,
    .bind_decode = csv_bind_decode,
    .frame = csv_frame,
    .lane_create = csv_lane_create,
    .lane_destroy = csv_lane_destroy,
    .decode = csv_decode,
    .bind_encode = csv_bind_encode,
    .encode = csv_encode,
    .extension = "csv",
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_FORMAT,
      .name = "csv",
      .summary = "a record is a line of fields",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .table = &format },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.format.csv",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
