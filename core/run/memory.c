/*
 * memory.c - one limit for the job, in shares.
 *
 *   rows in flight   half: what was read and not yet delivered; at the limit sources are not asked
 *                    for more
 *   state            half: slowing sources can't make it smaller, so it warns, and stops the job
 *                    when full
 *
 * State is looked at once per batch, behind its stages and before anything of the batch is
 * delivered. So a batch that grows it past the share is planned and nothing more; the next start,
 * with a greater limit, runs it again.
 */
#include "core/run/memory.h"

#define WARN_PERCENT 80u
#define CALM_PERCENT 70u

#define BATCH_BYTES (256ull << 20) /* at most, and no more than its share */

void memory_shares(struct run *run)
{
    run->in_flight_limit = (uint64_t)run->job->memory_limit / 2;
    run->state_limit = (uint64_t)run->job->memory_limit / 2;
    run->batch_bytes = run->in_flight_limit < BATCH_BYTES ? run->in_flight_limit : BATCH_BYTES;
}

/* "totals/groups: 120 keys, 0 rows, 48 KiB; …", the tables that hold anything. */
static void describe(const struct run *run, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        for (uint32_t t = 0; node->stateful && t < store_tables(node->tables); t++) {
            struct store_figures figures;
            store_figures(node->tables, t, &figures);
            if (figures.bytes == 0 || at + 1 >= size) continue;
            int n = snprintf(out + at, size - at, "%s%s/%s: %llu keys, %llu rows, %llu KiB",
                             at ? "; " : "", node->name, store_table_name(node->tables, t),
                             (unsigned long long)figures.keys, (unsigned long long)figures.rows,
                             (unsigned long long)(figures.bytes >> 10));
            at += n > 0 ? (size_t)n : 0;
        }
    }
}

int32_t memory_check_state(struct run *run, struct batch *batch)
{
    uint64_t bytes = store_bytes(run->plan->store);
    char tables[320];
    if (bytes * 100 < run->state_limit * CALM_PERCENT) run->state_warned = 0;
    if (bytes * 100 < run->state_limit * WARN_PERCENT) return WEIR_OK;
    describe(run, tables, sizeof tables);
    if (bytes > run->state_limit) {
        snprintf(batch->where, sizeof batch->where, "state");
        return weir_fail(&batch->error, WEIR_FATAL,
                         "state takes %llu KiB, more than its half of memory_limit (%llu KiB): %s; "
                         "raise memory_limit, or let state go (timeouts, watermarks)",
                         (unsigned long long)(bytes >> 10),
                         (unsigned long long)(run->state_limit >> 10), tables);
    }
    if (!run->state_warned)
        journal_add(run->journal, WEIR_LOG_WARN, NULL, (int64_t)batch->id,
                    "state takes %llu %% of its half of memory_limit (%llu KiB): %s",
                    (unsigned long long)(bytes * 100 / run->state_limit),
                    (unsigned long long)(run->state_limit >> 10), tables);
    run->state_warned = 1;
    return WEIR_OK;
}
