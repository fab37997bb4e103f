/*
 * queue.c - the source `queue`: datasets that stand in the job, one for each batch.
 *
 *  1. A batch takes one dataset, or with one_at_a_time off all that are left, united. Partition i
 *     of P has the rows from floor(i*n/P) to floor((i+1)*n/P) of the n rows that the batch takes.
 *  2. `null` is no dataset: the batch is ABSENT. In a union it adds nothing; a union of nulls alone
 *     is ABSENT, too. A dataset without rows moves the position: its batch is there, without rows.
 *  3. Behind the queue each batch takes `default`; without one the partition has ended. That is
 *     told in a batch of its own, where no position moves, so it stays out of the log: a job that
 *     comes back with a longer queue goes on where the queue was.
 *  4. A position is 16 bytes: the number of the dataset that comes next and how many rows of this
 *     partition's share have been given, little endian. Behind the queue the number counts on, one
 *     for each `default`. Rows follow from position and job alone, so any range can be given again.
 */
#include <weir/plugin.h>

#include <stdlib.h>

#include "plugins/share/column.h"
#include "plugins/share/option.h"

#define MOST_PARTITIONS 1024
#define POSITION_BYTES 16u

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_ROWS, 0, "batches", NULL, NULL,
                "datasets: lists of rows, a row is a list of values; null is no dataset"),
    WEIR_OPTION(WEIR_OPTION_COLUMNS, WEIR_OPTION_REQUIRED, "columns", NULL, NULL,
                "the columns of the rows"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "one_at_a_time", "true", NULL,
                "a batch takes one dataset; false: all that are left"),
    WEIR_OPTION(WEIR_OPTION_ROWS, 0, "default", NULL, NULL,
                "rows of each batch once the queue is empty"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "partitions", "1", NULL, "parts of each dataset"),
};

struct dataset {
    struct ArrowArray array; /* release NULL: null, or no rows */
    uint64_t rows;
    uint32_t absent;
};

struct queue {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    struct ArrowSchema schema;
    struct dataset *datasets; /* n, and `default` behind them where there is one */
    uint64_t n;
    uint32_t has_default, one_at_a_time, partitions;
    uint8_t (*positions)[POSITION_BYTES]; /* what was answered last, by partition */
};

/* Where a partition is. */
struct place {
    uint64_t dataset, row;
};

/* What a batch takes: `count` datasets from `first` on. */
struct portion {
    const struct dataset *first;
    uint64_t count, rows;
    uint32_t absent;
};

static int32_t queue_create(const struct weir_host *host, struct weir_context *context,
                            void **self, struct weir_error *error)
{
    struct queue *q = host->alloc(sizeof *q);
    int64_t partitions;
    *self = q;
    if (!q) return no_memory(error);
    memset(q, 0, sizeof *q);
    q->host = host;
    q->context = context;
    q->data = host->get_interface(WEIR_DATA_ID);
    if (!q->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    partitions = option_integer(host, context, "partitions", 1);
    if (partitions < 1 || partitions > MOST_PARTITIONS)
        return weir_fail_option(error, "partitions", -1, "1 to %d partitions", MOST_PARTITIONS);
    q->partitions = (uint32_t)partitions;
    q->one_at_a_time = (uint32_t)option_integer(host, context, "one_at_a_time", 1);
    q->positions = host->alloc(q->partitions * sizeof *q->positions);
    return q->positions ? WEIR_OK : no_memory(error);
}

static void queue_destroy(void *self)
{
    struct queue *q = self;
    uint64_t i;
    if (!q) return;
    for (i = 0; q->datasets && i < q->n + q->has_default; i++)
        if (q->datasets[i].array.release) q->datasets[i].array.release(&q->datasets[i].array);
    if (q->schema.release) q->schema.release(&q->schema);
    q->host->free(q->datasets);
    q->host->free(q->positions);
    q->host->free(q);
}

/* ---- reading the options ---- */

static int32_t parse(struct queue *q, const char *option, const char *text, uint64_t length,
                     struct dataset *out, struct weir_error *error)
{
    struct weir_error why = WEIR_ERROR_INIT;
    int32_t status = q->data->rows_parse(&q->schema, text, length, &out->array, &why);
    if (status == WEIR_CONFIG) return weir_fail_option(error, option, -1, "%s", why.text);
    if (status != WEIR_OK) return weir_fail(error, status, "%s", why.text);
    out->rows = (uint64_t)out->array.length;
    return WEIR_OK;
}

static int32_t read_batches(struct queue *q, struct weir_error *error)
{
    uint64_t i;
    for (i = 0; i < q->n; i++) {
        struct weir_value item;
        char option[40];
        int32_t status;
        memset(&item, 0, sizeof item);
        item.size = (uint32_t)sizeof item;
        if (q->host->option_item(q->context, "batches", i, &item) != WEIR_OK)
            return weir_fail_option(error, "batches", -1, "a dataset can't be read");
        if (strcmp(item.text, "null") == 0) {
            q->datasets[i].absent = 1;
            continue;
        }
        snprintf(option, sizeof option, "batches.%llu", (unsigned long long)i);
        status = parse(q, option, item.text, item.length, &q->datasets[i], error);
        if (status != WEIR_OK) return status;
    }
    return WEIR_OK;
}

static int32_t text_add(const struct weir_host *host, struct weir_buffer *text, const char *more,
                        uint64_t n)
{
    if (host->buffer_grow(text, n) != WEIR_OK) return WEIR_FATAL;
    memcpy(text->data + text->length, more, n);
    text->length += n;
    return WEIR_OK;
}

/* The items of `default` are its rows: put together, they are one dataset. */
static int32_t read_default(struct queue *q, struct weir_error *error)
{
    struct weir_buffer text = { NULL, 0, 0 };
    struct weir_value item;
    uint64_t i;
    int32_t status = text_add(q->host, &text, "[", 1);
    memset(&item, 0, sizeof item);
    item.size = (uint32_t)sizeof item;
    for (i = 0; status == WEIR_OK; i++) {
        if (q->host->option_item(q->context, "default", i, &item) != WEIR_OK) break;
        if (i) status = text_add(q->host, &text, ",", 1);
        if (status == WEIR_OK) status = text_add(q->host, &text, item.text, item.length);
    }
    if (status == WEIR_OK) status = text_add(q->host, &text, "]", 1);
    status = status == WEIR_OK ? parse(q, "default", (const char *)text.data, text.length,
                                       &q->datasets[q->n], error)
                               : no_memory(error);
    q->host->free(text.data);
    return status;
}

static int32_t read_columns(struct queue *q, struct weir_error *error)
{
    struct weir_value columns;
    struct weir_error why = WEIR_ERROR_INIT;
    int32_t status;
    if (!option_get(q->host, q->context, "columns", &columns))
        return weir_fail_option(error, "columns", -1, "which columns do the rows have?");
    status = q->data->schema_parse(columns.text, &q->schema, &why);
    if (status == WEIR_CONFIG)
        return weir_fail_option(error, "columns", why.offset, "%s", why.text);
    return status == WEIR_OK ? WEIR_OK : weir_fail(error, status, "%s", why.text);
}

static int32_t queue_bind(void *self, const struct weir_source_bind *in,
                          struct weir_source_plan *out, struct weir_error *error)
{
    struct queue *q = self;
    struct weir_value value;
    int32_t status = read_columns(q, error);
    (void)in;
    if (status != WEIR_OK) return status;
    if (option_get(q->host, q->context, "batches", &value)) q->n = value.count;
    q->has_default = (uint32_t)option_get(q->host, q->context, "default", &value);
    q->datasets = q->host->alloc((q->n + 1) * sizeof *q->datasets);
    if (!q->datasets) return no_memory(error);
    memset(q->datasets, 0, (q->n + 1) * sizeof *q->datasets);
    status = read_batches(q, error);
    if (status == WEIR_OK && q->has_default) status = read_default(q, error);
    if (status != WEIR_OK) return status;
    return q->data->schema_copy(&q->schema, NULL, &out->schema, error);
}

static int32_t queue_open(void *self, struct weir_error *error)
{
    (void)self, (void)error;
    return WEIR_OK;
}

static int32_t queue_partitions(void *self, struct weir_partitions *list, struct weir_error *error)
{
    struct queue *q = self;
    int32_t status = WEIR_OK;
    uint32_t i, last, digits = 1;
    (void)error;
    for (last = q->partitions - 1; last >= 10; last /= 10) digits++;
    for (i = 0; i < q->partitions && status == WEIR_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%0*u", (int)digits, i);
        status = list->add(list->names, name);
    }
    return status;
}

/* ---- next ---- */

static uint64_t number_at(const uint8_t *bytes)
{
    uint64_t number = 0;
    uint32_t i;
    for (i = 0; i < 8; i++) number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

static int place_read(struct weir_bytes position, struct place *out)
{
    out->dataset = out->row = 0;
    if (position.length == 0) return 1;
    if (position.length != POSITION_BYTES) return 0;
    out->dataset = number_at(position.data);
    out->row = number_at(position.data + 8);
    return 1;
}

static void place_tell(struct queue *q, uint32_t partition, struct place place,
                       struct weir_next_result *out)
{
    uint8_t *bytes = q->positions[partition];
    uint32_t i;
    for (i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(place.dataset >> (8 * i));
        bytes[8 + i] = (uint8_t)(place.row >> (8 * i));
    }
    out->position.data = bytes;
    out->position.length = POSITION_BYTES;
}

static struct portion portion_of(const struct queue *q, uint64_t dataset)
{
    struct portion p = { q->datasets + q->n, 1, 0, 0 };
    uint64_t i;
    if (dataset < q->n) {
        p.first = q->datasets + dataset;
        p.count = q->one_at_a_time ? 1 : q->n - dataset;
    }
    p.absent = 1;
    for (i = 0; i < p.count; i++) {
        p.rows += p.first[i].rows;
        p.absent &= p.first[i].absent;
    }
    return p;
}

/* Rows [from, from + n) of one dataset. */
static int32_t copy_rows(const struct queue *q, const struct dataset *dataset, uint64_t from,
                         uint32_t n, struct ArrowArray *out, struct weir_error *error)
{
    uint32_t width = (uint32_t)q->schema.n_children, c, i;
    uint32_t *rows = q->host->alloc(n * sizeof *rows);
    struct ArrowArray *columns = q->host->alloc((width + 1) * sizeof *columns);
    int32_t status = rows && columns ? WEIR_OK : no_memory(error);
    for (i = 0; status == WEIR_OK && i < n; i++) rows[i] = (uint32_t)(from + i);
    for (c = 0; status == WEIR_OK && c < width; c++) {
        status = q->data->take(q->schema.children[c], dataset->array.children[c], rows, n,
                               &columns[c], error);
        for (i = 0; status != WEIR_OK && i < c; i++) columns[i].release(&columns[i]);
    }
    if (status == WEIR_OK) status = array_of_columns(q->host, columns, width, n, out, error);
    q->host->free(rows);
    q->host->free(columns);
    return status;
}

/* Gives rows from `at` of the portion, up to `end`, as far as one dataset and one chunk go. */
static int32_t give(const struct queue *q, const struct portion *p, uint64_t at, uint64_t end,
                    uint64_t *given, struct weir_next_result *out, struct weir_error *error)
{
    const struct dataset *dataset = p->first;
    uint64_t n;
    for (; at >= dataset->rows; dataset++) {
        at -= dataset->rows;
        end -= dataset->rows;
    }
    n = (end < dataset->rows ? end : dataset->rows) - at;
    if (n > WEIR_CHUNK_TARGET_ROWS) n = WEIR_CHUNK_TARGET_ROWS;
    *given = n;
    return copy_rows(q, dataset, at, (uint32_t)n, &out->array, error);
}

static int32_t queue_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                          struct weir_error *error)
{
    struct queue *q = self;
    uint64_t i = strtoull(in->partition + 1, NULL, 10), from, until, stop, given = 0;
    struct place at, last;
    struct portion p;
    int32_t status;
    if (i >= q->partitions || !place_read(in->from, &at) || !place_read(in->replay_to, &last))
        return weir_fail(error, WEIR_FATAL, "the log names a place that this queue does not have");
    if (at.dataset >= q->n && !q->has_default) {
        out->flags = WEIR_NEXT_END;
        return WEIR_OK;
    }
    p = portion_of(q, at.dataset);
    if (at.row > p.rows) at.row = p.rows;
    from = i * p.rows / q->partitions;
    until = (i + 1) * p.rows / q->partitions;
    stop = until;
    if (in->replay_to.data && last.dataset == at.dataset && last.row < until - from)
        stop = from + last.row;
    if (stop > from + at.row) {
        if (stop - from - at.row > in->max_rows) stop = from + at.row + in->max_rows;
        status = give(q, &p, from + at.row, stop, &given, out, error);
        if (status != WEIR_OK) return status;
    }
    at.row += given;
    if (from + at.row >= until) {
        at.dataset += p.count;
        at.row = 0;
        out->flags = p.absent ? WEIR_NEXT_ABSENT : WEIR_NEXT_BATCH_END;
    }
    place_tell(q, (uint32_t)i, at, out);
    return WEIR_OK;
}

static int32_t queue_commit(void *self, const char *partition, struct weir_bytes position,
                            struct weir_error *error)
{
    (void)self, (void)partition, (void)position, (void)error;
    return WEIR_OK;
}

static int32_t queue_position_text(void *self, struct weir_bytes position, char *text,
                                   uint32_t size)
{
    struct place place;
    (void)self;
    if (!place_read(position, &place)) return WEIR_DATA;
    snprintf(text, size, "dataset %llu, row %llu", (unsigned long long)place.dataset,
             (unsigned long long)place.row);
    return WEIR_OK;
}

static void queue_nothing(void *self)
{
    (void)self;
}

static const struct weir_source source = {
    .size = sizeof source,
    .create = queue_create,
    .destroy = queue_destroy,
    .bind = queue_bind,
    .open = queue_open,
    .partitions = queue_partitions,
    .next = queue_next,
    .commit = queue_commit,
    .position_text = queue_position_text,
    .cancel = queue_nothing,
    .close = queue_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "queue",
      .summary = "rows that stand in the job, a dataset for each batch",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_REPLAYABLE,
      .table = &source },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.source.queue",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
