/*
 * decoder.c - a format at work inside of an operator: rows come back together with the record that
 * each is of.
 *
 * A format emits rows and rejects records in a lane; here that lane is the decoder. Which record a
 * row is of follows from the order:
 *
 *  1. A format that is one-to-one gets all records at once. Rows then belong to the records that were
 *     not rejected, one after the other; a rejected record is known by where its bytes lie (empty
 *     ones in one place by their order), and is rejected before any row of a later record is emitted.
 *     Rows and rejections must be as many as records, or the format has not kept its promise.
 *  2. Others, and empty records of formats that promise nothing of these, are decoded one by one.
 *  3. No record vanishes: one of no bytes, of which the format makes nothing, is rejected here. (One with
 *     bytes may hold an empty list.)
 */
#include "core/load/decoder.h"

#include "core/data/array.h"

struct weir_decoder {
    struct weir_context context; /* the format's lane */
    const struct format_use *use;
    void *lane;
    /* of the call under way */
    const struct weir_records *records;
    const struct weir_decoded *out;
    uint32_t next;      /* record of the next row */
    uint32_t behind;    /* the record that was rejected last */
    int one;            /* records are decoded one by one; `next` is it */
    int seen;           /* something has come of it */
    uint8_t *rejected;  /* by record */
    uint32_t *numbers;  /* of the rows of an emission */
    uint32_t room;      /* entries of both */
};

int32_t decoder_bind(struct weir_context *context, struct ArrowSchema *out,
                     struct weir_error *error)
{
    struct format_use *use = context->format;
    struct weir_value value = { .size = sizeof value };
    struct weir_decode_plan plan = { .size = sizeof plan };
    struct weir_decode_bind in = { .size = sizeof in };
    struct ArrowSchema declared = { 0 };
    int32_t result = WEIR_OK;
    if (!use) return weir_fail(error, WEIR_UNSUPPORTED, "the instance has no format");
    in.null_on_error = context->null_on_error;
    if (options_get(context->options, "columns", &value) == WEIR_OK) {
        result = weir_data_1.schema_parse(value.text, &declared, error);
        if (result != WEIR_OK && error) snprintf(error->option, sizeof error->option, "columns");
        in.declared = &declared;
    }
    if (result == WEIR_OK) result = use->table->bind_decode(use->self, &in, &plan, error);
    if (result == WEIR_OK && plan.has_head)
        result = weir_fail_option(error, "format", -1,
                                  "this format reads a header first, and a value has none");
    if (result == WEIR_OK) result = schema_check(&plan.schema, error);
    schema_release(&declared);
    if (result != WEIR_OK) {
        schema_release(&plan.schema);
        return result;
    }
    use->n_columns = (uint32_t)plan.schema.n_children;
    use->one_to_one = plan.one_to_one;
    *out = plan.schema;
    return WEIR_OK;
}

/* ---- the lane of the format ---- */

/* Of the records that begin at place `at`, the last of which is `low`: the first that comes behind what
 * was rejected already. */
static uint32_t empty_record(const struct weir_decoder *d, uint32_t low, int64_t at)
{
    const int32_t *offsets = d->records->offsets;
    uint32_t from = d->behind;
    if (from > low || offsets[low] != at) return low;
    for (uint32_t high = low; from < high;) { /* the first that begins there */
        const uint32_t middle = from + (high - from) / 2;
        if (offsets[middle] < offsets[low]) from = middle + 1;
        else high = middle;
    }
    return from;
}

/* The record that a rejected piece of text lies in, or UINT32_MAX. */
static uint32_t record_of(const struct weir_decoder *d, struct weir_bytes piece)
{
    const int32_t *offsets = d->records->offsets;
    uint32_t low = 0, high = d->records->n_offsets - 1;
    if (d->one) return d->next;
    if (piece.data < d->records->bytes ||
        piece.data + (piece.length > 0) > d->records->bytes + d->records->length)
        return UINT32_MAX;
    const int64_t at = piece.data - d->records->bytes;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (offsets[middle] <= at) low = middle;
        else high = middle;
    }
    return piece.length ? low : empty_record(d, low, at);
}

static int32_t decoder_reject(struct weir_context *context, struct weir_bytes record, int32_t code,
                              const char *text, struct weir_error *error)
{
    struct weir_decoder *d = context->owner;
    const uint32_t at = record_of(d, record);
    if (at == UINT32_MAX)
        return weir_fail(error, WEIR_FATAL, "the format rejected what it was not given");
    d->rejected[at] = d->seen = 1;
    d->behind = at + 1;
    return d->out->reject(d->out->arg, at, code, text, error);
}

/* Numbers of the records of the next n rows; 0 if there are not so many. */
static int number_rows(struct weir_decoder *d, uint32_t n)
{
    if (d->one) {
        for (uint32_t i = 0; i < n; i++) d->numbers[i] = d->next;
        d->seen |= n > 0;
        return 1;
    }
    for (uint32_t i = 0; i < n; d->next++) {
        if (d->next + 1 >= d->records->n_offsets) return 0;
        if (!d->rejected[d->next]) d->numbers[i++] = d->next;
    }
    return 1;
}

static void drop(const struct weir_emission *emission)
{
    for (uint32_t c = 0; c < emission->n_columns; c++)
        if (emission->columns[c].array) array_release(emission->columns[c].array);
}

static int make_room(struct weir_decoder *d, uint32_t n)
{
    if (n <= d->room) return 1;
    uint32_t *numbers = mem_realloc(d->numbers, (uint64_t)n * sizeof *numbers);
    if (numbers) d->numbers = numbers;
    uint8_t *rejected = mem_realloc(d->rejected, n);
    if (rejected) d->rejected = rejected;
    if (!numbers || !rejected) return 0;
    d->room = n;
    return 1;
}

static int32_t decoder_emit(struct weir_context *context, const struct weir_emission *emission,
                            struct weir_error *error)
{
    struct weir_decoder *d = context->owner;
    struct ArrowArray columns[256];
    int32_t result = WEIR_OK;
    if (emission->n_columns != d->use->n_columns || emission->n_columns > 256 ||
        emission->selection)
        result = weir_fail(error, WEIR_FATAL, "the format gave %u columns, not %u",
                           emission->n_columns, d->use->n_columns);
    else if (!make_room(d, emission->rows))
        result = weir_fail(error, WEIR_FATAL, "out of memory");
    else if (!number_rows(d, emission->rows))
        result = weir_fail(error, WEIR_FATAL, "the format gave more rows than records");
    if (result != WEIR_OK) {
        drop(emission);
        return result;
    }
    for (uint32_t c = 0; c < emission->n_columns; c++) {
        columns[c] = *emission->columns[c].array;
        emission->columns[c].array->release = NULL;
        if (columns[c].null_count == 0) columns[c].buffers[0] = NULL;
    }
    return d->out->rows(d->out->arg, columns, emission->n_columns, d->numbers, emission->rows,
                        error);
}

static const struct context_ops decoder_ops = { .emit = decoder_emit,
                                                .reject_bytes = decoder_reject };

int32_t decoder_create(struct weir_context *lane, struct weir_decoder **out,
                       struct weir_error *error)
{
    *out = NULL;
    if (!lane->format) return weir_fail(error, WEIR_UNSUPPORTED, "the instance has no format");
    struct weir_decoder *d = mem_alloc(sizeof *d);
    if (!d) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(d, 0, sizeof *d);
    d->context = *lane;
    d->context.ops = &decoder_ops;
    d->context.owner = d;
    d->use = lane->format;
    int32_t result = WEIR_OK;
    if (d->use->table->lane_create)
        result = d->use->table->lane_create(d->use->self, &d->context, &d->lane, error);
    if (result == WEIR_OK) *out = d;
    else decoder_destroy(d);
    return result;
}

void decoder_destroy(struct weir_decoder *decoder)
{
    if (!decoder) return;
    if (decoder->lane && decoder->use->table->lane_destroy)
        decoder->use->table->lane_destroy(decoder->use->self, decoder->lane);
    mem_free(decoder->rejected);
    mem_free(decoder->numbers);
    mem_free(decoder);
}

/* ---- decoding ---- */

static int any_empty(const struct weir_records *records)
{
    for (uint32_t i = 0; i + 1 < records->n_offsets; i++)
        if (records->offsets[i] == records->offsets[i + 1]) return 1;
    return 0;
}

static int32_t decode_singly(struct weir_decoder *d, const struct weir_records *records,
                             struct weir_error *error)
{
    int32_t result = WEIR_OK;
    d->one = 1;
    for (; d->next + 1 < records->n_offsets && result == WEIR_OK; d->next++) {
        d->seen = 0;
        const int32_t from = records->offsets[d->next];
        const int32_t offsets[2] = { 0, records->offsets[d->next + 1] - from };
        const struct weir_records one = { .size = sizeof one, .n_offsets = 2,
                                          .bytes = records->bytes + from,
                                          .length = (uint64_t)offsets[1], .offsets = offsets };
        result = d->use->table->decode(d->use->self, d->lane, &one, error);
        if (result == WEIR_OK && !d->seen && one.length == 0)
            result = d->out->reject(d->out->arg, d->next, WEIR_REJECT_DECODE, "an empty value", error);
    }
    return result;
}

static int32_t decode_together(struct weir_decoder *d, const struct weir_records *records,
                               struct weir_error *error)
{
    int32_t result = d->use->table->decode(d->use->self, d->lane, records, error);
    if (result != WEIR_OK) return result;
    while (d->next + 1 < records->n_offsets && d->rejected[d->next]) d->next++;
    if (d->next + 1 == records->n_offsets) return WEIR_OK;
    return weir_fail(error, WEIR_FATAL, "the format gave fewer rows than records");
}

int32_t decoder_decode(struct weir_decoder *decoder, const struct weir_records *records,
                       const struct weir_decoded *out, struct weir_error *error)
{
    static const uint8_t nothing[64];
    const uint32_t n = records->n_offsets ? records->n_offsets - 1 : 0;
    struct weir_records all = *records;
    if (n == 0) return WEIR_OK;
    if (!all.bytes) all.bytes = nothing;
    if (!make_room(decoder, n)) return weir_fail(error, WEIR_FATAL, "out of memory");
    memset(decoder->rejected, 0, n);
    decoder->records = &all;
    decoder->out = out;
    decoder->next = decoder->behind = 0;
    decoder->one = 0;
    if (decoder->use->one_to_one > 1 || (decoder->use->one_to_one && !any_empty(&all)))
        return decode_together(decoder, &all, error);
    return decode_singly(decoder, &all, error);
}
