/*
 * replan.c - a batch that is planned but not finished, when the user wants it to run under the job that is started, not under
 * the one that planned it.
 *
 * Two-phase sinks have shown nothing of such a batch. Every other sink may have got all of its rows: run again under
 * another job it may get other rows for the same batch, or the same ones twice.
 */
#include "core/run/replan.h"

static int shows_early(const struct run *run, const struct job_instance *instance)
{
    const struct component_info *info =
        registry_find(run->registry, WEIR_KIND_SINK, instance->plugin);
    return !info || info->declared->level != WEIR_SINK_TWO_PHASE;
}

/* "a", "b" … of the sinks that may have seen rows; their number. */
static uint32_t name_sinks(const struct run *run, const struct job *logged, char *out, size_t size)
{
    uint32_t n = 0;
    size_t at = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < logged->n_instances; i++) {
        const struct job_instance *instance = &logged->instances[i];
        if (instance->kind != JOB_SINK || !shows_early(run, instance)) continue;
        int k = at < size ? snprintf(out + at, size - at, "%s\"%s\"", n ? ", " : "", instance->name)
                          : 0;
        at += k > 0 ? (size_t)k : 0;
        n++;
    }
    return n;
}

int replan_allowed(struct run *run, const struct job *logged)
{
    char names[256];
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t n = name_sinks(run, logged, names, sizeof names);
    if (n == 0) return 1;
    if (run->options->replan_anyway) {
        journal_add(run->journal, WEIR_LOG_WARN, NULL, -1,
                    "the pending batch runs under this job, not under the one that planned it: %s may see "
                    "rows of it twice",
                    names);
        return 1;
    }
    weir_fail(&error, WEIR_CONFIG,
              "%s may have seen rows of the pending batch, and would see rows of it again: say --yes "
              "beside --replan if that does no harm, or leave --replan out to finish the batch as it "
              "was planned", names);
    run_fail(run, "checkpoint", &error);
    return 0;
}
