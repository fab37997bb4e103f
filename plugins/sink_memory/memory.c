/*
 * memory.c - the sink `memory`: the last batches, in memory, each visible once and whole.
 *
 * A batch goes from *staged* (begin, write) to *prepared* (prepare) to *visible* (commit).
 *
 *  1. The list is ordered by batch id; visible batches come before prepared ones.
 *  2. `last` is the greatest id that was ever visible, so a repeated commit is ALREADY even where
 *     the batch has gone since.
 *  3. Visible rows number at most `rows`, unless the newest batch alone has more: the oldest
 *     batches go.
 *  4. The lock guards the list; staged rows belong to the sink thread alone.
 *
 * Memory does not outlive the process: a batch that was prepared before a restart is committed as
 * ALREADY, its rows are gone like those of all batches before it.
 *
 * A committable is text: "weir.memory 1 BATCH ROWS".
 */
#include "plugins/sink_memory/memory.h"

#include <pthread.h>

#include "plugins/share/column.h"
#include "plugins/share/option.h"
#include "plugins/share/render.h"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_INT, 0, "rows", "1000000", NULL,
                "rows that are kept; past it the oldest batches go"),
};

struct piece {
    uint32_t partition;
    struct ArrowArray array;
};

struct held {
    uint64_t batch, rows;
    struct piece *pieces;
    uint32_t n, room;
};

struct memory {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct ArrowSchema *schema;
    uint32_t form;
    uint64_t most; /* option `rows` */
    pthread_mutex_t lock;
    struct held staged;
    struct held *list; /* n batches, of which `visible` are visible */
    uint64_t n, room, visible, rows;
    uint64_t last, has_last;
    uint64_t dropped_batches, dropped_rows;
};

/* ---- batches ---- */

static void held_clear(struct memory *m, struct held *held)
{
    for (uint32_t i = 0; i < held->n; i++)
        if (held->pieces[i].array.release) held->pieces[i].array.release(&held->pieces[i].array);
    m->host->free(held->pieces);
    memset(held, 0, sizeof *held);
}

static void list_remove(struct memory *m, uint64_t i)
{
    held_clear(m, &m->list[i]);
    m->n--;
    memmove(m->list + i, m->list + i + 1, (m->n - i) * sizeof *m->list);
}

/* Copies the selected rows of a chunk. */
static int32_t piece_copy(struct memory *m, const struct weir_chunk *chunk, struct ArrowArray *out,
                          struct weir_error *error)
{
    uint32_t n = (uint32_t)chunk->schema->n_children, i;
    uint32_t *rows = m->host->alloc(((uint64_t)chunk->selected + 1) * sizeof *rows);
    struct ArrowArray *columns = m->host->alloc(((uint64_t)n + 1) * sizeof *columns);
    int32_t status = rows && columns ? WEIR_OK : no_memory(error);
    out->release = NULL;
    if (columns) memset(columns, 0, (n + 1) * sizeof *columns);
    for (i = 0; i < chunk->selected && status == WEIR_OK; i++) rows[i] = weir_row(chunk, i);
    for (i = 0; i < n && status == WEIR_OK; i++)
        status = m->data->take(chunk->schema->children[i], chunk->array->children[i], rows,
                               chunk->selected, &columns[i], error);
    if (status == WEIR_OK)
        status = array_of_columns(m->host, columns, n, chunk->selected, out, error);
    for (i = 0; columns && i < n; i++)
        if (columns[i].release) columns[i].release(&columns[i]);
    m->host->free(columns);
    m->host->free(rows);
    return status;
}

/* ---- calls ---- */

static int32_t memory_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct memory *m = host->alloc(sizeof *m);
    int64_t rows = option_integer(host, context, "rows", 1000000);
    *self = m;
    if (!m) return no_memory(error);
    memset(m, 0, sizeof *m);
    m->host = host;
    m->context = context;
    pthread_mutex_init(&m->lock, NULL);
    m->data = host->get_interface(WEIR_DATA_ID);
    if (!m->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    if (rows < 0) return weir_fail_option(error, "rows", -1, "rows can't be fewer than 0");
    m->most = (uint64_t)rows;
    return WEIR_OK;
}

static void memory_destroy(void *self)
{
    struct memory *m = self;
    if (!m) return;
    held_clear(m, &m->staged);
    while (m->n) list_remove(m, m->n - 1);
    m->host->free(m->list);
    pthread_mutex_destroy(&m->lock);
    m->host->free(m);
}

static int32_t memory_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    struct memory *m = self;
    (void)error;
    m->schema = in->schema;
    m->form = in->form;
    return WEIR_OK;
}

static int32_t memory_open(void *self, const struct weir_identity *identity,
                           struct weir_error *error)
{
    (void)self, (void)identity, (void)error;
    return WEIR_OK;
}

static int32_t memory_recover(void *self, const struct weir_committable *list, uint32_t n,
                              uint64_t next_batch, struct weir_error *error)
{
    struct memory *m = self;
    (void)next_batch, (void)error;
    pthread_mutex_lock(&m->lock);
    for (uint64_t i = m->n; i > m->visible; i--) {
        uint32_t k = 0;
        while (k < n && list[k].batch != m->list[i - 1].batch) k++;
        if (k == n) list_remove(m, i - 1);
    }
    pthread_mutex_unlock(&m->lock);
    held_clear(m, &m->staged);
    return WEIR_OK;
}

/* Drops the prepared batch `batch`, if it is there. */
static void drop_prepared(struct memory *m, uint64_t batch)
{
    pthread_mutex_lock(&m->lock);
    if (m->n > m->visible && m->list[m->n - 1].batch == batch) list_remove(m, m->n - 1);
    pthread_mutex_unlock(&m->lock);
}

static int32_t memory_begin(void *self, const struct weir_sink_batch *batch,
                            struct weir_error *error)
{
    struct memory *m = self;
    (void)error;
    held_clear(m, &m->staged);
    drop_prepared(m, batch->batch);
    m->staged.batch = batch->batch;
    return WEIR_OK;
}

static int32_t memory_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct memory *m = self;
    struct held *staged = &m->staged;
    struct piece *piece;
    int32_t status;
    if (staged->n == staged->room) {
        uint32_t room = staged->room ? 2 * staged->room : 8;
        struct piece *pieces = m->host->realloc(staged->pieces, room * sizeof *pieces);
        if (!pieces) return no_memory(error);
        staged->pieces = pieces;
        staged->room = room;
    }
    piece = &staged->pieces[staged->n];
    status = piece_copy(m, chunk, &piece->array, error);
    if (status != WEIR_OK) return status;
    piece->partition = chunk->partition;
    staged->rows += chunk->selected;
    staged->n++;
    return WEIR_OK;
}

static int32_t memory_prepare(void *self, struct weir_buffer *committable,
                              struct weir_error *error)
{
    struct memory *m = self;
    char text[80];
    int n = snprintf(text, sizeof text, "weir.memory 1 %llu %llu",
                     (unsigned long long)m->staged.batch, (unsigned long long)m->staged.rows);
    if (m->n == m->room) {
        uint64_t room = m->room ? 2 * m->room : 16;
        struct held *list;
        pthread_mutex_lock(&m->lock);
        list = m->host->realloc(m->list, room * sizeof *list);
        if (list) {
            m->list = list;
            m->room = room;
        }
        pthread_mutex_unlock(&m->lock);
        if (!list) return no_memory(error);
    }
    if (render_bytes(m->host, text, (uint64_t)n, committable) != WEIR_OK) return no_memory(error);
    pthread_mutex_lock(&m->lock);
    m->list[m->n++] = m->staged;
    pthread_mutex_unlock(&m->lock);
    memset(&m->staged, 0, sizeof m->staged);
    m->staged.batch = m->list[m->n - 1].batch; /* for abort */
    return WEIR_OK;
}

/* Under the lock: the batch at `visible` becomes visible, and old ones go. */
static void make_visible(struct memory *m)
{
    struct held *held = &m->list[m->visible++];
    m->rows += held->rows;
    m->last = held->batch;
    m->has_last = 1;
    while (m->visible > 1 && m->rows > m->most) {
        m->dropped_batches++;
        m->dropped_rows += m->list[0].rows;
        m->rows -= m->list[0].rows;
        m->visible--;
        list_remove(m, 0);
    }
}

static int32_t memory_commit(void *self, const struct weir_committable *committable,
                             uint32_t *outcome, struct weir_error *error)
{
    struct memory *m = self;
    int gone = 0;
    (void)error;
    pthread_mutex_lock(&m->lock);
    *outcome = WEIR_COMMIT_ALREADY;
    if (!m->has_last || committable->batch > m->last) {
        if (m->visible < m->n && m->list[m->visible].batch == committable->batch) {
            make_visible(m);
            *outcome = WEIR_COMMIT_DONE;
        } else {
            m->last = committable->batch;
            m->has_last = gone = 1;
        }
    } else if (m->n > m->visible && m->list[m->n - 1].batch == committable->batch) {
        list_remove(m, m->n - 1); /* it was visible before it was prepared again */
    }
    pthread_mutex_unlock(&m->lock);
    if (gone)
        m->host->log(m->context, WEIR_LOG_WARN,
                     "a batch was prepared before the restart: its rows are no longer in memory");
    return WEIR_OK;
}

static int32_t memory_abort(void *self, struct weir_error *error)
{
    struct memory *m = self;
    uint64_t batch = m->staged.batch;
    (void)error;
    held_clear(m, &m->staged);
    drop_prepared(m, batch);
    return WEIR_OK;
}

static void memory_nothing(void *self) { (void)self; }

/* ---- weir.memory/1 ---- */

static void memory_lock(void *self) { pthread_mutex_lock(&((struct memory *)self)->lock); }

static void memory_unlock(void *self) { pthread_mutex_unlock(&((struct memory *)self)->lock); }

static uint64_t memory_batches(void *self) { return ((struct memory *)self)->visible; }

static int32_t memory_batch(void *self, uint64_t i, uint64_t *id, uint32_t *chunks)
{
    const struct memory *m = self;
    if (i >= m->visible) return WEIR_UNSUPPORTED;
    *id = m->list[i].batch;
    *chunks = m->list[i].n;
    return WEIR_OK;
}

static int32_t memory_chunk(void *self, uint64_t i, uint32_t k, struct weir_memory_chunk *out)
{
    const struct memory *m = self;
    struct weir_memory_chunk all = { sizeof all, 0, m->schema, NULL };
    if (i >= m->visible || k >= m->list[i].n) return WEIR_UNSUPPORTED;
    all.size = out->size;
    all.partition = m->list[i].pieces[k].partition;
    all.array = &m->list[i].pieces[k].array;
    memcpy(out, &all, out->size < sizeof all ? out->size : sizeof all);
    return WEIR_OK;
}

static void memory_dropped(void *self, uint64_t *batches, uint64_t *rows)
{
    const struct memory *m = self;
    *batches = m->dropped_batches;
    *rows = m->dropped_rows;
}

static uint32_t memory_form(void *self) { return ((struct memory *)self)->form; }

static const struct weir_memory view = {
    sizeof view,    0,            memory_lock,    memory_unlock, memory_batches,
    memory_batch,   memory_chunk, memory_dropped, memory_form,
};

static const struct weir_interface interfaces[] = { { WEIR_MEMORY_ID, &view } };

static const struct weir_sink sink = {
    .size = sizeof sink,
    .create = memory_create,
    .destroy = memory_destroy,
    .bind = memory_bind,
    .open = memory_open,
    .recover = memory_recover,
    .begin = memory_begin,
    .write = memory_write,
    .prepare = memory_prepare,
    .commit = memory_commit,
    .abort = memory_abort,
    .cancel = memory_nothing,
    .close = memory_nothing,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "memory",
      .summary = "keeps the last batches in memory",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .level = WEIR_SINK_TWO_PHASE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION,
      .table = &sink,
      .interfaces = interfaces,
      .n_interfaces = 1 },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
                                           "weir.sink.memory", "1.0", "MIT", WEIR_SDK_VERSION,
                                           components, sizeof *components, 1 };
WEIR_PLUGIN(plugin)
