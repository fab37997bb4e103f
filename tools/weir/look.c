/*
 * look.c - reads the records of a checkpoint.
 *
 * Records are only gathered, each with its place in the order of the log. What counts is chosen
 * when all are there: the last position of a partition, what is behind the last base of a group,
 * the last outcome of a sink, committables without DONE. So reading is linear and choosing is a
 * sort, whatever the log holds.
 */
#include "tools/weir/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <xxhash.h>

/* ---- memory ---- */

struct look_arena {
    struct look_arena *next;
    uint64_t used, capacity;
    max_align_t memory[];
};

static void *keep(struct look *look, const void *bytes, uint64_t n)
{
    struct look_arena *block = look->arena;
    const uint64_t size = (n + 15) / 16 * 16;
    if (!block || block->capacity - block->used < size) {
        const uint64_t capacity = size > (1u << 16) ? size : 1u << 16;
        block = malloc(sizeof *block + capacity);
        if (!block) return NULL;
        *block = (struct look_arena){ look->arena, 0, capacity };
        look->arena = block;
    }
    void *to = (uint8_t *)block->memory + block->used;
    block->used += size;
    if (n) memcpy(to, bytes, n);
    return to;
}

/* The same few names come with every batch. */
static const char *keep_text(struct look *look, const char *text)
{
    const uint64_t n = strlen(text);
    const char **recent = &look->recent[XXH3_64bits(text, n) % 64];
    if (!*recent || strcmp(*recent, text) != 0) *recent = keep(look, text, n + 1);
    return *recent;
}

static int32_t grow(void *items, uint32_t n, uint32_t *capacity, size_t size)
{
    void *grown, **at = items;
    if (n < *capacity) return WEIR_OK;
    if (n > UINT32_MAX / 2) return WEIR_FATAL;
    grown = realloc(*at, ((size_t)n * 2 + 64) * size);
    if (!grown) return WEIR_FATAL;
    *at = grown;
    *capacity = n * 2 + 64;
    return WEIR_OK;
}

#define ADD(look, list) \
    (grow(&(look)->list, (look)->n_##list, &(look)->list##_capacity, sizeof *(look)->list) \
         ? NULL : &(look)->list[(look)->n_##list])

/* ---- records ---- */

static int32_t take_tables(struct look *look, const struct record_job *job)
{
    look->n_tables = 0;
    look->tables = calloc(job->n_tables + 1, sizeof *look->tables);
    if (!look->tables) return WEIR_FATAL;
    for (uint32_t i = 0; i < job->n_tables; i++) {
        struct look_table *table = &look->tables[look->n_tables++];
        weir_error_init(&table->error);
        table->name = keep_text(look, job->tables[i].name);
        table->signature = keep_text(look, job->tables[i].signature);
        if (!table->name || !table->signature) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static int32_t take_modules(struct look *look, const struct record_job *job)
{
    look->n_modules = 0;
    look->modules = calloc(job->n_modules + 1, sizeof *look->modules);
    if (!look->modules) return WEIR_FATAL;
    for (uint32_t i = 0; i < job->n_modules; i++) {
        struct record_module *module = &look->modules[look->n_modules++];
        module->name = keep_text(look, job->modules[i].name);
        module->hash = keep_text(look, job->modules[i].hash);
        if (!module->name || !module->hash) return WEIR_FATAL;
    }
    return WEIR_OK;
}

static int32_t take_job(struct look *look, const struct log_record *record,
                        struct weir_error *error)
{
    struct record_job job;
    struct record_arena *arena = NULL;
    int32_t class = record_job_decode(record->payload, &job, &arena, error);
    if (class == WEIR_OK) {
        free(look->tables);
        free(look->modules);
        look->tables = NULL;
        look->modules = NULL;
        look->job_text = keep_text(look, job.text);
        look->weir_version = keep_text(look, job.weir_version);
        look->seed = job.hash_seed;
        class = take_tables(look, &job);
        if (class == WEIR_OK) class = take_modules(look, &job);
        if (!look->job_text || !look->weir_version) class = WEIR_FATAL;
    }
    record_free(arena);
    return class;
}

static int32_t position_of(struct look *look, const struct record_move *move, uint32_t forgotten,
                           struct look_position *out)
{
    *out = (struct look_position){
        .source = keep_text(look, move->source),
        .partition = keep(look, move->partition, strlen(move->partition) + 1),
        .bytes = { keep(look, move->until.data, move->until.length), move->until.length },
        .ended = move->ended,
        .forgotten = forgotten,
    };
    return out->source && out->partition && out->bytes.data ? WEIR_OK : WEIR_FATAL;
}

static int32_t add_move(struct look *look, const struct record_move *move, uint32_t forgotten)
{
    struct look_position *to = ADD(look, moves);
    if (!to || position_of(look, move, forgotten, to)) return WEIR_FATAL;
    look->n_moves++;
    return WEIR_OK;
}

static int32_t add_position(struct look *look, const struct look_position *position)
{
    struct look_position *to = ADD(look, positions);
    if (!to) return WEIR_FATAL;
    *to = *position;
    to->order = look->n_positions++;
    return WEIR_OK;
}

static int32_t take_plan(struct look *look, const struct log_record *record,
                         struct weir_error *error)
{
    struct record_plan plan;
    struct record_arena *arena = NULL;
    int32_t class = record_plan_decode(record->payload, &plan, &arena, error);
    look->n_moves = 0;
    for (uint32_t i = 0; class == WEIR_OK && i < plan.n_moves; i++)
        class = add_move(look, &plan.moves[i], 0);
    for (uint32_t i = 0; class == WEIR_OK && i < plan.n_forgotten; i++)
        class = add_move(look, &plan.forgotten[i], 1);
    if (class == WEIR_OK) {
        look->has_pending = 1;
        look->pending_batch = record->batch;
        look->pending_time_us = plan.time_us;
    }
    record_free(arena);
    return class;
}

static int32_t take_positions(struct look *look, const struct record_state *state, uint64_t batch)
{
    int32_t class = WEIR_OK;
    if (look->has_pending && look->pending_batch == batch) {
        for (uint32_t i = 0; class == WEIR_OK && i < look->n_moves; i++)
            class = add_position(look, &look->moves[i]);
        look->time_us = look->pending_time_us;
        look->has_pending = 0;
        look->n_moves = 0;
    }
    if (state->has_map) look->n_positions = 0;
    for (uint32_t i = 0; class == WEIR_OK && state->has_map && i < state->n_map; i++) {
        struct look_position position;
        class = position_of(look, &state->map[i], 0, &position);
        if (class == WEIR_OK) class = add_position(look, &position);
    }
    return class;
}

static int32_t take_piece(struct look *look, const struct record_piece *piece)
{
    struct look_piece *to = ADD(look, pieces);
    if (!to) return WEIR_FATAL;
    *to = (struct look_piece){ .table = keep_text(look, piece->table), .group = piece->group,
                               .base = piece->base, .order = look->n_pieces,
                               .extent = piece->extent };
    to->bytes.length = piece->bytes.length;
    if (piece->bytes.data) to->bytes.data = keep(look, piece->bytes.data, piece->bytes.length);
    if (!to->table || (piece->bytes.data && !to->bytes.data)) return WEIR_FATAL;
    look->n_pieces++;
    return WEIR_OK;
}

static int32_t take_sink(struct look *look, const struct record_sink *sink, uint64_t batch)
{
    struct look_sink *to = ADD(look, sinks);
    if (!to) return WEIR_FATAL;
    *to = (struct look_sink){ keep_text(look, sink->name), sink->outcome, batch, sink->rows };
    if (!to->name) return WEIR_FATAL;
    look->n_sinks++;
    uint64_t owed = sink->committable.length;
    if (sink->outcome != SINK_COMMITTABLE && sink->outcome != SINK_SPOOLED) return WEIR_OK;
    for (uint32_t i = 0; i < sink->n_output; i++) owed += sink->output[i].length;
    struct look_committable *open = ADD(look, committables);
    if (!open) return WEIR_FATAL;
    *open = (struct look_committable){ to->name, batch, owed, 0 };
    look->n_committables++;
    return WEIR_OK;
}

static int32_t take_state(struct look *look, const struct log_record *record,
                          struct weir_error *error)
{
    struct record_state state;
    struct record_arena *arena = NULL;
    int32_t class = record_state_decode(record->payload, &state, &arena, error);
    if (class == WEIR_OK) class = take_positions(look, &state, record->batch);
    for (uint32_t i = 0; class == WEIR_OK && i < state.n_pieces; i++)
        class = take_piece(look, &state.pieces[i]);
    for (uint32_t i = 0; class == WEIR_OK && i < state.n_sinks; i++)
        class = take_sink(look, &state.sinks[i], record->batch);
    if (class == WEIR_OK) {
        if (record->batch < look->first_batch) look->first_batch = record->batch;
        look->next_batch = record->batch + 1;
        look->watermark_us = state.watermark_us;
        look->dead_letters += state.dead_letters;
    }
    record_free(arena);
    return class;
}

static int32_t take_done(struct look *look, const struct log_record *record,
                         struct weir_error *error)
{
    struct record_done done;
    struct record_arena *arena = NULL;
    int32_t class = record_done_decode(record->payload, &done, &arena, error);
    struct look_committable *to = class == WEIR_OK ? ADD(look, committables) : NULL;
    if (to) {
        *to = (struct look_committable){ keep_text(look, done.sink), record->batch, 0, 1 };
        look->n_committables++;
    }
    if (class == WEIR_OK && (!to || !to->sink)) class = WEIR_FATAL;
    record_free(arena);
    return class;
}

/* What was dropped by name is not there any more. */
static int32_t take_drop(struct look *look, const struct log_record *record,
                         struct weir_error *error)
{
    struct record_drop drop;
    struct record_arena *arena = NULL;
    uint32_t kept = 0;
    int32_t class = record_drop_decode(record->payload, &drop, &arena, error);
    for (uint32_t i = 0; class == WEIR_OK && i < look->n_pieces; i++) {
        const char *table = look->pieces[i].table;
        size_t n = strlen(drop.name);
        if (strncmp(table, drop.name, n) != 0 || (table[n] != '/' && table[n] != 0))
            look->pieces[kept++] = look->pieces[i];
    }
    if (class == WEIR_OK) look->n_pieces = kept;
    kept = 0;
    for (uint32_t i = 0; class == WEIR_OK && i < look->n_positions; i++)
        if (strcmp(look->positions[i].source, drop.name) != 0)
            look->positions[kept++] = look->positions[i];
    if (class == WEIR_OK) look->n_positions = kept;
    record_free(arena);
    return class;
}

static int32_t take_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    int32_t class;
    if (record->version != RECORD_VERSION)
        return weir_fail(error, WEIR_CONFIG, "the log has a record of version %u, which this weir "
                         "does not know: it was written by a newer one", record->version);
    switch (record->type) {
    case LOG_JOB: class = take_job(arg, record, error); break;
    case LOG_PLAN: class = take_plan(arg, record, error); break;
    case LOG_STATE: class = take_state(arg, record, error); break;
    case LOG_DONE: class = take_done(arg, record, error); break;
    case LOG_DROP: class = take_drop(arg, record, error); break;
    default:
        return weir_fail(error, WEIR_CONFIG, "the log has a record of type %u, which this weir "
                         "does not know: it was written by a newer one", record->type);
    }
    return class == WEIR_OK ? class : weir_fail(error, class, "out of memory");
}

/* ---- choosing ---- */

static int position_order(const void *a, const void *b)
{
    const struct look_position *x = a, *y = b;
    int order = strcmp(x->source, y->source);
    if (!order) order = strcmp(x->partition, y->partition);
    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static void choose_positions(struct look *look)
{
    struct look_position *p = look->positions;
    uint32_t n = look->n_positions, kept = 0;
    if (n) qsort(p, n, sizeof *p, position_order);
    for (uint32_t i = 0; i < n; i++) {
        int last = i + 1 == n || strcmp(p[i].source, p[i + 1].source) != 0 ||
                   strcmp(p[i].partition, p[i + 1].partition) != 0;
        if (last && !p[i].forgotten) p[kept++] = p[i];
    }
    look->n_positions = kept;
}

static int piece_order(const void *a, const void *b)
{
    const struct look_piece *x = a, *y = b;
    int order = strcmp(x->table, y->table);
    if (!order && x->group != y->group) order = x->group < y->group ? -1 : 1;
    return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

static void choose_pieces(struct look *look)
{
    struct look_piece *p = look->pieces;
    uint32_t n = look->n_pieces, kept = 0, begin = 0;
    if (n) qsort(p, n, sizeof *p, piece_order);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == begin || p[kept - 1].group != p[i].group ||
            strcmp(p[kept - 1].table, p[i].table) != 0)
            begin = kept;
        if (p[i].base) kept = begin; /* what its group had before is superfluous */
        p[kept++] = p[i];
    }
    look->n_pieces = kept;
}

/* Tables with pieces that the newest job does not name. */
static int32_t add_strays(struct look *look)
{
    for (uint32_t i = 0; i < look->n_pieces; i++) {
        const char *name = look->pieces[i].table;
        uint32_t k = 0;
        if (i && strcmp(look->pieces[i - 1].table, name) == 0) continue;
        while (k < look->n_tables && strcmp(look->tables[k].name, name) != 0) k++;
        if (k < look->n_tables) continue;
        struct look_table *tables =
            realloc(look->tables, (look->n_tables + 1) * sizeof *look->tables);
        if (!tables) return WEIR_FATAL;
        look->tables = tables;
        memset(&tables[k], 0, sizeof *tables);
        weir_error_init(&tables[k].error);
        tables[look->n_tables++].name = name;
    }
    return WEIR_OK;
}

static int sink_order(const void *a, const void *b)
{
    const struct look_sink *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->batch < y->batch ? -1 : x->batch > y->batch;
}

static int committable_order(const void *a, const void *b)
{
    const struct look_committable *x = a, *y = b;
    int order = strcmp(x->sink, y->sink);
    if (!order && x->batch != y->batch) order = x->batch < y->batch ? -1 : 1;
    return order ? order : (int)x->done - (int)y->done;
}

/* What a DONE closed is no longer open: it is finished. */
static void settle_sinks(struct look *look)
{
    for (uint32_t i = 0; i < look->n_sinks; i++) {
        struct look_sink *sink = &look->sinks[i];
        int open = 0;
        for (uint32_t k = 0; k < look->n_committables; k++)
            open |= look->committables[k].batch == sink->batch &&
                    strcmp(look->committables[k].sink, sink->name) == 0;
        if (!open && (sink->outcome == SINK_COMMITTABLE || sink->outcome == SINK_SPOOLED))
            sink->outcome = SINK_FINISHED;
    }
}

static void choose_sinks(struct look *look)
{
    struct look_sink *s = look->sinks;
    struct look_committable *c = look->committables;
    uint32_t kept = 0;
    if (look->n_sinks) qsort(s, look->n_sinks, sizeof *s, sink_order);
    for (uint32_t i = 0; i < look->n_sinks; i++)
        if (i + 1 == look->n_sinks || strcmp(s[i].name, s[i + 1].name) != 0) s[kept++] = s[i];
    look->n_sinks = kept;
    kept = 0;
    if (look->n_committables) qsort(c, look->n_committables, sizeof *c, committable_order);
    for (uint32_t i = 0; i < look->n_committables; i++) {
        int done = i + 1 < look->n_committables && c[i + 1].done &&
                   c[i + 1].batch == c[i].batch && strcmp(c[i + 1].sink, c[i].sink) == 0;
        if (!c[i].done && !done) c[kept++] = c[i];
    }
    look->n_committables = kept;
    settle_sinks(look);
}

/* ---- open and close ---- */

static void look_clear(struct look *look)
{
    log_close(look->log);
    for (uint32_t i = 0; i < look->n_tables; i++) store_destroy(look->tables[i].store);
    free(look->tables);
    free(look->modules);
    free(look->moves);
    free(look->positions);
    free(look->pieces);
    free(look->sinks);
    free(look->committables);
    while (look->arena) {
        struct look_arena *next = look->arena->next;
        free(look->arena);
        look->arena = next;
    }
    memset(look, 0, sizeof *look);
    weir_error_init(&look->damage);
    look->first_batch = UINT64_MAX;
    look->time_us = INT64_MIN;
    look->watermark_us = WEIR_WATERMARK_NONE;
}

int32_t look_open(struct weir_sys *sys, const char *directory, struct look **out,
                  struct weir_error *error)
{
    struct log_options options = { .directory = directory, .read_only = 1 };
    struct look *look = calloc(1, sizeof *look);
    int32_t class = WEIR_DATA;
    *out = look;
    if (!look) return weir_fail(error, WEIR_FATAL, "out of memory");
    /* a running job may drop a segment between the listing and the reading: again then */
    for (int i = 0; i < 3 && class == WEIR_DATA; i++) {
        look_clear(look);
        class = log_open(sys, &options, take_record, look, &look->log, &look->report,
                         &look->damage);
    }
    choose_positions(look);
    choose_pieces(look);
    choose_sinks(look);
    if (add_strays(look) != WEIR_OK) class = weir_fail(&look->damage, WEIR_FATAL, "out of memory");
    return class == WEIR_OK ? class : weir_fail(error, class, "%s", look->damage.text);
}

void look_close(struct look *look)
{
    if (!look) return;
    look_clear(look);
    free(look);
}

int look_status(struct weir_sys *sys, const char *directory, int32_t class)
{
    struct sys_stat st;
    char path[4096];
    snprintf(path, sizeof path, "%s/weir.json", directory);
    if (class == WEIR_OK) return 0;
    if (class == WEIR_RETRY) return EX_TEMPFAIL;
    if (class != WEIR_CONFIG) return EX_IOERR;
    return sys_stat_path(sys, path, &st) == 0 ? EX_CONFIG : EX_NOINPUT;
}

uint32_t look_pieces(const struct look *look, const char *table, uint32_t *first)
{
    uint32_t low = 0, high = look->n_pieces, n = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(look->pieces[middle].table, table) < 0) low = middle + 1;
        else high = middle;
    }
    *first = low;
    while (low + n < look->n_pieces && strcmp(look->pieces[low + n].table, table) == 0) n++;
    return n;
}
