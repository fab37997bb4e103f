/*
 * restore.c - state from the pieces of the log, at the start.
 *
 * The pieces of one group and table are applied in the order of the log, a base first; groups share nothing, so ranges of
 * them are tasks for the workers, which read the extents, too. Of several failures the one of the
 * first piece is told.
 */
#include <stdlib.h>

#include "core/run/checkpoint.h"
#include "core/run/cp.h"

#define TASKS 16u
#define INLINE_PIECES 32u

struct restore {
    struct checkpoint *cp;
    struct cp_group **groups; /* by piece; NULL: dropped */
    uint32_t *next;           /* by piece: the next of its group; UINT32_MAX: none */
    uint32_t first[RUN_GROUPS], last[RUN_GROUPS];
    uint32_t left;
};

struct restore_task {
    struct weir_task task, done;
    struct restore *restore;
    struct weir_sys *sys;
    uint32_t from, until; /* groups */
    uint32_t failed;      /* the piece */
    int32_t result;
    struct weir_error error;
};

static int32_t restore_piece(struct restore *r, uint32_t piece, struct weir_error *error)
{
    const struct cp_stored *stored = &r->cp->pieces[piece];
    const struct cp_group *group = r->groups[piece];
    struct weir_bytes bytes = { stored->bytes, stored->length };
    uint8_t *read = NULL;
    if (!stored->bytes) {
        int32_t result = log_extent_read(r->cp->log, &stored->extent, &read, error);
        if (result != WEIR_OK) return result;
        bytes = (struct weir_bytes){ read, stored->extent.length };
    }
    int32_t result = store_restore(group->node->tables, group->table, stored->group,
                                   (int)stored->base, bytes, error);
    mem_free(read);
    return result;
}

/* Nothing mends state: whose it is, and what is left to do. */
static void say_lost(const struct checkpoint *cp, const struct cp_stored *stored,
                     struct weir_error *error)
{
    const struct weir_error why = *error;
    if (why.error_class != WEIR_DATA) return;
    weir_error_init(error);
    weir_fail(error, WEIR_DATA,
              "the state \"%.100s\" can't be read: %.200s: put back a copy of the checkpoint, or let "
              "that state begin empty with %s--drop %.*s",
              stored->table, why.text, cp->has_plan ? "--replan " : "",
              (int)strcspn(stored->table, "/"), stored->table);
}

static void restore_groups(struct restore_task *task)
{
    struct restore *r = task->restore;
    weir_error_init(&task->error);
    for (uint32_t g = task->from; g < task->until; g++)
        for (uint32_t i = r->first[g]; i != UINT32_MAX; i = r->next[i]) {
            if (task->result != WEIR_OK && i > task->failed) break;
            struct weir_error error = WEIR_ERROR_INIT;
            int32_t result = restore_piece(r, i, &error);
            if (result == WEIR_OK) continue;
            task->result = result;
            task->failed = i;
            task->error = error;
            say_lost(r->cp, &r->cp->pieces[i], &task->error);
            break;
        }
}

static void task_run(struct weir_task *t)
{
    struct restore_task *task = (struct restore_task *)(void *)t;
    restore_groups(task);
    sys_post(task->sys, &task->done);
}

static void task_done(struct weir_task *t)
{
    struct restore_task *task =
        (struct restore_task *)(void *)((char *)t - offsetof(struct restore_task, done));
    task->restore->left--;
}

static int32_t run_tasks(struct restore *r, struct run *run, struct weir_error *error)
{
    struct restore_task *tasks = calloc(TASKS, sizeof *tasks), *worst = NULL;
    uint32_t n = r->cp->n_pieces < INLINE_PIECES ? 1 : TASKS;
    if (!tasks) return weir_fail(error, WEIR_FATAL, "out of memory");
    r->left = n;
    for (uint32_t i = 0; i < n; i++) {
        tasks[i] = (struct restore_task){ .restore = r, .sys = run->sys,
                                          .from = i * (RUN_GROUPS / n),
                                          .until = (i + 1) * (RUN_GROUPS / n) };
        tasks[i].task.run = task_run;
        tasks[i].done.run = task_done;
        if (n > 1) sys_submit(run->sys, run->workers, &tasks[i].task);
    }
    if (n == 1) restore_groups(&tasks[0]);
    while (n > 1 && r->left) run_wait(run, INT64_MAX);
    for (uint32_t i = 0; i < n; i++)
        if (tasks[i].result != WEIR_OK && (!worst || tasks[i].failed < worst->failed))
            worst = &tasks[i];
    int32_t result = worst ? worst->result : WEIR_OK;
    if (worst) *error = worst->error;
    free(tasks);
    return result;
}

/* Which group each piece belongs to, and the pieces of each group in order. */
static int32_t find_groups(struct restore *r, const struct run *run, struct weir_error *error)
{
    for (uint32_t g = 0; g < RUN_GROUPS; g++) r->first[g] = r->last[g] = UINT32_MAX;
    for (uint32_t i = 0; i < r->cp->n_pieces; i++) {
        const struct cp_stored *stored = &r->cp->pieces[i];
        const uint32_t g = stored->group;
        r->next[i] = UINT32_MAX;
        if (cp_dropped(run, stored->table)) continue;
        r->groups[i] = cp_group_by_name(r->cp, stored->table, g);
        if (!r->groups[i])
            return weir_fail(error, WEIR_CONFIG, "the checkpoint holds state \"%s\", which the job "
                             "does not have", stored->table);
        if (r->first[g] == UINT32_MAX) r->first[g] = i;
        else r->next[r->last[g]] = i;
        r->last[g] = i;
    }
    return WEIR_OK;
}

int32_t cp_restore_pieces(struct checkpoint *cp, struct run *run, struct weir_error *error)
{
    struct restore r = { .cp = cp,
                         .groups = calloc(cp->n_pieces + 1, sizeof *r.groups),
                         .next = calloc(cp->n_pieces + 1, sizeof *r.next) };
    int32_t result = r.groups && r.next ? find_groups(&r, run, error)
                                        : weir_fail(error, WEIR_FATAL, "out of memory");
    if (result == WEIR_OK) result = run_tasks(&r, run, error);
    for (uint32_t i = 0; result == WEIR_OK && i < cp->n_pieces; i++) {
        const struct cp_stored *stored = &cp->pieces[i];
        if (!r.groups[i]) continue;
        struct cp_piece piece = { r.groups[i]->node, r.groups[i]->table, stored->group,
                                  (int)stored->base, 0, 0 };
        cp_note_piece(cp, &piece, stored->sequence,
                      stored->bytes ? UINT32_MAX : stored->extent.file);
    }
    free(r.groups);
    free(r.next);
    return result;
}

int32_t checkpoint_check_state(const struct checkpoint *cp, const struct run *run,
                               struct weir_error *error)
{
    for (uint32_t i = 0; i < cp->n_pieces; i++) {
        const struct cp_stored *stored = &cp->pieces[i];
        uint8_t *bytes = NULL;
        if (stored->bytes || cp_dropped(run, stored->table)) continue;
        weir_error_init(error);
        int32_t result = log_extent_read(cp->log, &stored->extent, &bytes, error);
        mem_free(bytes);
        if (result == WEIR_DATA && strstr(error->text, "is missing")) continue;
        if (result == WEIR_DATA) say_lost(cp, stored, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}
