/*
 * counters.c - see counters.h. An instance has a handful of counters, found by comparing names: lanes count
 * once per chunk or group, not per row.
 */
#include "core/run/counters.h"

#include <string.h>

static struct counter *find(const struct counters *counters, const char *name)
{
    for (uint32_t i = 0; i < counters->n; i++)
        if (strncmp(counters->list[i].name, name, COUNTER_NAME_MAX - 1) == 0)
            return (struct counter *)(uintptr_t)&counters->list[i];
    return NULL;
}

void counters_add(struct counters *counters, const char *name, int64_t delta)
{
    struct counter *counter = find(counters, name);
    if (!counter) {
        if (counters->n == COUNTERS_MAX) return;
        counter = &counters->list[counters->n++];
        strncpy(counter->name, name, COUNTER_NAME_MAX - 1);
    }
    counter->value += delta;
    counter->total += delta;
}

void counters_close(struct counters *run, const struct counters *batch)
{
    for (uint32_t i = 0; i < run->n; i++) run->list[i].value = 0;
    for (uint32_t i = 0; i < batch->n; i++)
        counters_add(run, batch->list[i].name, batch->list[i].value);
}

int64_t counters_value(const struct counters *counters, const char *name)
{
    const struct counter *counter = find(counters, name);
    return counter ? counter->value : 0;
}

int64_t counters_total(const struct counters *counters, const char *name)
{
    const struct counter *counter = find(counters, name);
    return counter ? counter->total : 0;
}
