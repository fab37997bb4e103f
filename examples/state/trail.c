/*
 * trail.c - a value, a list, a map and timers for each key, on the host's tables (weir/state.h):
 * where each user goes on a web site. One row comes out for each visit, and one for each timer:
 * "idle" 2 seconds after the last visit, "report" 5 seconds after the first.
 *
 *   value   table  user       → number of visits
 *   pages   table  user, page → number of visits of this page
 *   recent  rows   user       → the pages, in order
 *   timers  table  user       → when each fires
 *
 * Column 0 of the first three is when the record expires, TTL after it was written: these go when a
 * batch begins, so that no row sees them. Rows go through <weir/row.h>.
 */
#include <weir/row.h>

#define SECOND INT64_C(1000000)
#define TTL (4 * SECOND)

enum { VALUE, PAGES, RECENT, TIMERS, TABLES };
enum { EXPIRES, DATA };    /* columns of the tables */
enum { IDLE, REPORT };     /* of "timers" */
enum { USER, PAGE };       /* of the input, and of keys */
enum { OUT_USER, OUT_EVENT, OUT_N, OUT_HERE, OUT_RECENT };

/* with WEIR_COLUMN_EVENT_TIME too a timer goes by the watermark, evict_us of begin */
#define TIMER WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER

static const struct {
    const char *name, *key;
    uint32_t kind;
    struct weir_table_column columns[2];
} layouts[TABLES] = {
    { "value", "user string", WEIR_TABLE, { { "expires", TIMER }, { "n", WEIR_TYPE_INT64, 0 } } },
    { "pages", "user string, page string", WEIR_TABLE,
      { { "expires", TIMER }, { "n", WEIR_TYPE_INT64, 0 } } },
    { "recent", "user string", WEIR_ROWS, { { "expires", TIMER }, { "page", WEIR_TYPE_UTF8, 0 } } },
    { "timers", "user string", WEIR_TABLE, { { "idle", TIMER }, { "report", TIMER } } },
};

static const struct weir_row_operator rows = {
    "user string, page string",
    "user string, event string, n bigint, here bigint, recent string", NULL, NULL
};

struct trail {
    void *rows; /* of <weir/row.h> */
    const struct weir_host *host;
    const struct weir_data *data;
    const struct weir_state_table *state;
    uint32_t tables[TABLES];
};

struct lane {
    const struct trail *trail;
    struct weir_row *row;
    struct weir_state *state;
    int64_t now;
    const struct ArrowArray *key[2]; /* user and page: row `at` of these arrays */
    uint32_t at;
    struct weir_buffer text;
};

static int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* ---- the instance ---- */

static int32_t create(const struct weir_host *host, struct weir_context *context, void **self,
                      struct weir_error *error)
{
    struct trail *t = host->alloc(sizeof *t);
    *self = t;
    if (!t) return no_memory(error);
    memset(t, 0, sizeof *t);
    t->host = host;
    t->data = host->get_interface(WEIR_DATA_ID);
    t->state = host->get_interface(WEIR_STATE_ID);
    if (!t->data || !t->state)
        return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_STATE_ID);
    return weir_row_create(&rows, host, context, &t->rows, error);
}

static void destroy(void *self)
{
    struct trail *t = self;
    if (!t) return;
    weir_row_destroy(t->rows);
    t->host->free(t);
}

static int32_t declare(struct trail *t, int table, struct weir_error *error)
{
    struct weir_row_self *row = t->rows;
    struct ArrowSchema key;
    int32_t result = t->data->schema_parse(layouts[table].key, &key, error);
    if (result != WEIR_OK) return result;
    const struct weir_table_spec spec = { .size = sizeof spec, .kind = layouts[table].kind,
                                          .name = layouts[table].name, .key = &key,
                                          .n_distribution = 1, .version = 1, .signature = "",
                                          .n_columns = 2, .columns = layouts[table].columns };
    result = t->state->declare(row->context, &spec, &t->tables[table], error);
    key.release(&key);
    return result;
}

static int32_t bind(void *self, const struct weir_operator_bind *in, struct weir_operator_plan *out,
                    struct weir_error *error)
{
    struct trail *t = self;
    struct weir_row_self *row = t->rows;
    int32_t result = weir_row_bind(row, in, out, error);
    for (int i = 0; i < TABLES && result == WEIR_OK; i++) result = declare(t, i, error);
    out->flags |= WEIR_PLAN_TIMELESS; /* timers go by the time of the batch */
    out->distribution[0].kind = WEIR_DISTRIBUTE_HASHED;
    out->distribution[0].n_columns = 1;
    out->distribution[0].columns[0] = (uint32_t)row->columns[USER];
    return result;
}

static int32_t lane_create(void *self, struct weir_context *context, void **lane,
                           struct weir_error *error)
{
    const struct trail *t = self;
    struct lane *l = t->host->alloc(sizeof *l);
    void *row = NULL;
    *lane = l;
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->trail = t;
    int32_t result = weir_row_lane(t->rows, context, &row, error);
    l->row = row;
    return result;
}

static void lane_destroy(void *self, void *lane)
{
    const struct trail *t = self;
    struct lane *l = lane;
    if (!l) return;
    weir_row_lane_end(t->rows, l->row);
    t->host->free(l->text.data);
    t->host->free(l);
}

/* ---- tables, for the key of the lane ---- */

static int32_t slot_of(struct lane *l, int table, uint32_t *slot, struct weir_error *error)
{
    const struct trail *t = l->trail;
    return t->state->lookup_or_insert(l->state, t->tables[table], l->key, NULL, &l->at, 1, slot,
                                      error);
}

static int32_t set_timer(struct lane *l, int table, uint32_t column, uint32_t slot, int64_t at,
                         struct weir_error *error)
{
    const struct trail *t = l->trail;
    if (t->state->set_timer(l->state, t->tables[table], column, slot, at) == WEIR_OK) return WEIR_OK;
    return no_memory(error);
}

static int64_t *cell(struct lane *l, int table, uint32_t column, uint32_t slot)
{
    const struct trail *t = l->trail;
    struct weir_view view = t->state->column(l->state, t->tables[table], column);
    return (int64_t *)(void *)(view.base + slot * view.stride);
}

/* Adds one to a count; it lives on. */
static int32_t add(struct lane *l, int table, int64_t *n, struct weir_error *error)
{
    uint32_t slot;
    int32_t result = slot_of(l, table, &slot, error);
    if (result != WEIR_OK) return result;
    *n = ++*cell(l, table, DATA, slot);
    return set_timer(l, table, EXPIRES, slot, l->now + TTL, error);
}

static int32_t append(struct lane *l, struct weir_bytes page, struct weir_error *error)
{
    const struct trail *t = l->trail;
    uint32_t slot, row;
    int32_t result = slot_of(l, RECENT, &slot, error);
    if (result == WEIR_OK)
        result = t->state->row_append(l->state, t->tables[RECENT], &slot, &l->now, 1, &row, error);
    if (result != WEIR_OK) return result;
    if (t->state->put(l->state, t->tables[RECENT], DATA, row, page) != WEIR_OK)
        return no_memory(error);
    return set_timer(l, RECENT, EXPIRES, row, l->now + TTL, error);
}

/* The pages of the list, each with a space behind it, into l->text. */
static int32_t join_pages(struct lane *l, struct weir_error *error)
{
    const struct trail *t = l->trail;
    uint32_t table = t->tables[RECENT], slot, row = WEIR_NO_ROW;
    t->state->lookup(l->state, table, l->key, NULL, &l->at, 1, &slot);
    if (slot != WEIR_NO_SLOT) row = t->state->row_first(l->state, table, slot);
    for (l->text.length = 0; row != WEIR_NO_ROW; row = t->state->row_next(l->state, table, row)) {
        struct weir_bytes page = t->state->get(l->state, table, DATA, row);
        if (t->host->buffer_grow(&l->text, page.length + 1) != WEIR_OK) return no_memory(error);
        if (page.length) memcpy(l->text.data + l->text.length, page.data, page.length);
        l->text.length += page.length;
        l->text.data[l->text.length++] = ' ';
    }
    return WEIR_OK;
}

/* ---- what it does ---- */

static int32_t give(struct lane *l, const char *event, int64_t n, const int64_t *here,
                    struct weir_error *error)
{
    int32_t result = join_pages(l, error);
    if (result != WEIR_OK) return result;
    if (!weir_is_null(l->key[USER], l->at))
        weir_row_put_text(l->row, OUT_USER, weir_get_bytes(l->key[USER], l->at));
    weir_row_put_text(l->row, OUT_EVENT,
                      (struct weir_bytes){ (const uint8_t *)event, strlen(event) });
    weir_row_put_int(l->row, OUT_N, n);
    if (here) weir_row_put_int(l->row, OUT_HERE, *here);
    weir_row_put_text(l->row, OUT_RECENT, (struct weir_bytes){ l->text.data, l->text.length });
    return weir_row_emit(l->row, error);
}

static int32_t visit(struct lane *l, struct weir_error *error)
{
    int64_t n = 0, here = 0;
    uint32_t timers;
    int32_t result = add(l, VALUE, &n, error);
    if (result == WEIR_OK) result = add(l, PAGES, &here, error);
    if (result == WEIR_OK) result = append(l, weir_get_bytes(l->key[PAGE], l->at), error);
    if (result == WEIR_OK) result = slot_of(l, TIMERS, &timers, error);
    if (result == WEIR_OK) result = set_timer(l, TIMERS, IDLE, timers, l->now + 2 * SECOND, error);
    if (result == WEIR_OK && n == 1)
        result = set_timer(l, TIMERS, REPORT, timers, l->now + 5 * SECOND, error);
    return result == WEIR_OK ? give(l, "visit", n, &here, error) : result;
}

static int32_t fire(struct lane *l, uint32_t timer, uint32_t slot, struct weir_error *error)
{
    const struct trail *t = l->trail;
    struct ArrowArray user;
    uint32_t value;
    int32_t result = t->state->keys(l->state, t->tables[TIMERS], USER, &slot, 1, &user, error);
    if (result != WEIR_OK) return result;
    l->key[USER] = &user;
    l->at = 0;
    result = set_timer(l, TIMERS, timer, slot, INT64_MAX, error);
    if (result == WEIR_OK && *cell(l, TIMERS, IDLE, slot) == INT64_MAX &&
        *cell(l, TIMERS, REPORT, slot) == INT64_MAX &&
        t->state->remove(l->state, t->tables[TIMERS], &slot, 1) != WEIR_OK)
        result = no_memory(error);
    t->state->lookup(l->state, t->tables[VALUE], l->key, NULL, &l->at, 1, &value);
    if (result == WEIR_OK)
        result = give(l, timer == IDLE ? "idle" : "report",
                      value == WEIR_NO_SLOT ? 0 : *cell(l, VALUE, DATA, value), NULL, error);
    user.release(&user);
    return result;
}

/* ---- a batch of a key group ---- */

static int32_t begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    const struct trail *t = self;
    struct lane *l = lane;
    uint32_t slots[64], n;
    l->state = in->state;
    l->now = in->time_us;
    for (int i = VALUE; i <= RECENT; i++)
        while ((n = t->state->due(l->state, t->tables[i], EXPIRES, l->now, slots, 64)) > 0)
            if ((i == RECENT ? t->state->row_remove : t->state->remove)(l->state, t->tables[i],
                                                                        slots, n) != WEIR_OK)
                return no_memory(error);
    return WEIR_OK;
}

static int32_t process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                       struct weir_error *error)
{
    const struct trail *t = self;
    struct lane *l = lane;
    int32_t result = WEIR_OK;
    (void)input;
    l->row->chunk = chunk;
    for (uint32_t c = USER; c <= PAGE; c++) l->key[c] = weir_row_column(l->row, c);
    for (uint32_t i = 0; i < chunk->selected && result == WEIR_OK; i++) {
        l->at = weir_row(chunk, i);
        if (weir_is_null(l->key[PAGE], l->at))
            result = t->host->reject(l->row->context, chunk, l->at, WEIR_REJECT_OPERATOR,
                                     "page is null", error);
        else
            result = visit(l, error);
    }
    return result == WEIR_OK ? weir_row_flush(l->row, error) : result;
}

static int32_t advance(void *self, void *lane, struct weir_error *error)
{
    const struct trail *t = self;
    struct lane *l = lane;
    uint32_t slot;
    int32_t result = WEIR_OK;
    for (uint32_t timer = IDLE; timer <= REPORT; timer++)
        while (result == WEIR_OK &&
               t->state->due(l->state, t->tables[TIMERS], timer, l->now, &slot, 1) == 1)
            result = fire(l, timer, slot, error);
    return result == WEIR_OK ? weir_row_flush(l->row, error) : result;
}

static const struct weir_operator trail_table = {
    .size = sizeof trail_table, .create = create, .destroy = destroy, .bind = bind,
    .lane_create = lane_create, .lane_destroy = lane_destroy, .begin = begin, .process = process,
    .advance = advance,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = "trail",
      .summary = "where users go: pages, counts, and timers", .state_reads = 1, .state_writes = 1,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC, .table = &trail_table },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "example.trail",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
