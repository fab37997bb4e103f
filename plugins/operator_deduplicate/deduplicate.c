/*
 * deduplicate.c - the operator `deduplicate`: the first row of each key passes, later ones don't.
 *
 * Keys are state. They are forgotten by the watermark where that is right for ever: if the event
 * time is part of the key, a row that came later would be late itself. Else only
 * `within_watermark` bounds the state: a key is kept for as long as the watermark's delay after
 * its first row, which is how late a duplicate may come.
 */
#include "plugins/operator_deduplicate/deduplicate.h"

#include "plugins/share/presence.h"

static int32_t deduplicate_create(const struct weir_host *host, struct weir_context *context,
                                  void **self, struct weir_error *error)
{
    struct deduplicate *d = host->alloc(sizeof *d);
    if (!d) return no_memory(error);
    memset(d, 0, sizeof *d);
    d->host = host;
    d->context = context;
    d->data = host->get_interface(WEIR_DATA_ID);
    d->expr = host->get_interface(WEIR_EXPR_ID);
    d->state = host->get_interface(WEIR_STATE_ID);
    *self = d;
    if (d->data && d->expr && d->state) return WEIR_OK;
    return weir_fail(error, WEIR_UNSUPPORTED,
                     "this host lacks one of " WEIR_DATA_ID ", " WEIR_EXPR_ID ", " WEIR_STATE_ID);
}

static void deduplicate_destroy(void *self)
{
    struct deduplicate *d = self;
    if (!d) return;
    for (uint32_t i = 0; d->expr && i < d->n_parts; i++) d->expr->free(d->parts[i].expr);
    if (d->key.release) d->key.release(&d->key);
    d->host->free(d->parts);
    d->host->free(d->key_columns);
    d->host->free(d);
}

/* ---- the key ---- */

static int is_flat(const struct ArrowSchema *type)
{
    uint32_t id = weir_type_of(type);
    return id != WEIR_TYPE_NONE && id != WEIR_TYPE_LIST && id != WEIR_TYPE_STRUCT;
}

static int is_flat_struct(const struct ArrowSchema *type)
{
    if (weir_type_of(type) != WEIR_TYPE_STRUCT || type->n_children == 0) return 0;
    for (int64_t i = 0; i < type->n_children; i++)
        if (!is_flat(type->children[i])) return 0;
    return 1;
}

static const struct ArrowSchema *type_of(const struct deduplicate *d, const struct key_part *part,
                                         const struct ArrowSchema *input)
{
    return part->input >= 0 ? input->children[part->input] : d->expr->schema(part->expr);
}

/* Says what a part adds to key and exchange. */
static int32_t place(struct deduplicate *d, struct key_part *part, const char *name,
                     const struct ArrowSchema *input, struct weir_error *error)
{
    const struct ArrowSchema *type = type_of(d, part, input);
    part->first = d->n_input + d->n_made;
    if (is_flat_struct(type)) {
        part->fields = (uint32_t)type->n_children;
        part->presence = presence_needed(type);
        part->window = (uint32_t)presence_is_window(type);
    } else if (!is_flat(type)) {
        return weir_fail_option(error, "by", -1,
                                "\"%s\" is a list, or a struct of more than plain values: name "
                                "by `by` "
                                "the columns that tell rows apart",
                                name);
    }
    const uint32_t n = part->fields ? part->fields + part->presence : 1;
    d->n_keys += n;
    if (part->fields || part->input < 0) d->n_made += n;
    return WEIR_OK;
}

static int32_t compile_part(struct deduplicate *d, const struct ArrowSchema *input,
                            const struct weir_value *value, struct weir_error *error)
{
    struct weir_expr_input from = { NULL, input };
    struct key_part *part = &d->parts[d->n_parts];
    char option[64];
    snprintf(option, sizeof option, "by.%s", value->key ? value->key : value->text);
    int32_t result = d->expr->compile(d->context, value->text, option, &from, 1, WEIR_TYPE_NONE,
                                      &part->expr, error);
    if (result != WEIR_OK) return result;
    d->n_parts++;
    part->input = d->expr->column(part->expr);
    return place(d, part, value->text, input, error);
}

static int32_t read_parts(struct deduplicate *d, const struct ArrowSchema *input,
                          struct weir_error *error)
{
    struct weir_value value;
    const int given = option_get(d->host, d->context, "by", &value);
    const uint64_t n = given ? value.count : (uint64_t)input->n_children;
    int32_t result = WEIR_OK;
    if (n == 0) return weir_fail_option(error, "by", -1, "there is none: name a column");
    d->parts = d->host->alloc(n * sizeof *d->parts);
    if (!d->parts) return no_memory(error);
    memset(d->parts, 0, n * sizeof *d->parts);
    for (uint64_t i = 0; i < n && result == WEIR_OK; i++) {
        if (given) {
            d->host->option_item(d->context, "by", i, &value);
            result = compile_part(d, input, &value, error);
        } else {
            d->parts[d->n_parts].input = (int32_t)i;
            result = place(d, &d->parts[d->n_parts++], input->children[i]->name, input, error);
        }
    }
    return result;
}

static int32_t add_key(struct deduplicate *d, uint32_t *k, const struct ArrowSchema *type,
                       uint32_t column, struct weir_error *error)
{
    struct ArrowSchema *child = d->key.children[*k];
    d->key_columns[(*k)++] = column;
    child->release(child);
    return d->data->schema_copy(type, NULL, child, error);
}

static int32_t add_presence(struct deduplicate *d, uint32_t *k, uint32_t column,
                            struct weir_error *error)
{
    char name[16];
    snprintf(name, sizeof name, "?%u", *k);
    d->key_columns[*k] = column;
    return d->data->schema_set(&d->key, (*k)++, name, WEIR_TYPE_BOOL, error);
}

static int32_t make_key(struct deduplicate *d, const struct ArrowSchema *input,
                        struct weir_error *error)
{
    int32_t result = d->data->schema_struct(d->n_keys, &d->key, error);
    uint32_t k = 0;
    d->key_columns = d->host->alloc(d->n_keys * sizeof *d->key_columns);
    if (result == WEIR_OK && !d->key_columns) result = no_memory(error);
    for (uint32_t i = 0; i < d->n_parts && result == WEIR_OK; i++) {
        const struct key_part *part = &d->parts[i];
        const struct ArrowSchema *type = type_of(d, part, input);
        if (!part->fields)
            result = add_key(d, &k, type, part->input >= 0 ? (uint32_t)part->input : part->first,
                             error);
        for (uint32_t f = 0; f < part->fields && result == WEIR_OK; f++) {
            result = add_key(d, &k, type->children[f], part->first + f, error);
            if (result == WEIR_OK) presence_flags(type, d->key.children[k - 1]);
        }
        if (part->presence && result == WEIR_OK)
            result = add_presence(d, &k, part->first + part->fields, error);
    }
    return result;
}

/* ---- event time ---- */

static int is_event_time(const struct weir_input *input, int32_t column)
{
    return column >= 0 && (column < 64 ? (int)(input->time_columns >> column & 1)
                                       : column == input->time_column);
}

/* The place of the event time that part of the key is; column -1 where it is none. */
static struct time_place time_of_part(const struct deduplicate *d, const struct key_part *part,
                                      const struct weir_input *input)
{
    const struct ArrowSchema *type = type_of(d, part, input->schema);
    const int32_t source = part->expr ? d->expr->time_source(part->expr, NULL) : part->input;
    const int32_t end = part->fields ? weir_column_index(type, "end") : -1;
    struct time_place none = { -1, -1, 0 };
    if (!is_event_time(input, source) || (part->fields && end < 0)) return none;
    if (part->fields) return (struct time_place){ (int32_t)part->first + end, -1, 1 };
    return (struct time_place){ part->input >= 0 ? part->input : (int32_t)part->first, -1, 0 };
}

static int32_t refuse_several(struct weir_error *error)
{
    return weir_fail_option(error, "by", -1,
                            "the input has several event times, of which each says otherwise "
                            "when a row "
                            "is late: name exactly one of them in `by`, or leave the others out "
                            "by a "
                            "select");
}

static int32_t find_time(struct deduplicate *d, const struct weir_input *input,
                         struct weir_error *error)
{
    d->time.column = -1;
    for (uint32_t i = 0; i < d->n_parts; i++) {
        const struct time_place place = time_of_part(d, &d->parts[i], input);
        if (place.column < 0) continue;
        if (d->time_in_key) return refuse_several(error);
        d->time = place;
        d->time_in_key = 1;
    }
    if (d->time_in_key || input->time_column < 0) return WEIR_OK;
    if (input->time_columns & (input->time_columns - 1)) return refuse_several(error);
    const struct ArrowSchema *type = input->schema->children[input->time_column];
    d->time = (struct time_place){ input->time_column, -1, 0 };
    if (weir_type_of(type) != WEIR_TYPE_STRUCT) return WEIR_OK;
    d->time = (struct time_place){ input->time_column, weir_column_index(type, "end"), 1 };
    return WEIR_OK;
}

static int32_t settle_time(struct deduplicate *d, const struct weir_input *input,
                           struct weir_error *error)
{
    int32_t result = find_time(d, input, error);
    if (result != WEIR_OK) return result;
    d->within = option_integer(d->host, d->context, "within_watermark", 0) != 0;
    d->delay_us = input->delay_us;
    d->evicts = d->within || d->time_in_key;
    if (!d->within || d->time.column >= 0) return WEIR_OK;
    return weir_fail_option(error, "within_watermark", -1,
                            "the stream has no watermark: give it one (`watermark`), or leave "
                            "this out");
}

/* ---- state and plan ---- */

static int32_t declare(struct deduplicate *d, struct weir_error *error)
{
    static const struct weir_table_column expires = {
        "expires", WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER | WEIR_COLUMN_EVENT_TIME
    };
    struct weir_value value = { .size = sizeof value };
    uint64_t length = 64;
    for (uint64_t i = 0; d->host->option_item(d->context, "by", i, &value) == WEIR_OK; i++)
        length += value.length + 2;
    char *signature = d->host->alloc(length);
    if (!signature) return no_memory(error);
    strcpy(signature, d->within ? "within the watermark by" : "by");
    for (uint64_t i = 0; d->host->option_item(d->context, "by", i, &value) == WEIR_OK; i++) {
        strcat(signature, i ? ", " : " ");
        strcat(signature, value.text);
    }
    struct weir_table_spec spec = {
        .size = sizeof spec, .kind = WEIR_TABLE, .name = "keys", .key = &d->key,
        .n_distribution = d->n_keys < DISTRIBUTION_MAX ? d->n_keys : DISTRIBUTION_MAX,
        .n_columns = d->evicts, .columns = &expires, .version = 1, .signature = signature
    };
    int32_t result = d->state->declare(d->context, &spec, &d->table, error);
    d->host->free(signature);
    return result;
}

static int32_t exchange_schema(const struct deduplicate *d, const struct ArrowSchema *input,
                               struct ArrowSchema *out, struct weir_error *error)
{
    int32_t result = d->data->schema_struct(d->n_input + d->n_made, out, error);
    char name[32];
    for (uint32_t i = 0; i < d->n_input && result == WEIR_OK; i++) {
        out->children[i]->release(out->children[i]);
        result = d->data->schema_copy(input->children[i], NULL, out->children[i], error);
    }
    for (uint32_t k = 0; k < d->n_keys && result == WEIR_OK; k++) {
        struct ArrowSchema *child = out->children[d->key_columns[k]];
        if (d->key_columns[k] < d->n_input) continue;
        snprintf(name, sizeof name, "k%u", k);
        child->release(child);
        result = d->data->schema_copy(d->key.children[k], name, child, error);
    }
    if (result != WEIR_OK && out->release) out->release(out);
    return result;
}

static uint64_t reads_of(const struct deduplicate *d, const struct ArrowSchema *input)
{
    uint64_t bits = 0;
    for (uint32_t c = 0; c < d->n_input; c++) {
        int read = d->time.column == (int32_t)c;
        for (uint32_t i = 0; i < d->n_parts && !read; i++)
            read = d->parts[i].expr ? d->expr->reads(d->parts[i].expr, 0, c)
                                    : d->parts[i].input == (int32_t)c;
        if (read) bits |= (uint64_t)1 << (c < 63 ? c : 63);
    }
    (void)input;
    return bits;
}

static int32_t make_plan(const struct deduplicate *d, const struct weir_input *input,
                         struct weir_operator_plan *out, struct weir_error *error)
{
    struct weir_distribution *distribution = &out->distribution[0];
    struct weir_stream *stream = &out->streams[0];
    int32_t result = d->data->schema_copy(input->schema, NULL, &stream->schema, error);
    if (result == WEIR_OK)
        result = exchange_schema(d, input->schema, &distribution->exchange, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    stream->form = WEIR_FORM_APPEND;
    stream->slide = input->slide;
    stream->time_column = input->time_column;
    out->time_columns[0] = input->time_columns;
    distribution->kind = WEIR_DISTRIBUTE_HASHED;
    distribution->n_columns = d->n_keys < DISTRIBUTION_MAX ? d->n_keys : DISTRIBUTION_MAX;
    for (uint32_t i = 0; i < distribution->n_columns; i++)
        distribution->columns[i] = d->key_columns[i];
    out->flags = WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    out->reads[0] = reads_of(d, input->schema);
    for (uint32_t i = 0; i < d->n_parts; i++)
        if (d->parts[i].expr && !d->expr->deterministic(d->parts[i].expr))
            out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    return WEIR_OK;
}

static int32_t deduplicate_bind(void *self, const struct weir_operator_bind *in,
                                struct weir_operator_plan *out, struct weir_error *error)
{
    struct deduplicate *d = self;
    const struct weir_input *input = &in->inputs[0];
    d->n_input = (uint32_t)input->schema->n_children;
    if (input->form != WEIR_FORM_APPEND)
        return weir_fail(error, WEIR_CONFIG,
                         "rows of \"%s\" replace earlier ones, so a later row is no duplicate: "
                         "let it give "
                         "final rows only (output_mode append)",
                         input->name ? input->name : "its input");
    int32_t result = read_parts(d, input->schema, error);
    if (result == WEIR_OK) result = make_key(d, input->schema, error);
    if (result == WEIR_OK) result = settle_time(d, input, error);
    if (result == WEIR_OK) result = declare(d, error);
    return result == WEIR_OK ? make_plan(d, input, out, error) : result;
}

const struct weir_operator deduplicate_operator = {
    .size = sizeof deduplicate_operator,
    .create = deduplicate_create,
    .destroy = deduplicate_destroy,
    .bind = deduplicate_bind,
    .lane_create = first_rows_lane_create,
    .lane_destroy = first_rows_lane_destroy,
    .begin = first_rows_begin,
    .process = first_rows_process,
    .advance = first_rows_advance,
    .combine = first_rows_combine,
    .combine_end = first_rows_combine_end,
};
