/*
 * retain.c - what the log still has to hold: bases, the map of positions, dead letters within their limits, and the
 * records of as many batches as the job wants to look back at (retain_batches). After a start those that are
 * there stay until as many further batches ran.
 */
#include <stdlib.h>

#include "core/run/checkpoint.h"
#include "core/run/cp.h"
#include "core/run/read.h"
#include "core/sys/planted.h"

/* ---- signatures ---- */

int32_t cp_signatures(struct run *run, struct record_table **out, uint32_t *n)
{
    uint32_t tables = 0;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++)
        if (run->plan->nodes[i]->stateful) tables += store_tables(run->plan->nodes[i]->tables);
    *n = 0;
    *out = calloc(tables ? tables : 1, sizeof **out);
    if (!*out) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        struct plan_node *node = run->plan->nodes[i];
        for (uint32_t t = 0; node->stateful && t < store_tables(node->tables); t++) {
            struct record_table *table = &(*out)[(*n)++];
            char *name = malloc(512), *signature = store_signature(node->tables, t);
            if (name)
                snprintf(name, 512, "%s/%s", node->name, store_table_name(node->tables, t));
            table->name = name;
            table->signature = signature ? strdup(signature) : NULL;
            mem_free(signature);
            if (!table->name || !table->signature) return WEIR_FATAL;
        }
    }
    return WEIR_OK;
}

void cp_signatures_free(struct record_table *tables, uint32_t n)
{
    for (uint32_t i = 0; tables && i < n; i++) {
        free((void *)(uintptr_t)tables[i].name);
        free((void *)(uintptr_t)tables[i].signature);
    }
    free(tables);
}

/* ---- bases ---- */

void cp_note_piece(struct checkpoint *cp, const struct cp_piece *piece, uint64_t sequence,
                   uint32_t file)
{
    struct cp_group *group = cp_group_of(cp, piece->node, piece->table, piece->group);
    if (piece->base || group->base_sequence == 0 || planted(PLANTED_RUN_BASE_NEWER)) {
        group->base_sequence = sequence;
        group->file = file;
    } else if (file < group->file) {
        group->file = file;
    }
}

void cp_note_dead(struct checkpoint *cp, const struct extent *extent, int64_t time_us)
{
    struct cp_dead *dead = realloc(cp->dead, (cp->n_dead + 1) * sizeof *dead);
    if (!dead) return; /* it is kept longer, that is all */
    cp->dead = dead;
    dead[cp->n_dead++] = (struct cp_dead){ extent->file, extent->length, time_us };
}

/* The oldest dead letters go when they are too old, or too many; by whole files. */
static uint32_t least_dead_file(struct checkpoint *cp)
{
    uint64_t total = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < cp->n_dead; i++) total += cp->dead[i].length;
    int64_t newest = cp->n_dead ? cp->dead[cp->n_dead - 1].time_us : 0;
    while (first < cp->n_dead && ((int64_t)total > cp->dead_size ||
                                  newest - cp->dead[first].time_us > cp->dead_age_us))
        total -= cp->dead[first++].length;
    uint32_t file = first < cp->n_dead ? cp->dead[first].file : UINT32_MAX;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cp->n_dead; i++)
        if (cp->dead[i].file >= file) cp->dead[kept++] = cp->dead[i];
    if (first && kept < cp->n_dead)
        journal_add(cp->journal, WEIR_LOG_WARN, NULL, -1,
                    "%u batches of dead letters were dropped: they passed the limit of size or age",
                    cp->n_dead - kept);
    cp->n_dead = kept;
    return cp->n_dead ? file : 0;
}

/* One batch more than are to be kept: the first mark is where the first of them begins. */
int32_t cp_note_batch(struct checkpoint *cp)
{
    const uint32_t most = (uint32_t)cp->job->retain_batches;
    if (most < 2) return WEIR_OK;
    if (cp->n_marks > most) {
        const uint32_t gone = cp->n_marks - most;
        memmove(cp->marks, cp->marks + gone, most * sizeof *cp->marks);
        cp->n_marks = most;
    }
    struct cp_mark *marks = realloc(cp->marks, (cp->n_marks + 1) * sizeof *marks);
    if (!marks) return WEIR_FATAL;
    cp->marks = marks;
    marks[cp->n_marks].sequence = log_last_sequence(cp->log);
    log_extent_files(cp->log, marks[cp->n_marks++].files);
    return WEIR_OK;
}

static void keep_batches(const struct checkpoint *cp, uint64_t *sequence, uint32_t least[5])
{
    static const struct cp_mark everything;
    const uint32_t most = (uint32_t)cp->job->retain_batches;
    const struct cp_mark *mark = &everything;
    if (most < 2) return;
    if (cp->n_marks > most) mark = &cp->marks[cp->n_marks - 1 - most];
    if (mark->sequence < *sequence) *sequence = mark->sequence;
    for (uint32_t kind = EXTENT_STATE; kind <= EXTENT_OUTPUT; kind++)
        if (mark->files[kind] < least[kind]) least[kind] = mark->files[kind];
}

int32_t cp_retain(struct checkpoint *cp, struct weir_error *error)
{
    uint64_t sequence = cp->map_sequence < cp->job_sequence ? cp->map_sequence : cp->job_sequence;
    uint32_t least[5] = { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
    for (uint32_t i = 0; i < cp->n_groups; i++) {
        const struct cp_group *group = &cp->groups[i];
        if (group->base_sequence == 0) continue;
        if (group->base_sequence < sequence) sequence = group->base_sequence;
        if (group->file < least[EXTENT_STATE]) least[EXTENT_STATE] = group->file;
    }
    least[EXTENT_OUTPUT] = cp->output_file;
    least[EXTENT_DEAD] = least_dead_file(cp);
    keep_batches(cp, &sequence, least);
    return log_need(cp->log, sequence, least, error);
}

/* ---- positions ---- */

void cp_find_forgotten(struct run *run)
{
    struct checkpoint *cp = run->checkpoint;
    for (uint32_t i = 0; i < run->n_sources; i++) {
        struct source *source = &run->sources[i];
        for (uint32_t k = 0; k < source->n_readers; k++) {
            struct reader *reader = source->readers[k];
            if (reader->known || !reader->committed_ended || !source->listed) continue;
            struct record_move *list =
                realloc(cp->forgotten, (cp->n_forgotten + 1) * sizeof *list);
            if (!list) return;
            cp->forgotten = list;
            memset(&list[cp->n_forgotten], 0, sizeof *list);
            list[cp->n_forgotten].source = strdup(source->node->name);
            list[cp->n_forgotten].partition = strdup(reader->name);
            if (!list[cp->n_forgotten].source || !list[cp->n_forgotten].partition) return;
            cp->n_forgotten++;
        }
    }
}

void cp_forget(struct run *run)
{
    struct checkpoint *cp = run->checkpoint;
    for (uint32_t i = 0; i < cp->n_forgotten; i++) {
        for (uint32_t k = 0; k < run->n_sources; k++)
            if (strcmp(run->sources[k].node->name, cp->forgotten[i].source) == 0)
                reader_forget(&run->sources[k], cp->forgotten[i].partition);
        free((void *)(uintptr_t)cp->forgotten[i].source);
        free((void *)(uintptr_t)cp->forgotten[i].partition);
    }
    cp->n_forgotten = 0;
}

int32_t cp_take_moves(struct run *run, struct batch *batch)
{
    (void)run;
    for (uint32_t i = 0; i < batch->n_moves; i++) {
        struct move *move = &batch->moves[i];
        struct reader *reader = reader_get(move->source, move->partition, 1);
        uint8_t *copy = malloc(move->until_length + 1);
        if (!reader || !copy) {
            free(copy);
            return WEIR_FATAL;
        }
        memcpy(copy, move->until, move->until_length);
        free(reader->committed);
        reader->committed = copy;
        reader->committed_length = move->until_length;
        reader->committed_ended = move->ended;
    }
    return WEIR_OK;
}

int32_t cp_map(struct run *run, struct record_move **out, uint32_t *n)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < run->n_sources; i++) total += run->sources[i].n_readers;
    *n = 0;
    *out = calloc(total ? total : 1, sizeof **out);
    if (!*out) return WEIR_FATAL;
    for (uint32_t i = 0; i < run->n_sources; i++)
        for (uint32_t k = 0; k < run->sources[i].n_readers; k++) {
            const struct reader *reader = run->sources[i].readers[k];
            if (!reader->committed) continue;
            (*out)[(*n)++] = (struct record_move){
                .source = run->sources[i].node->name,
                .partition = reader->name,
                .until = { reader->committed, reader->committed_length },
                .ended = (uint32_t)reader->committed_ended
            };
        }
    return WEIR_OK;
}
