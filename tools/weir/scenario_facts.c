#include "tools/weir/scenario_facts.h"

static json_t *time_json(int64_t us)
{
    return us == WEIR_WATERMARK_NONE ? json_null() : json_integer(us);
}

uint64_t facts_state_rows(const struct plan_node *node)
{
    uint64_t rows = 0;
    for (uint32_t t = 0; t < store_tables(node->tables); t++) {
        struct store_figures figures;
        store_figures(node->tables, t, &figures);
        rows += figures.rows ? figures.rows : figures.keys;
    }
    return rows;
}

/* What operators counted in the batch. */
static json_t *counters_json(const struct run *run)
{
    json_t *all = json_object();
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct counters *counters = &run->counters[i];
        json_t *of = counters->n ? json_object() : NULL;
        for (uint32_t k = 0; k < counters->n; k++)
            json_object_set_new(of, counters->list[k].name,
                                json_integer((json_int_t)counters->list[k].value));
        if (of) json_object_set_new(all, run->plan->nodes[i]->name, of);
    }
    return all;
}

json_t *facts_event_times(const struct run *run)
{
    struct weir_event_times all = { 0, INT64_MAX, INT64_MIN, 0, 0 };
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct weir_event_times *one = &run->event_times[i];
        if (one->count == 0) continue;
        all.count += one->count;
        all.sum_s += one->sum_s;
        all.sum_us += one->sum_us;
        if (one->least < all.least) all.least = one->least;
        if (one->greatest > all.greatest) all.greatest = one->greatest;
    }
    if (all.count == 0) return json_null();
    __int128 sum = (__int128)all.sum_s * 1000000 + all.sum_us, n = all.count;
    return json_pack("{s:I, s:I, s:I}", "min_us", (json_int_t)all.least, "max_us",
                     (json_int_t)all.greatest, "avg_us", (json_int_t)(sum / n));
}

void facts_add(json_t *batches, const struct run *run, uint64_t batch, uint64_t rows_in,
               uint32_t step)
{
    json_t *rows = json_object();
    for (uint32_t i = 0; i < run->plan->n_nodes; i++) {
        const struct plan_node *node = run->plan->nodes[i];
        if (node->stateful)
            json_object_set_new(rows, node->name,
                                json_integer((json_int_t)facts_state_rows(node)));
    }
    json_t *fact = json_pack("{s:I, s:I, s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "batch",
                             (json_int_t)batch, "rows_in", (json_int_t)rows_in, "step",
                             (int)step, "time_us", (json_int_t)run->last_time_us, "watermark_us",
                             time_json(run->previous_watermark_us), "next_watermark_us",
                             time_json(run->watermark_us), "rows", rows, "counters",
                             counters_json(run), "event_time", facts_event_times(run));
    json_array_append_new(batches, fact);
}

static json_t *sinks_json(const struct world *world)
{
    json_t *sinks = json_object();
    for (uint32_t i = 0; i < world->n_sinks; i++) {
        const struct world_sink *sink = &world->sinks[i];
        json_t *emissions = json_array();
        for (uint32_t k = 0; k < sink->n; k++)
            json_array_append_new(emissions,
                                  json_pack("{s:I, s:i, s:O}", "batch",
                                            (json_int_t)sink->emissions[k].batch, "step",
                                            (int)sink->emissions[k].mark, "rows",
                                            sink->emissions[k].rows));
        json_object_set_new(sinks, sink->name, emissions);
    }
    return sinks;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text) json_object_set_new(object, key, json_string(text));
}

void facts_print(const char *file, uint32_t workers, const struct play *play, FILE *to)
{
    json_t *line = json_pack("{s:s, s:i, s:b, s:s, s:i, s:o, s:O}", "file", file, "workers",
                             (int)workers, "passed", play->passed, "state", play->state, "step",
                             (int)play->step, "sinks", sinks_json(&play->world), "batches",
                             play->batches);
    if (!line) return;
    if (!play->passed) set_text(line, "why", play->text);
    set_text(line, "error", play->error);
    json_dumpf(line, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(line);
}

void facts_print_wrong(const char *file, const char *why, FILE *to)
{
    json_t *line = json_pack("{s:s, s:b, s:s}", "file", file, "passed", 0, "state", "wrong");
    if (!line) return;
    set_text(line, "why", why);
    json_dumpf(line, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(line);
}
