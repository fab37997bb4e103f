/*
 * rate.c - the source `rate`: counted rows, so many a second or so many a batch.
 *
 * Rows come in *steps*. Step s holds the values [total(s), total(s + 1)), of which partition p of P
 * has those with value mod P == p.
 *
 *  per second  Step s is the s-th second since the start, which is T of the first batch, cut to
 *              milliseconds. total(s) grows by rows_per_second each second; during a ramp of R
 *              seconds the speed rises by d = rows_per_second / (R + 1), whole rows, so total(s) is
 *              d * s * (s + 1) / 2. Timestamps lie evenly over the second, each rounded to its
 *              nearest millisecond, halves up. A step is due when T has reached its end, so no row
 *              is later than T.
 *  per batch   Step s is what the s-th batch takes: rows_per_batch rows, all with the timestamp
 *              start + s * advance. A batch takes one step.
 *
 * Nothing but T and the position decides which rows come, so any range can be given again. The
 * first batch moves the position to the start without a row: from then on the log knows the start,
 * and the seconds that the job was down are made up for.
 *
 * Position: 24 bytes, little endian: start in microseconds, the step that comes next, rows of this
 * partition's share of that step that have been given.
 */
#include <weir/plugin.h>

#include <stdlib.h>

#include "plugins/share/column.h"
#include "plugins/share/option.h"
#include "plugins/share/text.h"

#define SECOND INT64_C(1000000)
#define MOST_PARTITIONS 1024
#define MOST_ROWS 1000000000
#define POSITION_BYTES 24u

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, 0, "rows_per_second", "1", NULL, "rows of each second"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "ramp_up", "0s", NULL,
                "how long the speed rises; whole seconds count"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "rows_per_batch", NULL, NULL,
                "rows of each batch, whatever the time"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "start", NULL, NULL,
                "timestamp of the first batch, with rows_per_batch; 1970-01-01 unless given"),
    WEIR_OPTION(WEIR_OPTION_DURATION, 0, "advance", NULL, NULL,
                "from one timestamp to the next, with rows_per_batch; 1s unless given"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "partitions", "1", NULL, "partitions that share the rows"),
};

struct rate {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    uint64_t per_second, ramp; /* ramp in seconds */
    uint64_t per_batch;        /* 0: per second */
    int64_t start, advance;    /* per batch */
    uint64_t partitions;
    uint8_t (*positions)[POSITION_BYTES]; /* what was answered last, by partition */
};

struct place {
    int64_t start;
    uint64_t step, row;
};

/* The share of a partition in a step: values first, first + P, … */
struct share {
    uint64_t base, of; /* the step has values [base, base + of) */
    uint64_t first, rows;
};

/* ---- options ---- */

static int32_t read_batch_options(struct rate *r, struct weir_error *error)
{
    struct weir_value value;
    int per_batch = option_get(r->host, r->context, "rows_per_batch", &value);
    if (per_batch && (value.integer < 1 || value.integer > MOST_ROWS))
        return weir_fail_option(error, "rows_per_batch", -1, "1 to %d rows", MOST_ROWS);
    if (per_batch) r->per_batch = (uint64_t)value.integer;
    r->advance = SECOND;
    if (option_get(r->host, r->context, "advance", &value)) {
        if (!per_batch)
            return weir_fail_option(error, "advance", -1, "it needs rows_per_batch");
        if (value.integer < 0)
            return weir_fail_option(error, "advance", -1, "time does not run backwards");
        r->advance = value.integer;
    }
    if (!option_get(r->host, r->context, "start", &value)) return WEIR_OK;
    if (!per_batch) return weir_fail_option(error, "start", -1, "it needs rows_per_batch");
    if (!text_to_timestamp(value.text, value.length, &r->start))
        return weir_fail_option(error, "start", -1,
                                "not a timestamp like 2024-01-02T03:04:05Z");
    return WEIR_OK;
}

static int32_t rate_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct rate *r = host->alloc(sizeof *r);
    int64_t rows, ramp, partitions;
    *self = r;
    if (!r) return no_memory(error);
    memset(r, 0, sizeof *r);
    r->host = host;
    r->context = context;
    r->data = host->get_interface(WEIR_DATA_ID);
    if (!r->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    rows = option_integer(host, context, "rows_per_second", 1);
    if (rows < 1 || rows > MOST_ROWS)
        return weir_fail_option(error, "rows_per_second", -1, "1 to %d rows", MOST_ROWS);
    ramp = option_integer(host, context, "ramp_up", 0) / SECOND;
    if (ramp < 0 || ramp > 10 * 366 * 86400)
        return weir_fail_option(error, "ramp_up", -1, "0 seconds to 10 years");
    partitions = option_integer(host, context, "partitions", 1);
    if (partitions < 1 || partitions > MOST_PARTITIONS)
        return weir_fail_option(error, "partitions", -1, "1 to %d partitions", MOST_PARTITIONS);
    r->per_second = (uint64_t)rows;
    r->ramp = (uint64_t)ramp;
    r->partitions = (uint64_t)partitions;
    r->positions = host->alloc(r->partitions * sizeof *r->positions);
    return r->positions ? read_batch_options(r, error) : no_memory(error);
}

static void rate_destroy(void *self)
{
    struct rate *r = self;
    if (!r) return;
    r->host->free(r->positions);
    r->host->free(r);
}

static int32_t rate_bind(void *self, const struct weir_source_bind *in,
                         struct weir_source_plan *out, struct weir_error *error)
{
    struct rate *r = self;
    (void)in;
    return r->data->schema_parse("timestamp timestamp not null, value bigint not null",
                                 &out->schema, error);
}

static int32_t rate_open(void *self, struct weir_error *error)
{
    (void)self, (void)error;
    return WEIR_OK;
}

static int32_t rate_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    struct rate *r = self;
    int32_t status = WEIR_OK, digits = 1;
    uint64_t i;
    (void)error;
    for (i = r->partitions - 1; i >= 10; i /= 10) digits++;
    for (i = 0; i < r->partitions && status == WEIR_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%0*u", (int)digits, (unsigned)i);
        status = list->add(list->names, name);
    }
    return status;
}

/* ---- positions ---- */

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t number = 0;
    uint32_t i;
    for (i = 0; i < 8; i++) number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

static int place_read(struct weir_bytes position, struct place *out)
{
    if (position.length != POSITION_BYTES) return 0;
    out->start = (int64_t)number_at(position.data);
    out->step = number_at(position.data + 8);
    out->row = number_at(position.data + 16);
    return 1;
}

static void place_tell(struct rate *r, uint64_t partition, const struct place *place,
                       struct weir_next_result *out)
{
    const uint64_t numbers[3] = { (uint64_t)place->start, place->step, place->row };
    uint8_t *bytes = r->positions[partition];
    uint32_t i;
    for (i = 0; i < POSITION_BYTES; i++) bytes[i] = (uint8_t)(numbers[i / 8] >> (8 * (i % 8)));
    out->position.data = bytes;
    out->position.length = POSITION_BYTES;
}

/* ---- rows ---- */

/* Values before step s. */
static uint64_t total(const struct rate *r, uint64_t s)
{
    uint64_t rise = r->per_second / (r->ramp + 1), ramp = s < r->ramp ? s : r->ramp;
    if (r->per_batch) return s * r->per_batch;
    return (ramp % 2 ? (ramp + 1) / 2 * ramp : ramp / 2 * (ramp + 1)) * rise +
           (s - ramp) * r->per_second;
}

static struct share share_of(const struct rate *r, uint64_t step, uint64_t partition)
{
    struct share share;
    uint64_t skip;
    share.base = total(r, step);
    share.of = total(r, step + 1) - share.base;
    skip = (partition + r->partitions - share.base % r->partitions) % r->partitions;
    share.first = share.base + skip;
    share.rows = share.of > skip ? (share.of - skip - 1) / r->partitions + 1 : 0;
    return share;
}

/* Rows [row, row + n) of a share. Of n rows of a second the k-th lies at k*1000/n ms: quotient and
 * rest are carried from row to row instead of divided anew. */
static void fill(const struct rate *r, const struct place *at, const struct share *share,
                 uint64_t n, int64_t *timestamps, int64_t *values)
{
    uint64_t value = share->first + at->row * r->partitions, i;
    uint64_t whole = 2 * share->of, add = 2000 * r->partitions;
    uint64_t sum = 2000 * (value - share->base) + share->of, ms = sum / whole, rest = sum % whole;
    int64_t base = at->start + (int64_t)at->step * (r->per_batch ? r->advance : SECOND);
    for (i = 0; i < n; i++) {
        timestamps[i] = base + (r->per_batch ? 0 : (int64_t)ms * 1000);
        values[i] = (int64_t)value;
        value += r->partitions;
        ms += add / whole;
        rest += add % whole;
        if (rest >= whole) {
            rest -= whole;
            ms++;
        }
    }
}

/* Up to `most` rows from `at` up to `until`. */
static uint64_t fill_steps(const struct rate *r, uint64_t partition, struct place *at,
                           const struct place *until, uint64_t most, int64_t *timestamps,
                           int64_t *values)
{
    struct place next = *at;
    uint64_t filled = 0;
    while (filled < most && (next.step < until->step ||
                             (next.step == until->step && next.row < until->row))) {
        struct share share = share_of(r, next.step, partition);
        uint64_t end = next.step == until->step && until->row < share.rows ? until->row
                                                                           : share.rows;
        uint64_t n = end > next.row ? end - next.row : 0;
        if (n > most - filled) n = most - filled;
        if (n) fill(r, &next, &share, n, timestamps + filled, values + filled);
        filled += n;
        next.row += n;
        if (next.row >= share.rows) {
            next.step++;
            next.row = 0;
        }
        if (n) *at = next; /* steps without rows move nothing */
    }
    return filled;
}

static int32_t make_rows(const struct rate *r, uint64_t partition, struct place *at,
                         const struct place *until, uint64_t most, struct ArrowArray *out,
                         struct weir_error *error)
{
    int64_t *values, *timestamps;
    struct ArrowArray columns[2];
    uint64_t n = until->step < at->step ? 0 : total(r, until->step + 1) - total(r, at->step);
    int32_t status;
    if (n == 0) return WEIR_OK;
    if (most > n) most = n;
    if (most > WEIR_CHUNK_TARGET_ROWS) most = WEIR_CHUNK_TARGET_ROWS;
    status = r->data->column(WEIR_TYPE_TIMESTAMP, (uint32_t)most, 0, 0, &columns[0], error);
    if (status != WEIR_OK) return status;
    status = r->data->column(WEIR_TYPE_INT64, (uint32_t)most, 0, 0, &columns[1], error);
    if (status != WEIR_OK) {
        columns[0].release(&columns[0]);
        return status;
    }
    timestamps = (int64_t *)(uintptr_t)columns[0].buffers[1];
    values = (int64_t *)(uintptr_t)columns[1].buffers[1];
    n = fill_steps(r, partition, at, until, most, timestamps, values);
    columns[0].length = columns[1].length = (int64_t)n;
    if (n) return array_of_columns(r->host, columns, 2, (uint32_t)n, out, error);
    columns[0].release(&columns[0]);
    columns[1].release(&columns[1]);
    return WEIR_OK;
}

/* ---- next ---- */

/* Where reading stops: behind the last step that is due, or of this batch. */
static struct place due(const struct rate *r, const struct place *at, int64_t time_us)
{
    struct place until = { at->start, at->step + 1, 0 };
    int64_t passed = (time_us - at->start) / SECOND;
    if (!r->per_batch) until.step = passed > 0 ? (uint64_t)passed : 0;
    return until;
}

static int32_t wait_for_second(const struct rate *r, const struct place *until)
{
    int64_t at = until->start + (int64_t)(until->step + 1) * SECOND;
    int64_t left = at - r->host->now_us(r->context);
    r->host->wake_after(r->context, left < 1000 ? 1000 : left > SECOND ? SECOND : left);
    return WEIR_PENDING;
}

static int32_t rate_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                         struct weir_error *error)
{
    struct rate *r = self;
    uint64_t p = strtoull(in->partition + 1, NULL, 10);
    struct place at = { r->start, 0, 0 }, until, last;
    int replay = in->replay_to.data != NULL;
    int32_t status;
    if (p >= r->partitions || (in->from.length && !place_read(in->from, &at)) ||
        (replay && !place_read(in->replay_to, &last)))
        return weir_fail(error, WEIR_FATAL, "the log names a place that this source does not have");
    if (in->from.length == 0 && !r->per_batch) {
        at.start = replay ? last.start : in->batch_time_us - in->batch_time_us % 1000;
        place_tell(r, p, &at, out);
        if (replay) out->flags = WEIR_NEXT_MORE;
        else wait_for_second(r, &at);
        return WEIR_OK;
    }
    until = replay ? last : due(r, &at, in->batch_time_us);
    status = make_rows(r, p, &at, &until, in->max_rows, &out->array, error);
    if (status != WEIR_OK) return status;
    if (r->per_batch) {
        uint64_t step = until.step - (until.row == 0);
        if (!out->array.release) at = until; /* a batch without rows for this partition */
        if (at.step > step || (replay && at.row == until.row)) out->flags = WEIR_NEXT_BATCH_END;
    } else if (!out->array.release) {
        return wait_for_second(r, &until);
    }
    place_tell(r, p, &at, out);
    return WEIR_OK;
}

static int32_t rate_commit(void *self, const char *partition, struct weir_bytes position,
                           struct weir_error *error)
{
    (void)self, (void)partition, (void)position, (void)error;
    return WEIR_OK;
}

static int32_t rate_position_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    struct rate *r = self;
    struct place place;
    if (!place_read(position, &place)) return WEIR_DATA;
    snprintf(text, size, "%s %llu, row %llu", r->per_batch ? "batch" : "second",
             (unsigned long long)place.step, (unsigned long long)place.row);
    return WEIR_OK;
}

static void rate_nothing(void *self)
{
    (void)self;
}

static const struct weir_source source = {
    .size = sizeof source,
    .create = rate_create,
    .destroy = rate_destroy,
    .bind = rate_bind,
    .open = rate_open,
    .partitions = rate_partitions,
    .next = rate_next,
    .commit = rate_commit,
    .position_text = rate_position_text,
    .cancel = rate_nothing,
    .close = rate_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "rate",
      .summary = "counted rows, so many a second or so many a batch",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_REPLAYABLE | WEIR_CAP_TICK_SENSITIVE,
      .table = &source },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.source.rate",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
