/*
 * recover.c - reading the log at the start, and what it gives the run: ids, T, watermarks, positions, state,
 * committables, the pending batch.
 *
 * Records are taken in order. A PLAN waits until its STATE comes; then its moves are applied to the map of positions.
 * A STATE with `has_map` replaces the map. A piece that is a base makes the older pieces of its group
 * and table superfluous. What is left at the end of the log:
 *   PLAN without STATE        the batch is pending: it runs again, the same
 *   committables without DONE they are committed again
 *   spooled rows without DONE the sink gets them from the log
 */
#include <stdlib.h>

#include "core/run/checkpoint.h"
#include "core/run/cp.h"
#include "core/run/spooled.h"
#include "core/run/read.h"
#include "core/sys/planted.h"

static uint8_t *copy_bytes(struct weir_bytes bytes)
{
    uint8_t *copy = malloc(bytes.length + 1);
    if (copy && bytes.length) memcpy(copy, bytes.data, bytes.length);
    return copy;
}

/* ---- positions ---- */

static struct cp_position *position_find(struct checkpoint *cp, const char *source,
                                         const char *partition, int make)
{
    for (uint32_t i = cp->n_positions; i-- > 0;)
        if (strcmp(cp->positions[i].partition, partition) == 0 &&
            strcmp(cp->positions[i].source, source) == 0)
            return &cp->positions[i];
    if (!make) return NULL;
    if (cp->n_positions == cp->positions_capacity) {
        uint32_t capacity = cp->positions_capacity ? cp->positions_capacity * 2 : 64;
        struct cp_position *positions = realloc(cp->positions, capacity * sizeof *positions);
        if (!positions) return NULL;
        cp->positions = positions;
        cp->positions_capacity = capacity;
    }
    struct cp_position *position = &cp->positions[cp->n_positions];
    memset(position, 0, sizeof *position);
    position->source = strdup(source);
    position->partition = strdup(partition);
    if (!position->source || !position->partition) return NULL;
    cp->n_positions++;
    return position;
}

static void position_drop(struct checkpoint *cp, struct cp_position *position)
{
    free(position->source);
    free(position->partition);
    free(position->bytes);
    *position = cp->positions[--cp->n_positions];
}

static int32_t position_set(struct checkpoint *cp, const struct record_move *move)
{
    struct cp_position *position = position_find(cp, move->source, move->partition, 1);
    uint8_t *bytes = copy_bytes(move->until);
    if (!position || !bytes) {
        free(bytes);
        return WEIR_FATAL;
    }
    free(position->bytes);
    position->bytes = bytes;
    position->length = move->until.length;
    position->ended = (int)move->ended;
    return WEIR_OK;
}

static int32_t positions_apply(struct checkpoint *cp, const struct record_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_moves; i++)
        if (position_set(cp, &plan->moves[i]) != WEIR_OK) return WEIR_FATAL;
    for (uint32_t i = 0; i < plan->n_forgotten; i++) {
        struct cp_position *position =
            position_find(cp, plan->forgotten[i].source, plan->forgotten[i].partition, 0);
        if (position) position_drop(cp, position);
    }
    return WEIR_OK;
}

/* ---- records ---- */

static int32_t take_job(struct checkpoint *cp, const struct log_record *record,
                        struct weir_error *error)
{
    struct record_job job;
    struct record_arena *arena = NULL;
    int32_t result = record_job_decode(record->payload, &job, &arena, error);
    if (result != WEIR_OK) return result;
    cp_signatures_free(cp->tables, cp->n_tables);
    free(cp->logged_text);
    cp->logged_text = strdup(job.text);
    cp->tables = calloc(job.n_tables ? job.n_tables : 1, sizeof *cp->tables);
    cp->n_tables = 0;
    for (uint32_t i = 0; cp->tables && i < job.n_tables; i++) {
        cp->tables[i].name = strdup(job.tables[i].name);
        cp->tables[i].signature = strdup(job.tables[i].signature);
        cp->n_tables = i + 1;
        if (!cp->tables[i].name || !cp->tables[i].signature) result = WEIR_FATAL;
    }
    if (!cp->logged_text || !cp->tables) result = WEIR_FATAL;
    cp->has_job = 1;
    cp->seed = job.hash_seed;
    cp->zero_us = job.zero_us;
    cp->started_us = job.started_us;
    cp->job_sequence = record->sequence;
    record_free(arena);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

static void drop_plan(struct checkpoint *cp)
{
    record_free(cp->plan_arena);
    cp->plan_arena = NULL;
    free(cp->plan_payload);
    cp->plan_payload = NULL;
    cp->has_plan = 0;
}

static int32_t take_plan(struct checkpoint *cp, const struct log_record *record,
                         struct weir_error *error)
{
    drop_plan(cp);
    cp->plan_payload = copy_bytes(record->payload);
    if (!cp->plan_payload) return weir_fail(error, WEIR_FATAL, "out of memory");
    cp->plan_length = record->payload.length;
    struct weir_bytes payload = { cp->plan_payload, cp->plan_length };
    int32_t result = record_plan_decode(payload, &cp->plan, &cp->plan_arena, error);
    if (result != WEIR_OK) return result;
    cp->has_plan = 1;
    cp->plan_batch = record->batch;
    cp->plan_sequence = record->sequence;
    return WEIR_OK;
}

static int piece_is(const struct cp_stored *stored, const struct record_piece *piece)
{
    return stored->group == piece->group && strcmp(stored->table, piece->table) == 0;
}

static void stored_fini(struct cp_stored *stored)
{
    free(stored->table);
    free(stored->bytes);
}

static int32_t take_piece(struct checkpoint *cp, const struct record_piece *piece,
                          uint64_t sequence)
{
    uint32_t kept = 0;
    if (piece->base) {
        for (uint32_t i = 0; i < cp->n_pieces; i++) {
            if (piece_is(&cp->pieces[i], piece))
                stored_fini(&cp->pieces[i]);
            else
                cp->pieces[kept++] = cp->pieces[i];
        }
        cp->n_pieces = kept;
    }
    if (cp->n_pieces == cp->pieces_capacity) {
        uint32_t capacity = cp->pieces_capacity ? cp->pieces_capacity * 2 : 256;
        struct cp_stored *pieces = realloc(cp->pieces, capacity * sizeof *pieces);
        if (!pieces) return WEIR_FATAL;
        cp->pieces = pieces;
        cp->pieces_capacity = capacity;
    }
    struct cp_stored *stored = &cp->pieces[cp->n_pieces];
    memset(stored, 0, sizeof *stored);
    stored->table = strdup(piece->table);
    stored->group = piece->group;
    stored->base = piece->base;
    stored->extent = piece->extent;
    stored->sequence = sequence;
    stored->length = piece->bytes.length;
    if (piece->bytes.data) stored->bytes = copy_bytes(piece->bytes);
    if (!stored->table || (piece->bytes.data && !stored->bytes)) return WEIR_FATAL;
    cp->n_pieces++;
    return WEIR_OK;
}

static int32_t take_output(struct checkpoint *cp, const struct record_sink *sink, uint64_t batch)
{
    struct cp_output *list = realloc(cp->outputs, (cp->n_outputs + 1) * sizeof *list);
    if (!list) return WEIR_FATAL;
    cp->outputs = list;
    struct cp_output *to = &list[cp->n_outputs];
    memset(to, 0, sizeof *to);
    to->sink = strdup(sink->name);
    to->output.batch = batch;
    to->output.n = sink->n_output;
    to->output.extents = calloc(sink->n_output, sizeof *to->output.extents);
    cp->n_outputs++;
    if (!to->sink || !to->output.extents) return WEIR_FATAL;
    memcpy(to->output.extents, sink->output, sink->n_output * sizeof *sink->output);
    for (uint32_t i = 0; i < sink->n_output; i++) to->output.bytes += sink->output[i].length;
    return WEIR_OK;
}

static void output_drop(struct checkpoint *cp, uint32_t i)
{
    free(cp->outputs[i].sink);
    spooled_fini(&cp->outputs[i].output);
    memmove(&cp->outputs[i], &cp->outputs[i + 1],
            (--cp->n_outputs - i) * sizeof *cp->outputs);
}

static int32_t take_sinks(struct checkpoint *cp, const struct record_state *state, uint64_t batch)
{
    for (uint32_t i = 0; i < state->n_sinks; i++) {
        if (state->sinks[i].outcome == SINK_SPOOLED && state->sinks[i].n_output &&
            take_output(cp, &state->sinks[i], batch) != WEIR_OK)
            return WEIR_FATAL;
        if (state->sinks[i].outcome != SINK_COMMITTABLE) continue;
        struct cp_committable *list =
            realloc(cp->committables, (cp->n_committables + 1) * sizeof *list);
        if (!list) return WEIR_FATAL;
        cp->committables = list;
        struct cp_committable *c = &list[cp->n_committables];
        c->sink = strdup(state->sinks[i].name);
        c->bytes = copy_bytes(state->sinks[i].committable);
        c->length = state->sinks[i].committable.length;
        c->batch = batch;
        if (!c->sink || !c->bytes) return WEIR_FATAL;
        cp->n_committables++;
    }
    return WEIR_OK;
}

static int32_t take_state(struct checkpoint *cp, const struct log_record *record,
                          struct weir_error *error)
{
    struct record_state state;
    struct record_arena *arena = NULL;
    int32_t result = record_state_decode(record->payload, &state, &arena, error);
    if (result != WEIR_OK) return result;
    if (cp->has_plan && cp->plan_batch == record->batch) {
        result = positions_apply(cp, &cp->plan);
        cp->last_time_us = cp->plan.time_us;
        drop_plan(cp);
    }
    for (uint32_t i = 0; result == WEIR_OK && state.has_map && i < state.n_map; i++) {
        if (i == 0)
            while (cp->n_positions) position_drop(cp, &cp->positions[0]);
        result = position_set(cp, &state.map[i]);
    }
    if (state.has_map) cp->map_sequence = cp->plan_sequence ? cp->plan_sequence : record->sequence;
    for (uint32_t i = 0; result == WEIR_OK && i < state.n_pieces; i++)
        result = take_piece(cp, &state.pieces[i], record->sequence);
    if (result == WEIR_OK) result = take_sinks(cp, &state, record->batch);
    for (uint32_t i = 0; result == WEIR_OK && i < state.n_dead; i++)
        cp_note_dead(cp, &state.dead[i], cp->last_time_us);
    cp->previous_watermark_us = state.late_us;
    cp->watermark_us = state.watermark_us;
    cp->next_batch = record->batch + 1;
    cp->any_batch = 1;
    record_free(arena);
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

static int32_t take_done(struct checkpoint *cp, const struct log_record *record,
                         struct weir_error *error)
{
    struct record_done done;
    struct record_arena *arena = NULL;
    int32_t result = record_done_decode(record->payload, &done, &arena, error);
    for (uint32_t i = 0; result == WEIR_OK && i < cp->n_committables; i++) {
        struct cp_committable *c = &cp->committables[i];
        if (c->batch != record->batch || strcmp(c->sink, done.sink) != 0) continue;
        free(c->sink);
        free(c->bytes);
        *c = cp->committables[--cp->n_committables];
        break;
    }
    for (uint32_t i = 0; result == WEIR_OK && i < cp->n_outputs; i++) {
        if (cp->outputs[i].output.batch != record->batch || strcmp(cp->outputs[i].sink, done.sink))
            continue;
        output_drop(cp, i);
        break;
    }
    record_free(arena);
    return result;
}

static int is_of(const char *table, const char *name)
{
    size_t n = strlen(name);
    return strncmp(table, name, n) == 0 && (table[n] == '/' || table[n] == 0);
}

/* What was dropped by name is not there any more. */
static int32_t take_drop(struct checkpoint *cp, const struct log_record *record,
                         struct weir_error *error)
{
    struct record_drop drop;
    struct record_arena *arena = NULL;
    uint32_t kept = 0, tables = 0;
    int32_t result = record_drop_decode(record->payload, &drop, &arena, error);
    if (result != WEIR_OK) return result;
    for (uint32_t i = 0; i < cp->n_pieces; i++) {
        if (is_of(cp->pieces[i].table, drop.name))
            stored_fini(&cp->pieces[i]);
        else
            cp->pieces[kept++] = cp->pieces[i];
    }
    cp->n_pieces = kept;
    for (uint32_t i = 0; i < cp->n_tables; i++) {
        if (is_of(cp->tables[i].name, drop.name)) {
            free((void *)(uintptr_t)cp->tables[i].name);
            free((void *)(uintptr_t)cp->tables[i].signature);
        } else {
            cp->tables[tables++] = cp->tables[i];
        }
    }
    cp->n_tables = tables;
    for (uint32_t i = cp->n_positions; i-- > 0;)
        if (strcmp(cp->positions[i].source, drop.name) == 0) position_drop(cp, &cp->positions[i]);
    record_free(arena);
    return WEIR_OK;
}

static int32_t take_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct checkpoint *cp = arg;
    switch (record->type) {
    case LOG_JOB: return take_job(cp, record, error);
    case LOG_PLAN: return take_plan(cp, record, error);
    case LOG_STATE: return take_state(cp, record, error);
    case LOG_DONE: return take_done(cp, record, error);
    case LOG_DROP: return take_drop(cp, record, error);
    default:
        return weir_fail(error, WEIR_CONFIG, "the log has a record of type %u, which this weir "
                         "does not know: it was written by a newer one", record->type);
    }
}

/* ---- open and close ---- */

int32_t checkpoint_open(struct weir_sys *sys, struct journal *journal, const struct job *job,
                        uint64_t seed, int read_only, struct checkpoint **out,
                        struct weir_error *error)
{
    struct log_report report = { 0 };
    struct checkpoint *cp = calloc(1, sizeof *cp);
    *out = cp;
    if (!cp) return weir_fail(error, WEIR_FATAL, "out of memory");
    cp->sys = sys;
    cp->journal = journal;
    cp->job = job;
    cp->zero_us = INT64_MIN;
    cp->started_us = sys_now(sys); /* unless the log says otherwise */
    cp->output_file = UINT32_MAX;
    cp->watermark_us = cp->previous_watermark_us = WEIR_WATERMARK_NONE;
    cp->dead_size = job->dead_size;
    cp->dead_age_us = job->dead_age_us;
    cp->job_text = json_dumps(job->canonical, JSON_COMPACT);
    if (!cp->job_text) return weir_fail(error, WEIR_FATAL, "out of memory");
    cp->seed = seed;
    struct log_options options = { .directory = job->checkpoint, .job_name = job->name,
                                   .read_only = read_only };
#ifdef WEIR_SMALL_LOG /* crash sweeps */
    options.segment_bytes = 1024;
#endif
    int32_t result = log_open(sys, &options, take_record, cp, &cp->log, &report, error);
    if (result != WEIR_OK) return result;
    if (report.cut_bytes && !read_only)
        journal_add(journal, WEIR_LOG_WARN, NULL, -1, "the log ended in %llu bytes that were not "
                    "whole, as after a crash; they were cut: %s",
                    (unsigned long long)report.cut_bytes, report.cut);
    cp->job_changed = !cp->has_job || strcmp(cp->logged_text, cp->job_text) != 0;
    return WEIR_OK;
}

static void free_read(struct checkpoint *cp)
{
    drop_plan(cp);
    while (cp->n_positions) position_drop(cp, &cp->positions[0]);
    free(cp->positions);
    for (uint32_t i = 0; i < cp->n_pieces; i++) stored_fini(&cp->pieces[i]);
    free(cp->pieces);
    for (uint32_t i = 0; i < cp->n_committables; i++) {
        free(cp->committables[i].sink);
        free(cp->committables[i].bytes);
    }
    free(cp->committables);
    while (cp->n_outputs) output_drop(cp, cp->n_outputs - 1);
    free(cp->outputs);
    cp_signatures_free(cp->tables, cp->n_tables);
    free(cp->logged_text);
}

void checkpoint_close(struct checkpoint *cp)
{
    struct weir_error ignored = WEIR_ERROR_INIT;
    if (!cp) return;
    /* the last DONE, so that the next start has nothing to commit again; it may fail, and then it
     * does */
    if (cp->log) log_sync(cp->log, &ignored);
    log_close(cp->log);
    cp_drop_captured(cp);
    free_read(cp);
    for (uint32_t i = 0; i < cp->n_names; i++) free(cp->names[i]);
    for (uint32_t i = 0; i < cp->n_forgotten; i++) {
        free((void *)(uintptr_t)cp->forgotten[i].source);
        free((void *)(uintptr_t)cp->forgotten[i].partition);
    }
    free(cp->forgotten);
    free(cp->names);
    free(cp->groups);
    free(cp->dead);
    free(cp->marks);
    free(cp->job_text);
    free(cp);
}

uint64_t checkpoint_seed(const struct checkpoint *cp)
{
    return cp->seed;
}

int64_t checkpoint_zero(const struct checkpoint *cp)
{
    return cp->zero_us;
}

int64_t checkpoint_started(const struct checkpoint *cp)
{
    return cp->started_us;
}

void checkpoint_set_zero(struct checkpoint *cp, int64_t zero_us)
{
    cp->zero_us = zero_us;
    cp->job_changed = 1;
}

const char *checkpoint_text(const struct checkpoint *cp)
{
    return cp->job_text;
}

struct log *checkpoint_log(const struct checkpoint *cp)
{
    return cp->log;
}

int checkpoint_has_pending(const struct checkpoint *cp)
{
    return cp->has_plan;
}

const char *checkpoint_other_job(const struct checkpoint *cp, const char *text)
{
    if ((!cp->has_plan && !cp->n_outputs) || !cp->logged_text || strcmp(cp->logged_text, text) == 0)
        return NULL;
    return cp->logged_text;
}

const struct record_plan *checkpoint_pending(struct checkpoint *cp, uint64_t *batch)
{
    *batch = cp->plan_batch;
    return cp->has_plan ? &cp->plan : NULL;
}

/* ---- restore ---- */

static int32_t make_groups(struct checkpoint *cp, struct run *run)
{
    uint32_t tables = 0, n = 0;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++)
        if (run->plan->nodes[i]->stateful) tables += store_tables(run->plan->nodes[i]->tables);
    cp->groups = calloc((size_t)tables * RUN_GROUPS + 1, sizeof *cp->groups);
    cp->names = calloc(tables + 1, sizeof *cp->names);
    if (!cp->groups || !cp->names) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        for (uint32_t t = 0; node->stateful && t < store_tables(node->tables); t++) {
            char name[512];
            snprintf(name, sizeof name, "%s/%s", node->name, store_table_name(node->tables, t));
            char *kept = strdup(name);
            if (!kept) return WEIR_FATAL;
            cp->names[cp->n_names++] = kept;
            for (uint32_t g = 0; g < RUN_GROUPS; g++)
                cp->groups[n++] = (struct cp_group){ node, t, g, kept, 0, UINT32_MAX, 0 };
        }
    }
    cp->n_groups = n;
    return WEIR_OK;
}

struct cp_group *cp_group_of(struct checkpoint *cp, const struct plan_node *node, uint32_t table,
                             uint32_t group)
{
    for (uint32_t i = 0; i < cp->n_groups; i += RUN_GROUPS)
        if (cp->groups[i].node == node && cp->groups[i].table == table)
            return &cp->groups[i + group];
    abort();
}

struct cp_group *cp_group_by_name(struct checkpoint *cp, const char *name, uint32_t group)
{
    for (uint32_t i = 0; i < cp->n_groups; i += RUN_GROUPS)
        if (group < RUN_GROUPS && strcmp(cp->groups[i].name, name) == 0)
            return &cp->groups[i + group];
    return NULL;
}

int cp_belongs(const char *table, const char *name)
{
    return is_of(table, name);
}

int cp_dropped(const struct run *run, const char *table)
{
    if (run->only_pending) return 0;
    for (uint32_t i = 0; i < run->options->n_drop; i++)
        if (is_of(table, run->options->drop[i])) return 1;
    return 0;
}

const char *cp_signature_of(const struct record_table *tables, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(tables[i].name, name) == 0) return tables[i].signature;
    return NULL;
}

/* Tables that are new, or have other columns than the log says. */
static int32_t note_changes(struct checkpoint *cp, struct run *run)
{
    struct record_table *now;
    uint32_t n;
    int32_t result = cp_signatures(run, &now, &n);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const char *was = cp_signature_of(cp->tables, cp->n_tables, now[i].name);
        if (!was || strcmp(was, now[i].signature) != 0) cp->job_changed = 1;
    }
    cp_signatures_free(now, n);
    return result;
}

static int32_t restore_positions(struct checkpoint *cp, struct run *run)
{
    for (uint32_t i = 0; i < cp->n_positions; i++) {
        const struct cp_position *position = &cp->positions[i];
        if (cp_dropped(run, position->source)) continue;
        for (uint32_t k = 0; k < run->n_sources; k++) {
            if (strcmp(run->sources[k].node->name, position->source) != 0) continue;
            struct reader *reader = reader_get(&run->sources[k], position->partition, 1);
            if (!reader ||
                reader_set_position(reader, position->bytes, position->length) != WEIR_OK)
                return WEIR_FATAL;
            reader->ended = reader->committed_ended = position->ended;
            reader->committed = malloc(position->length + 1);
            if (!reader->committed) return WEIR_FATAL;
            memcpy(reader->committed, position->bytes, position->length);
            reader->committed_length = position->length;
        }
    }
    return WEIR_OK;
}

static int32_t restore_committables(struct checkpoint *cp, struct run *run)
{
    for (uint32_t i = 0; i < cp->n_committables; i++) {
        struct cp_committable *c = &cp->committables[i];
        struct sink *sink = NULL;
        for (uint32_t k = 0; k < run->n_sinks; k++)
            if (strcmp(run->sinks[k].node->name, c->sink) == 0) sink = &run->sinks[k];
        if (!sink) abort(); /* checkpoint_fits */
        struct weir_committable *list =
            realloc(sink->recovered, (sink->n_recovered + 1) * sizeof *list);
        if (!list) return WEIR_FATAL;
        sink->recovered = list;
        list[sink->n_recovered++] =
            (struct weir_committable){ c->batch, { c->bytes, c->length } };
        c->bytes = NULL; /* the sink frees it */
    }
    return WEIR_OK;
}

static int32_t restore_outputs(struct checkpoint *cp, struct run *run, struct weir_error *error)
{
    if (planted(PLANTED_RUN_OUTPUT_LOST)) return WEIR_OK;
    for (uint32_t i = 0; i < cp->n_outputs; i++) {
        struct cp_output *from = &cp->outputs[i];
        struct sink *sink = NULL;
        for (uint32_t k = 0; k < run->n_sinks; k++)
            if (strcmp(run->sinks[k].node->name, from->sink) == 0) sink = &run->sinks[k];
        if (!sink) abort(); /* checkpoint_fits */
        int32_t result = spooled_describe(cp->log, &from->output, error);
        if (result != WEIR_OK) return result;
        struct spooled *list = realloc(sink->recovered_outputs,
                                      (sink->n_recovered_outputs + 1) * sizeof *list);
        if (!list) return WEIR_FATAL;
        sink->recovered_outputs = list;
        list[sink->n_recovered_outputs++] = from->output;
        memset(&from->output, 0, sizeof from->output); /* the sink's now */
    }
    return WEIR_OK;
}

int32_t checkpoint_restore(struct checkpoint *cp, struct run *run, struct weir_error *error)
{
    int32_t result = make_groups(cp, run);
    if (result == WEIR_OK && cp->has_job) result = note_changes(cp, run);
    if (result == WEIR_OK) result = cp_restore_pieces(cp, run, error);
    if (result == WEIR_OK) result = restore_positions(cp, run);
    if (result == WEIR_OK) result = restore_committables(cp, run);
    if (result == WEIR_OK) result = restore_outputs(cp, run, error);
    run->next_batch = cp->any_batch ? cp->next_batch : 0;
    run->last_time_us = cp->any_batch ? cp->last_time_us : INT64_MIN;
    if (planted(PLANTED_RUN_T_LOST)) run->last_time_us = INT64_MIN;
    run->watermark_us = cp->watermark_us;
    run->previous_watermark_us = cp->previous_watermark_us;
    snprintf(run->job_id, sizeof run->job_id, "%s", log_job_id(cp->log));
    if (result == WEIR_DATA) snprintf(run->error_where, sizeof run->error_where, "checkpoint");
    return result == WEIR_OK ? result : weir_fail(error, result, "out of memory");
}

int32_t checkpoint_load_spools(struct checkpoint *cp, struct run *run, struct weir_error *error)
{
    for (uint32_t i = 0; i < cp->plan.n_moves; i++) {
        const struct record_move *move = &cp->plan.moves[i];
        for (uint32_t k = 0; k < run->n_sources && move->n_spool; k++) {
            if (strcmp(run->sources[k].node->name, move->source) != 0) continue;
            struct reader *reader = reader_get(&run->sources[k], move->partition, 1);
            if (!reader) return weir_fail(error, WEIR_FATAL, "out of memory");
            for (uint32_t e = 0; e < move->n_spool; e++) {
                uint8_t *bytes;
                int32_t result = log_extent_read(cp->log, &move->spool[e], &bytes, error);
                if (result == WEIR_DATA)
                    snprintf(run->error_where, sizeof run->error_where, "checkpoint");
                if (result != WEIR_OK) return result;
                result = buffer_add(&reader->spool, bytes, move->spool[e].length);
                mem_free(bytes);
                if (result != WEIR_OK) return weir_fail(error, WEIR_FATAL, "out of memory");
            }
        }
    }
    return WEIR_OK;
}
