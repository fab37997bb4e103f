#include "tests/support/toy.h"

#include <sched.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/data/array.h"

struct toy_world toy_world;

void toy_reset(void)
{
    for (uint32_t i = 0; i < toy_world.n; i++) free(toy_world.batches[i].rows);
    free(toy_world.batches);
    memset(&toy_world, 0, sizeof toy_world);
}

char *toy_text(const char *sink)
{
    size_t size = 1;
    for (uint32_t i = 0; i < toy_world.n; i++) size += strlen(toy_world.batches[i].rows) + 32;
    char *text = calloc(1, size);
    for (uint32_t i = 0; i < toy_world.n; i++)
        if (strcmp(toy_world.batches[i].sink, sink) == 0)
            sprintf(text + strlen(text), "%llu:%s\n",
                    (unsigned long long)toy_world.batches[i].batch, toy_world.batches[i].rows);
    return text;
}

static int64_t option(const struct weir_host *host, struct weir_context *context, const char *name)
{
    struct weir_value value = { .size = sizeof value };
    return host->option(context, name, &value) == WEIR_OK ? value.integer : 0;
}

/* ---- toy_numbers ---- */

struct numbers {
    int64_t rows, partitions, step, keys;
    uint64_t position[64];
};

static const struct weir_option numbers_options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, 0, "rows", "100", NULL, "rows of a partition"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "partitions", "1", NULL, "partitions"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "step", "10", NULL, "rows of a call"),
    WEIR_OPTION(WEIR_OPTION_INT, 0, "keys", "7", NULL, "different values of k"),
};

static int32_t numbers_create(const struct weir_host *host, struct weir_context *context,
                              void **self, struct weir_error *error)
{
    struct numbers *s = *self = calloc(1, sizeof *s);
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->rows = option(host, context, "rows");
    s->partitions = option(host, context, "partitions");
    s->step = option(host, context, "step");
    s->keys = option(host, context, "keys");
    return WEIR_OK;
}

static void numbers_destroy(void *self)
{
    free(self);
}

static int32_t numbers_bind(void *self, const struct weir_source_bind *in,
                            struct weir_source_plan *out, struct weir_error *error)
{
    (void)self;
    (void)in;
    return weir_data_1.schema_parse("k int64, v int64", &out->schema, error);
}

static int32_t numbers_partitions(void *self, struct weir_partitions *list,
                                  struct weir_error *error)
{
    struct numbers *s = self;
    (void)error;
    for (int64_t p = 0; p < s->partitions; p++) {
        char name[32];
        snprintf(name, sizeof name, "p%02lld", (long long)p);
        list->add(list->names, name);
    }
    return WEIR_OK;
}

static uint64_t position_of(struct weir_bytes bytes)
{
    uint64_t at = 0;
    if (bytes.length == 8) memcpy(&at, bytes.data, 8);
    return at;
}

static int32_t numbers_give(void *self, const struct weir_next *in, struct weir_next_result *out,
                            struct weir_error *error)
{
    struct numbers *s = self;
    uint64_t at = position_of(in->from), until = (uint64_t)s->rows;
    if (in->replay_to.data) until = position_of(in->replay_to);
    uint64_t n = until - at < (uint64_t)s->step ? until - at : (uint64_t)s->step;
    if (n > in->max_rows) n = in->max_rows;
    n += (uint64_t)toy_world.surplus;
    struct ArrowArray columns[2];
    int64_t base = (int64_t)strtoll(in->partition + 1, NULL, 10) * 1000000;
    if (n > 0) {
        if (weir_data_1.column(WEIR_TYPE_INT64, (uint32_t)n, 0, 0, &columns[0], error) != WEIR_OK)
            return WEIR_FATAL;
        if (weir_data_1.column(WEIR_TYPE_INT64, (uint32_t)n, 0, 0, &columns[1], error) != WEIR_OK) {
            array_release(&columns[0]);
            return WEIR_FATAL;
        }
        for (uint64_t i = 0; i < n; i++) {
            ((int64_t *)columns[0].buffers[1])[i] = (int64_t)(at + i) % s->keys;
            ((int64_t *)columns[1].buffers[1])[i] = base + (int64_t)(at + i);
        }
        if (array_struct(columns, 2, (uint32_t)n, &out->array, error) != WEIR_OK) return WEIR_FATAL;
    }
    s->position[in->partition_index % 64] = at + n;
    out->position = (struct weir_bytes){ (uint8_t *)&s->position[in->partition_index % 64], 8 };
    if (at + n == (uint64_t)s->rows) out->flags |= WEIR_NEXT_END | WEIR_NEXT_LAST;
    else out->flags |= WEIR_NEXT_MORE;
    return WEIR_OK;
}

static void linger(void)
{
    int now = atomic_fetch_add(&toy_world.within, 1) + 1, most = atomic_load(&toy_world.most_within);
    while (now > most && !atomic_compare_exchange_weak(&toy_world.most_within, &most, now)) {}
    for (int i = 0; i < toy_world.linger; i++) sched_yield();
}

static int32_t numbers_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                            struct weir_error *error)
{
    if (toy_world.fail_next && --toy_world.fail_next == 0)
        return weir_fail(error, WEIR_RETRY, "the toy is away");
    if (in->batch > toy_world.most_batch) toy_world.most_batch = in->batch;
    linger();
    int32_t result = numbers_give(self, in, out, error);
    atomic_fetch_sub(&toy_world.within, 1);
    if (toy_world.no_position) out->position.data = NULL;
    return result;
}

static int32_t numbers_open(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static int32_t numbers_commit(void *self, const char *partition, struct weir_bytes position,
                              struct weir_error *error)
{
    (void)self;
    (void)partition;
    (void)position;
    (void)error;
    return WEIR_OK;
}

static int32_t numbers_text(void *self, struct weir_bytes position, char *text, uint32_t size)
{
    (void)self;
    snprintf(text, size, "%llu", (unsigned long long)position_of(position));
    return WEIR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static void numbers_cancel(void *self)
{
    (void)self;
    toy_world.cancelled++;
}

static const struct weir_source numbers_table = { .size = sizeof numbers_table,
                                                  .create = numbers_create,
                                                  .destroy = numbers_destroy,
                                                  .bind = numbers_bind,
                                                  .partitions = numbers_partitions,
                                                  .next = numbers_next,
                                                  .open = numbers_open,
                                                  .commit = numbers_commit,
                                                  .position_text = numbers_text,
                                                  .cancel = numbers_cancel,
                                                  .close = nothing };

/* ---- operators ---- */

struct toy_operator {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_state_table *state;
    const struct weir_combine_table *combine;
    uint32_t table;
    int64_t with_combine;
    struct ArrowSchema key;
};

struct toy_lane {
    struct toy_operator *op;
    struct weir_context *context;
    struct weir_state *state;
    uint32_t *changed, n_changed;
    int64_t rows;
};

static int32_t operator_create(const struct weir_host *host, struct weir_context *context,
                               void **self, struct weir_error *error)
{
    struct toy_operator *op = *self = calloc(1, sizeof *op);
    if (!op) return weir_fail(error, WEIR_FATAL, "out of memory");
    op->host = host;
    op->context = context;
    op->state = host->get_interface(WEIR_STATE_ID);
    return WEIR_OK;
}

static void operator_destroy(void *self)
{
    struct toy_operator *op = self;
    if (op->key.release) op->key.release(&op->key);
    free(op);
}

static int32_t lane_create(void *self, struct weir_context *context, void **lane,
                           struct weir_error *error)
{
    struct toy_lane *l = *lane = calloc(1, sizeof *l);
    if (!l) return weir_fail(error, WEIR_FATAL, "out of memory");
    l->op = self;
    l->context = context;
    return WEIR_OK;
}

static void lane_destroy(void *self, void *lane)
{
    (void)self;
    free(((struct toy_lane *)lane)->changed);
    free(lane);
}

static int32_t lane_begin(void *self, void *lane, const struct weir_begin *in,
                          struct weir_error *error)
{
    struct toy_lane *l = lane;
    (void)self;
    (void)error;
    l->state = in->state;
    l->n_changed = 0;
    l->rows = 0;
    return WEIR_OK;
}

static int32_t double_bind(void *self, const struct weir_operator_bind *in,
                           struct weir_operator_plan *out, struct weir_error *error)
{
    (void)self;
    (void)in;
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].time_column = -1;
    return weir_data_1.schema_parse("k int64, v int64", &out->streams[0].schema, error);
}

static int32_t double_begin(void *self, void *lane, const struct weir_begin *in,
                            struct weir_error *error)
{
    if (toy_world.fail_double_begin > 0) {
        toy_world.fail_double_begin--;
        return weir_fail(error, WEIR_RETRY, "the toy can't begin");
    }
    return lane_begin(self, lane, in, error);
}

static int32_t double_process(void *self, void *lane, uint32_t input,
                              const struct weir_chunk *chunk, struct weir_error *error)
{
    struct toy_operator *op = self;
    struct toy_lane *l = lane;
    struct ArrowArray v;
    (void)input;
    if (toy_world.fail_double > 0) {
        toy_world.fail_double--;
        return weir_fail(error, WEIR_RETRY, "the toy can't go on");
    }
    if (weir_data_1.column(WEIR_TYPE_INT64, chunk->rows, 0, 0, &v, error) != WEIR_OK)
        return WEIR_FATAL;
    uint32_t *rows = malloc(chunk->rows * 4 + 4), n = 0;
    for (uint32_t i = 0; i < chunk->rows; i++)
        ((int64_t *)v.buffers[1])[i] = 2 * weir_get_int64(chunk->array->children[1], i);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        if (weir_get_int64(chunk->array->children[1], row) % 2 == 0) rows[n++] = row;
    }
    struct weir_output_column columns[2] = { { 0, 0, NULL }, { -1, 0, &v } };
    struct weir_emission emission = { .size = sizeof emission, .from = chunk, .columns = columns,
                                      .n_columns = 2, .rows = chunk->rows, .selection = rows,
                                      .selected = n };
    int32_t result = op->host->emit(l->context, &emission, error);
    free(rows);
    return result;
}

static const struct weir_operator double_table = { .size = sizeof double_table,
                                                   .create = operator_create,
                                                   .destroy = operator_destroy,
                                                   .bind = double_bind,
                                                   .lane_create = lane_create,
                                                   .lane_destroy = lane_destroy,
                                                   .begin = double_begin,
                                                   .process = double_process };

static int32_t sum_bind(void *self, const struct weir_operator_bind *in,
                        struct weir_operator_plan *out, struct weir_error *error)
{
    struct toy_operator *op = self;
    struct weir_table_column column = { "total", WEIR_TYPE_INT64, 0 };
    (void)in;
    if (weir_data_1.schema_parse("k int64", &op->key, error) != WEIR_OK) return WEIR_FATAL;
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "sums",
                                    .key = &op->key, .n_distribution = 1, .n_columns = 1,
                                    .columns = &column, .version = 1, .signature = "toy" };
    int32_t result = op->state->declare(op->context, &spec, &op->table, error);
    if (result != WEIR_OK) return result;
    out->n_outputs = 1;
    out->streams[0].form = WEIR_FORM_UPSERT;
    out->streams[0].n_key_columns = 1;
    out->streams[0].time_column = -1;
    out->distribution[0].kind = WEIR_DISTRIBUTE_HASHED;
    out->distribution[0].n_columns = 1;
    return weir_data_1.schema_parse("k int64, total int64", &out->streams[0].schema, error);
}

static int32_t sum_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                           struct weir_error *error)
{
    struct toy_operator *op = self;
    struct toy_lane *l = lane;
    const struct ArrowArray *key = chunk->array->children[0];
    (void)input;
    uint32_t *changed = realloc(l->changed, (l->n_changed + chunk->selected + 1) * 4);
    if (!changed) return weir_fail(error, WEIR_FATAL, "out of memory");
    l->changed = changed;
    uint32_t *slots = changed + l->n_changed;
    int32_t result = op->state->lookup_or_insert(l->state, op->table, &key, chunk->hash,
                                                 chunk->selection, chunk->selected, slots, error);
    if (result != WEIR_OK) return result;
    struct weir_view view = op->state->column(l->state, op->table, 0);
    for (uint32_t i = 0; i < chunk->selected; i++)
        *(int64_t *)(void *)(view.base + slots[i] * view.stride) +=
            weir_get_int64(chunk->array->children[1], weir_row(chunk, i));
    l->n_changed += chunk->selected;
    return WEIR_OK;
}

static int by_slot(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int32_t sum_advance(void *self, void *lane, struct weir_error *error)
{
    struct toy_operator *op = self;
    struct toy_lane *l = lane;
    uint32_t n = 0;
    if (l->n_changed) qsort(l->changed, l->n_changed, 4, by_slot);
    for (uint32_t i = 0; i < l->n_changed; i++)
        if (i == 0 || l->changed[i] != l->changed[i - 1]) l->changed[n++] = l->changed[i];
    if (n == 0) return WEIR_OK;
    struct ArrowArray k, total;
    if (op->state->keys(l->state, op->table, 0, l->changed, n, &k, error) != WEIR_OK)
        return WEIR_FATAL;
    if (weir_data_1.column(WEIR_TYPE_INT64, n, 0, 0, &total, error) != WEIR_OK) {
        k.release(&k);
        return WEIR_FATAL;
    }
    struct weir_view view = op->state->column(l->state, op->table, 0);
    for (uint32_t i = 0; i < n; i++)
        ((int64_t *)total.buffers[1])[i] =
            *(int64_t *)(void *)(view.base + l->changed[i] * view.stride);
    struct weir_output_column columns[2] = { { -1, 0, &k }, { -1, 0, &total } };
    struct weir_emission emission = { .size = sizeof emission, .columns = columns, .n_columns = 2,
                                      .rows = n };
    return op->host->emit(l->context, &emission, error);
}

static const struct weir_operator sum_table = { .size = sizeof sum_table,
                                                .create = operator_create,
                                                .destroy = operator_destroy,
                                                .bind = sum_bind,
                                                .lane_create = lane_create,
                                                .lane_destroy = lane_destroy,
                                                .begin = lane_begin,
                                                .process = sum_process,
                                                .advance = sum_advance };

static int32_t count_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    (void)self;
    (void)in;
    out->n_outputs = 1;
    out->flags = WEIR_PLAN_TICKING;
    out->streams[0].form = WEIR_FORM_APPEND;
    out->streams[0].time_column = -1;
    out->distribution[0].kind = WEIR_DISTRIBUTE_SINGLE;
    return weir_data_1.schema_parse("n int64", &out->streams[0].schema, error);
}

static int32_t count_process(void *self, void *lane, uint32_t input,
                             const struct weir_chunk *chunk, struct weir_error *error)
{
    (void)self;
    (void)input;
    (void)error;
    ((struct toy_lane *)lane)->rows += chunk->selected;
    return WEIR_OK;
}

static int32_t count_advance(void *self, void *lane, struct weir_error *error)
{
    struct toy_operator *op = self;
    struct toy_lane *l = lane;
    struct ArrowArray n;
    if (weir_data_1.column(WEIR_TYPE_INT64, 1, 0, 0, &n, error) != WEIR_OK) return WEIR_FATAL;
    ((int64_t *)n.buffers[1])[0] = l->rows;
    struct weir_output_column column = { -1, 0, &n };
    struct weir_emission emission = { .size = sizeof emission, .columns = &column, .n_columns = 1,
                                      .rows = 1 };
    return op->host->emit(l->context, &emission, error);
}

static const struct weir_operator count_table = { .size = sizeof count_table,
                                                  .create = operator_create,
                                                  .destroy = operator_destroy,
                                                  .bind = count_bind,
                                                  .lane_create = lane_create,
                                                  .lane_destroy = lane_destroy,
                                                  .begin = lane_begin,
                                                  .process = count_process,
                                                  .advance = count_advance };

/* ---- sinks ---- */

struct toy_sink {
    const struct weir_host *host;
    struct weir_context *context;
    char name[32];
    uint64_t batch;
    struct weir_buffer rows;
};

static int32_t sink_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct toy_sink *s = calloc(1, sizeof *s);
    if (!s) return weir_fail(error, WEIR_FATAL, "out of memory");
    s->host = host;
    s->context = context;
    *self = s;
    return WEIR_OK;
}

static void sink_destroy(void *self)
{
    mem_free(((struct toy_sink *)self)->rows.data);
    free(self);
}

static int32_t sink_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self;
    (void)in;
    (void)error;
    return WEIR_OK;
}

static int32_t sink_open(void *self, const struct weir_identity *identity, struct weir_error *error)
{
    (void)error;
    snprintf(((struct toy_sink *)self)->name, 32, "%s", identity->sink);
    return WEIR_OK;
}

static int32_t sink_begin(void *self, const struct weir_sink_batch *batch,
                          struct weir_error *error)
{
    struct toy_sink *s = self;
    s->batch = batch->batch;
    s->rows.length = 0;
    if (s->host->cancelled(s->context))
        return weir_fail(error, WEIR_CANCELLED, "cancelled while waiting");
    if (toy_world.fail_begin > 0) {
        toy_world.fail_begin--;
        return weir_fail(error, WEIR_RETRY, "the toy is not ready");
    }
    return WEIR_OK;
}

static int32_t sink_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct toy_sink *s = self;
    (void)error;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        for (int64_t c = 0; c < chunk->schema->n_children; c++) {
            char text[32];
            int n = snprintf(text, sizeof text, "%s%lld", c ? "," : " ",
                             (long long)weir_get_int64(chunk->array->children[c], row));
            if (buffer_add(&s->rows, text, (uint64_t)n) != WEIR_OK) return WEIR_FATAL;
        }
    }
    return WEIR_OK;
}

static int add_visible(struct toy_sink *s, uint64_t batch, const uint8_t *bytes, uint64_t n)
{
    for (uint32_t i = 0; i < toy_world.n; i++) {
        struct toy_batch *b = &toy_world.batches[i];
        if (b->batch != batch || strcmp(b->sink, s->name) != 0) continue;
        if (strlen(b->rows) != n || memcmp(b->rows, bytes, n) != 0) toy_world.doubled = batch + 1;
        return 1;
    }
    toy_world.batches = realloc(toy_world.batches, (toy_world.n + 1) * sizeof *toy_world.batches);
    struct toy_batch *b = &toy_world.batches[toy_world.n++];
    snprintf(b->sink, sizeof b->sink, "%s", s->name);
    b->batch = batch;
    b->rows = calloc(1, n + 1);
    if (n) memcpy(b->rows, bytes, n);
    return 0;
}

/* Sinks commit side by side, each on a thread of its own. */
static int visible(struct toy_sink *s, uint64_t batch, const uint8_t *bytes, uint64_t n)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    int twice = add_visible(s, batch, bytes, n);
    pthread_mutex_unlock(&lock);
    return twice;
}

static int32_t sink_prepare(void *self, struct weir_buffer *committable, struct weir_error *error)
{
    struct toy_sink *s = self;
    (void)error;
    return s->rows.length ? buffer_add(committable, s->rows.data, s->rows.length) : WEIR_OK;
}

static int32_t sink_commit(void *self, const struct weir_committable *committable,
                           uint32_t *outcome, struct weir_error *error)
{
    (void)error;
    *outcome = visible(self, committable->batch, committable->bytes.data,
                       committable->bytes.length)
                   ? WEIR_COMMIT_ALREADY
                   : WEIR_COMMIT_DONE;
    return WEIR_OK;
}

static int32_t sink_finish(void *self, struct weir_error *error)
{
    struct toy_sink *s = self;
    (void)error;
    visible(s, s->batch, s->rows.data, s->rows.length);
    return WEIR_OK;
}

static int32_t sink_recover(void *self, const struct weir_committable *list, uint32_t n,
                            uint64_t next_batch, struct weir_error *error)
{
    if (toy_world.ahead) return weir_fail(error, WEIR_CONFIG, "the toy is ahead");
    (void)self;
    (void)list;
    (void)n;
    (void)next_batch;
    (void)error;
    return WEIR_OK;
}

static int32_t sink_abort(void *self, struct weir_error *error)
{
    (void)self;
    (void)error;
    return WEIR_OK;
}

static const struct weir_sink two_phase_table = { .size = sizeof two_phase_table,
                                                  .create = sink_create,
                                                  .destroy = sink_destroy,
                                                  .bind = sink_bind,
                                                  .open = sink_open,
                                                  .begin = sink_begin,
                                                  .write = sink_write,
                                                  .prepare = sink_prepare,
                                                  .commit = sink_commit,
                                                  .recover = sink_recover,
                                                  .abort = sink_abort,
                                                  .cancel = nothing,
                                                  .close = nothing };

static const struct weir_sink finish_table = { .size = sizeof finish_table,
                                               .create = sink_create,
                                               .destroy = sink_destroy,
                                               .bind = sink_bind,
                                               .open = sink_open,
                                               .begin = sink_begin,
                                               .write = sink_write,
                                               .finish = sink_finish,
                                               .abort = sink_abort,
                                               .cancel = nothing,
                                               .close = nothing };

#define ANY_FORM (WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE)

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SOURCE, .name = "toy_numbers",
      .summary = "numbers", .options = numbers_options, .n_options = 4,
      .capabilities = WEIR_CAP_REPLAYABLE, .table = &numbers_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SOURCE, .name = "toy_serial",
      .summary = "numbers, one partition at a time", .options = numbers_options, .n_options = 4,
      .capabilities = WEIR_CAP_REPLAYABLE | WEIR_CAP_SERIAL, .table = &numbers_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "toy_double",
      .summary = "doubles even numbers",
      .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION, .table = &double_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "toy_sum",
      .summary = "sums by key", .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION,
      .state_reads = 1, .state_writes = 1, .table = &sum_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "toy_batch_count",
      .summary = "rows of the batch",
      .capabilities = WEIR_CAP_DETERMINISTIC | WEIR_CAP_SELECTION, .table = &count_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "toy_sink",
      .summary = "remembers", .level = WEIR_SINK_TWO_PHASE, .accepts = ANY_FORM,
      .capabilities = WEIR_CAP_SELECTION, .table = &two_phase_table },
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_SINK, .name = "toy_finish",
      .summary = "remembers", .level = WEIR_SINK_IDEMPOTENT, .accepts = ANY_FORM,
      .table = &finish_table },
};

const struct weir_plugin toy_plugin = { sizeof toy_plugin, WEIR_ABI_MAJOR, 0, 0, "test.toy", "1",
                                        "none", WEIR_SDK_VERSION, components, sizeof *components,
                                        sizeof components / sizeof *components };
