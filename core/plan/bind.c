/*
 * bind.c - one node: its instance created, its options checked, its streams bound. This is all that `weir
 * check` runs of a plugin: no I/O happens here.
 */
#include "core/plan/bind.h"

#include "core/data/array.h"
#include "core/load/services.h"
#include "core/load/table_format.h"
#include "core/state/hash.h"

#include <stdlib.h>

static const struct weir_source *source_of(const struct plan_node *node)
{
    return node->component->table;
}

static const struct weir_operator *operator_of(const struct plan_node *node)
{
    return node->component->table;
}

static const struct weir_sink *sink_of(const struct plan_node *node)
{
    return node->component->table;
}

static const struct weir_format *format_of(const struct plan_node *node)
{
    return node->format->table;
}

/* May an error follow from another mistake? A source reads nothing, so what it says of an option
 * that it was given does not. */
static int may_follow(const struct plan_node *node, const struct weir_error *error)
{
    if (!node->unsure || error->error_class == WEIR_FATAL) return node->unsure;
    return node->kind != JOB_SOURCE || !error->option[0] ||
           !options_given(node->options, error->option);
}

/* Reports an error of a plugin at the option that it names, else at the instance. */
static int refuse(struct plan *plan, struct plan_node *node, const struct weir_error *error,
                  struct report *report)
{
    node->mistakes = 1;
    if (may_follow(node, error)) return 0;
    if (node->instance && node->options && error->option[0]) {
        options_report(node->options, plan->job, node->instance, error, report);
        return 0;
    }
    struct place place = { plan->job->file, 0, 0 };
    if (node->instance) place = node->instance->place;
    report_add(report, REPORT_ERROR, place, node->instance ? node->instance->path : node->name,
               "%s", error->text[0] ? error->text : "the plugin failed without a reason");
    return 0;
}

static int takes_format(const struct weir_component *component)
{
    return (component->capabilities & (WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT)) != 0;
}

static const struct weir_option *option_of(const struct weir_component *component, uint32_t i)
{
    const char *base = (const char *)component->options;
    return (const struct weir_option *)(const void *)(base + (size_t)i * component->options->size);
}

static const struct weir_option *component_option(const struct weir_component *component,
                                                  const char *name)
{
    for (uint32_t i = 0; i < component->n_options; i++) {
        const struct weir_option *option = option_of(component, i);
        if (strcmp(option->name, name) == 0) return option;
    }
    return NULL;
}

/* Does the operator read a table from a file, in a format of its own? */
static int reads_table(const struct plan_node *node)
{
    const json_t *table = json_object_get(node->instance->options, "table");
    return node->kind == JOB_OPERATOR && component_option(node->component, "table.format") &&
           json_object_get(table, "path") != NULL;
}

static const char *table_format_name(const struct plan_node *node)
{
    const json_t *value =
        json_object_get(json_object_get(node->instance->options, "table"), "format");
    if (json_is_object(value)) value = json_object_get(value, "type");
    return json_string_value(value);
}

/* The name of the format that the instance asks for, before its options are checked. */
static const char *format_name(const struct plan_node *node)
{
    if (reads_table(node)) return table_format_name(node);
    const json_t *value = json_object_get(node->instance->options, "format");
    if (json_is_object(value)) value = json_object_get(value, "type");
    if (json_is_string(value)) return json_string_value(value);
    const struct weir_option *option = component_option(node->component, "format");
    if (option && option->fallback) return option->fallback;
    return option && (option->flags & WEIR_OPTION_REQUIRED) ? NULL : "text";
}

static const struct context_ops plan_ops;

static void context_init(struct plan *plan, struct plan_node *node, struct weir_context *context)
{
    context->ops = &plan_ops;
    context->owner = node;
    context->instance = node->name;
    context->options = node->options;
    context->sys = plan->sys;
    context->journal = plan->journal;
    context->env = &plan->env;
}

/* weir.format/1 as far as a check needs it; a running job replaces it. */
static int32_t plan_bind_encode(struct weir_context *context, const struct ArrowSchema *schema,
                                struct weir_error *error)
{
    struct plan_node *node = context->owner;
    if (!node->format) return weir_fail(error, WEIR_UNSUPPORTED, "the instance has no format");
    node->encode_bound = 1;
    return format_of(node)->bind_encode(node->format_self, schema, error);
}

static const char *plan_extension(struct weir_context *context)
{
    struct plan_node *node = context->owner;
    return node->format && format_of(node)->extension ? format_of(node)->extension : "";
}

/* A mistake of an expression. What the plugin says behind it may follow from it. */
static void plan_mistake(struct weir_context *context, const struct weir_error *error)
{
    struct plan_node *node = context->owner;
    node->unsure = 0;
    if (error && node->report) refuse(node->plan, node, error, node->report);
    node->unsure = node->mistakes = 1;
}

static const struct context_ops plan_ops = { .bind_encode = plan_bind_encode,
                                             .extension = plan_extension,
                                             .mistake = plan_mistake };

static int open_format(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    const char *name = format_name(node);
    if (!name) return 1; /* the missing option is reported with the others */
    if (registry_open(plan->registry, WEIR_KIND_FORMAT, name, &node->format, &error) == WEIR_OK)
        return 1;
    char path[256];
    snprintf(path, sizeof path, "%s.%s", node->instance->path,
             reads_table(node) ? "table.format" : "format");
    report_add(report, REPORT_ERROR, job_place(plan->job, path, -1), path, "%s", error.text);
    return 0;
}

/* Of the policies for a sink that stalls this version has one. */
static void check_stall(struct plan *plan, const struct plan_node *node, struct report *report)
{
    static const char *const without[] = { "spill_limit.size", "spill_limit.age", "stall_after" };
    struct weir_value value = { .size = sizeof value };
    char path[256];
    for (uint32_t i = 0; node->options && i < sizeof without / sizeof *without; i++) {
        if (!options_given(node->options, without[i])) continue;
        snprintf(path, sizeof path, "%s.%s", node->instance->path, without[i]);
        report_add(report, REPORT_WARNING, job_place(plan->job, path, -1), path,
                   "it has no effect in this version of weir: the job waits for the sink (hold)");
    }
    if (options_get(node->options, "on_stall", &value) != WEIR_OK) return;
    if (strcmp(value.text, "hold") == 0) return;
    snprintf(path, sizeof path, "%s.on_stall", node->instance->path);
    report_add(report, REPORT_ERROR, job_place(plan->job, path, -1), path,
               "this version of weir has no \"%s\": take it out, the job then waits for the sink "
               "(hold)", value.text);
}

static int check_options(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct option_table tables[2 + ENGINE_TABLES];
    uint32_t n = 0;
    const struct weir_component *component = node->component;
    uint32_t before = report->errors;
    tables[n++] = (struct option_table){ component->options, component->n_options,
                                         component->name };
    if (node->format)
        tables[n++] = (struct option_table){ node->format->options, node->format->n_options,
                                             node->format->name };
    n += options_of_engine(component, tables + n);
    node->options = options_build(plan->job, node->instance, tables, n, report);
    if (node->kind == JOB_SINK) check_stall(plan, node, report);
    return node->options && report->errors == before;
}

static uint64_t option_integer(const struct options *options, const char *name, uint64_t other)
{
    struct weir_value value = { .size = sizeof value };
    if (!options || options_get(options, name, &value) != WEIR_OK) return other;
    return (uint64_t)value.integer;
}

static int on_error_is(const struct options *options, const char *word)
{
    struct weir_value value = { .size = sizeof value };
    return options && options_get(options, "on_error", &value) == WEIR_OK &&
           strcmp(value.text, word) == 0;
}

static int create_instance(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result = WEIR_OK;
    switch (node->kind) {
    case JOB_SOURCE:
        result = source_of(node)->create(&weir_host_1, &node->context, &node->self, &error);
        break;
    case JOB_OPERATOR:
        result = operator_of(node)->create(&weir_host_1, &node->context, &node->self, &error);
        break;
    default: result = sink_of(node)->create(&weir_host_1, &node->context, &node->self, &error);
    }
    if (result == WEIR_OK && node->format)
        result = format_of(node)->create(&weir_host_1, &node->format_context, &node->format_self,
                                         &error);
    if (result == WEIR_OK && node->format && node->kind == JOB_OPERATOR) {
        node->format_use.table = format_of(node);
        node->format_use.self = node->format_self;
        node->context.format = &node->format_use;
    }
    if (result == WEIR_OK && node->format && reads_table(node)) {
        node->table_format = calloc(1, sizeof *node->table_format);
        if (!node->table_format) result = weir_fail(&error, WEIR_FATAL, "out of memory");
    }
    if (result == WEIR_OK && node->table_format) {
        node->table_format->table = format_of(node);
        node->table_format->self = node->format_self;
        node->context.table_format = node->table_format;
    }
    return result == WEIR_OK ? 1 : refuse(plan, node, &error, report);
}

int node_open(struct plan *plan, struct plan_node *node, struct report *report)
{
    if (!node->component) {
        struct weir_error error = WEIR_ERROR_INIT;
        if (!node->instance->plugin[0]) return 0; /* reported with the job */
        if (registry_open(plan->registry, node->kind, node->instance->plugin, &node->component,
                          &error) != WEIR_OK) {
            report_add(report, REPORT_ERROR, node->instance->plugin_place, node->instance->path,
                       "%s", error.text);
            return 0;
        }
    }
    if (node->instance) {
        if ((takes_format(node->component) || reads_table(node)) && !open_format(plan, node, report)) return 0;
        if (!check_options(plan, node, report)) {
            node->mistakes = node->unsure = 1;
            if (node->kind == JOB_SINK || !node->options || !options_mend(node->options)) return 0;
        }
    }
    context_init(plan, node, &node->context);
    node->context.null_on_error = (uint32_t)on_error_is(node->options, "null");
    if (node->kind == JOB_OPERATOR) {
        node->tables = store_operator(plan->store, node->name);
        node->context.tables = node->tables;
        if (!node->tables) {
            struct weir_error error = WEIR_ERROR_INIT;
            weir_fail(&error, WEIR_FATAL, "out of memory");
            return refuse(plan, node, &error, report);
        }
    }
    context_init(plan, node, &node->format_context);
    node->max_record = option_integer(node->options, "max_record", 1u << 20);
    return create_instance(plan, node, report);
}

/* ---- sources ---- */

static void stream_main(struct plan_node *node, uint32_t form)
{
    node->n_outputs = 1;
    node->outputs[0].node = node;
    node->outputs[0].form = form;
    node->outputs[0].slide = 1;
    node->outputs[0].time_column = -1;
}

/* The declared columns of the instance; release NULL if there are none. 0 on a mistake. */
static int declared_columns(struct plan *plan, struct plan_node *node, struct ArrowSchema *out,
                            struct report *report)
{
    struct weir_value value = { .size = sizeof value };
    struct weir_error error = WEIR_ERROR_INIT;
    memset(out, 0, sizeof *out);
    if (options_get(node->options, "columns", &value) != WEIR_OK) return 1;
    if (weir_data_1.schema_parse(value.text, out, &error) == WEIR_OK) return 1;
    snprintf(error.option, sizeof error.option, "columns");
    return refuse(plan, node, &error, report);
}

static uint32_t wanted_names(const struct plan_node *node, const struct ArrowSchema *schema,
                             const char **names)
{
    uint32_t n = 0;
    for (int64_t c = 0; c < schema->n_children; c++)
        if ((node->wanted.columns >> (c < 63 ? c : 63)) & 1) names[n++] = schema->children[c]->name;
    return n;
}

static int bind_decode(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_decode_plan out = { .size = sizeof out };
    struct ArrowSchema declared;
    const char **names = NULL;
    if (!declared_columns(plan, node, &declared, report)) return 0;
    struct weir_decode_bind in = { .size = sizeof in };
    in.declared = declared.release ? &declared : NULL;
    in.null_on_error = node->context.null_on_error;
    if (in.declared && node->wanted.columns != UINT64_MAX) {
        names = calloc((size_t)declared.n_children + 1, sizeof *names);
        if (names) in.n_wanted = wanted_names(node, &declared, names);
        in.wanted = names;
    }
    in.conjuncts = node->wanted.conjuncts;
    in.n_conjuncts = node->wanted.n_conjuncts;
    int32_t result = format_of(node)->bind_decode(node->format_self, &in, &out, &error);
    node->wanted.conjuncts = NULL;
    node->wanted.n_conjuncts = 0;
    free(names);
    schema_release(&declared);
    if (result == WEIR_OK) result = schema_check(&out.schema, &error);
    if (result != WEIR_OK) {
        schema_release(&out.schema);
        return refuse(plan, node, &error, report);
    }
    node->has_head = out.has_head;
    node->outputs[0].schema = out.schema;
    return 1;
}

static int find_bytes_columns(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    node->bytes_column = weir_column_index(&node->raw, "bytes");
    node->head_column = weir_column_index(&node->raw, "head");
    if (node->bytes_column >= 0 &&
        weir_type_of(node->raw.children[node->bytes_column]) == WEIR_TYPE_BINARY)
        return 1;
    weir_fail(&error, WEIR_FATAL, "source \"%s\" declares bytes, but has no binary column `bytes`",
              node->component->name);
    return refuse(plan, node, &error, report);
}

int node_bind_source(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_source_plan out = { .size = sizeof out };
    struct weir_source_bind in = { .size = sizeof in };
    stream_main(node, WEIR_FORM_APPEND);
    int decoded = !node->format || bind_decode(plan, node, report);
    in.head = node->has_head;
    int32_t result = source_of(node)->bind(node->self, &in, &out, &error);
    if (result == WEIR_OK) result = schema_check(&out.schema, &error);
    if (result != WEIR_OK || !decoded) schema_release(&out.schema);
    if (result != WEIR_OK) return refuse(plan, node, &error, report);
    if (!decoded) return 0;
    if (!node->format) {
        node->outputs[0].schema = out.schema;
        return 1;
    }
    node->raw = out.schema;
    return find_bytes_columns(plan, node, report);
}

/* ---- operators ---- */

static void describe_inputs(const struct plan_node *node, struct weir_input *inputs)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        const struct plan_stream *stream = node->inputs[i];
        inputs[i].size = sizeof *inputs;
        inputs[i].form = stream->form;
        inputs[i].name = node->instance && i < node->instance->n_from
                             ? (node->instance->from[i].alias ? node->instance->from[i].alias
                                                              : node->instance->from[i].name)
                             : stream->node->name;
        inputs[i].schema = &stream->schema;
        inputs[i].key_columns = stream->key_columns;
        inputs[i].n_key_columns = stream->n_key_columns;
        inputs[i].slide = stream->slide;
        inputs[i].watermarked = stream->time_column >= 0;
        inputs[i].time_column = stream->time_column;
        inputs[i].delay_us = stream->delay_us;
        inputs[i].time_columns = stream->time_columns;
    }
}

/* The delay of the event time that a node hands on. */
static int64_t delay_of(const struct plan_node *node)
{
    int64_t delay = 0;
    if (operator_of(node)->lane_watermark) return node->bound.delay_us;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]->time_column >= 0 && node->inputs[i]->delay_us > delay)
            delay = node->inputs[i]->delay_us;
    return delay;
}

static int32_t take_outputs(struct plan_node *node, struct weir_error *error)
{
    struct weir_operator_plan *bound = &node->bound;
    if (bound->n_outputs < 1 || bound->n_outputs > 4)
        return weir_fail(error, WEIR_FATAL, "operator \"%s\" gives %u outputs, not 1 to 4",
                         node->component->name, bound->n_outputs);
    node->in_turn = bound->streams[0].slide == 0;
    for (uint32_t k = 0; k < bound->n_outputs; k++) {
        struct weir_stream *from = &bound->streams[k];
        struct plan_stream *to = &node->outputs[k];
        if (!from->schema.release || from->n_key_columns > 16)
            return weir_fail(error, WEIR_FATAL, "operator \"%s\" gives no schema for output %u",
                             node->component->name, k);
        if (!node->unsure && schema_check(&from->schema, error) != WEIR_OK) return WEIR_FATAL;
        to->node = node;
        to->output = k;
        to->name = from->name;
        to->form = from->form ? from->form : WEIR_FORM_APPEND;
        to->slide = from->slide ? from->slide : (node->n_inputs ? node->inputs[0]->slide : 1);
        to->schema = from->schema;
        from->schema.release = NULL;
        memcpy(to->key_columns, from->key_columns, sizeof to->key_columns);
        to->n_key_columns = from->n_key_columns;
        to->time_column = from->time_column;
        to->time_columns = bound->time_columns[k];
        if (to->time_column >= 0 && to->time_column < 64)
            to->time_columns |= (uint64_t)1 << to->time_column;
        to->delay_us = delay_of(node);
        node->n_outputs = k + 1;
    }
    return WEIR_OK;
}

/* The second schema of the exchange: its keys are those of the first. */
static int32_t take_uncombined(struct plan_node *node, struct weir_error *error)
{
    const struct weir_distribution *d = &node->bound.distribution[0];
    struct ArrowSchema *second = &node->bound.uncombined;
    if (!second->release) return WEIR_OK;
    node->uncombined = *second;
    second->release = NULL;
    if (schema_check(&node->uncombined, error) != WEIR_OK) return WEIR_FATAL;
    for (uint32_t c = 0; c < d->n_columns; c++)
        if (d->columns[c] >= node->uncombined.n_children ||
            !schema_same_type(node->uncombined.children[d->columns[c]],
                              node->exchange[0].children[d->columns[c]]))
            return weir_fail(error, WEIR_FATAL, "operator \"%s\" has two schemas of its exchange that "
                             "differ in the key", node->component->name);
    return WEIR_OK;
}

static int32_t take_distribution(struct plan_node *node, struct weir_error *error)
{
    const struct weir_operator *table = operator_of(node);
    node->has_combine = table->combine != NULL;
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        struct weir_distribution *d = &node->bound.distribution[i];
        if (d->kind > WEIR_DISTRIBUTE_PARTITION || d->n_columns > 16)
            return weir_fail(error, WEIR_FATAL, "operator \"%s\" asks for distribution %u",
                             node->component->name, d->kind);
        if (d->kind == WEIR_DISTRIBUTE_ANY) continue;
        node->origin = 1;
        if (d->exchange.release) {
            node->exchange[i] = d->exchange;
            d->exchange.release = NULL;
            if (schema_check(&node->exchange[i], error) != WEIR_OK) return WEIR_FATAL;
        } else if (weir_data_1.schema_copy(&node->inputs[i]->schema, NULL, &node->exchange[i],
                                           error) != WEIR_OK) {
            return WEIR_FATAL;
        }
        for (uint32_t c = 0; c < d->n_columns; c++) {
            if (d->columns[c] < node->exchange[i].n_children &&
                hash_type_ok(weir_type_of(node->exchange[i].children[d->columns[c]])))
                continue;
            return weir_fail(error, WEIR_CONFIG,
                             "a key must be a flat value; a list or struct can't be one");
        }
    }
    if (take_uncombined(node, error) != WEIR_OK) return WEIR_FATAL;
    for (uint32_t i = 1; i < node->n_inputs; i++)
        if (node->bound.distribution[i].kind != node->bound.distribution[0].kind)
            return weir_fail(error, WEIR_FATAL, "operator \"%s\" mixes distributions",
                             node->component->name);
    if (node->bound.partitions > 0 && !node->origin)
        return weir_fail(error, WEIR_FATAL, "operator \"%s\" makes partitions without an exchange",
                         node->component->name);
    return WEIR_OK;
}

static int same_slides(struct plan *plan, struct plan_node *node, struct report *report)
{
    for (uint32_t i = 1; i < node->n_inputs && !node->unsure; i++) {
        if (node->inputs[i]->slide == node->inputs[0]->slide) continue;
        report_add(report, REPORT_ERROR,
                   node->instance ? node->instance->place : (struct place){ plan->job->file, 0, 0 },
                   node->instance ? node->instance->path : node->name,
                   "its inputs have unequal slides (%u and %u triggers): give their windows the "
                   "same slide",
                   node->inputs[0]->slide, node->inputs[i]->slide);
        return 0;
    }
    return 1;
}

uint32_t plan_output_mode(const struct job *job)
{
    if (!job->output_mode) return 0;
    return strcmp(job->output_mode, "append") == 0   ? WEIR_FORM_APPEND
           : strcmp(job->output_mode, "update") == 0 ? WEIR_FORM_UPSERT
                                                     : WEIR_FORM_REPLACE;
}

/* The text of an expression; `key` is the name of a result, NULL: the option has one text.
 * Aggregates may be anywhere. */
static void check_text(struct plan *plan, struct plan_node *node, const char *option,
                       const char *key, const char *text)
{
    struct weir_expr_input input = { NULL, &plan->nowhere.outputs[0].schema };
    struct weir_aggregation *aggregation = NULL;
    struct weir_expr *expr = NULL;
    struct weir_error error = WEIR_ERROR_INIT;
    const size_t n = strlen(text);
    if (n && text[n - 1] == '*') return; /* all columns */
    if (key)
        weir_expr_1.aggregate(&node->context, option, 1, &key, &text, &input, input.schema,
                              &aggregation, &error);
    else
        weir_expr_1.compile(&node->context, text, option, &input, 1, WEIR_TYPE_NONE, &expr, &error);
    expr_aggregate_free(aggregation);
    expr_free(expr);
}

/* Where bind ended early there may be expressions that it did not come to. What is wrong with
 * them whatever they read is told: words, functions, constants. (A mistake that was told already
 * is not told again.) */
static void check_rest(struct plan *plan, struct plan_node *node)
{
    for (uint32_t i = 0; i < node->component->n_options; i++) {
        const struct weir_option *option = option_of(node->component, i);
        struct weir_value value = { .size = sizeof value };
        if (option->type != WEIR_OPTION_EXPR && option->type != WEIR_OPTION_EXPRS) continue;
        if (options_get(node->options, option->name, &value) != WEIR_OK) continue;
        if (option->type == WEIR_OPTION_EXPR)
            check_text(plan, node, option->name, NULL, value.text);
        for (uint64_t k = 0; option->type == WEIR_OPTION_EXPRS && k < value.count; k++)
            if (options_item(node->options, option->name, k, &value) == WEIR_OK)
                check_text(plan, node, option->name, value.key, value.text);
    }
}

int node_bind_operator(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_input inputs[16];
    if (!same_slides(plan, node, report)) return 0;
    memset(inputs, 0, sizeof inputs);
    describe_inputs(node, inputs);
    struct weir_operator_bind in = { .size = sizeof in, .n_inputs = node->n_inputs,
                                     .inputs = inputs };
    if (plan->job->trigger == TRIGGER_INTERVAL) in.trigger_us = plan->job->interval_us;
    in.output_mode = plan_output_mode(plan->job);
    node->bound.size = sizeof node->bound;
    for (int k = 0; k < 4; k++) node->bound.streams[k].time_column = -1;
    int32_t result = operator_of(node)->bind(node->self, &in, &node->bound, &error);
    if (result == WEIR_OK) result = take_outputs(node, &error);
    if (result == WEIR_OK) result = take_distribution(node, &error);
    if (result != WEIR_OK) {
        refuse(plan, node, &error, report);
        if (node->instance) check_rest(plan, node);
        return 0;
    }
    node->stateful = store_tables(node->tables) > 0;
    if (node->bound.flags & WEIR_PLAN_TICKING) plan->ticking = 1;
    if (operator_of(node)->lane_watermark) plan->watermarks = 1;
    return 1;
}

/* ---- sinks ---- */

static const char *form_name(uint32_t form)
{
    return form == WEIR_FORM_APPEND ? "append" : form == WEIR_FORM_UPSERT ? "upsert" : "replace";
}

static int bind_encode(struct plan *plan, struct plan_node *node, struct report *report)
{
    struct weir_error error = WEIR_ERROR_INIT;
    if (!node->format || node->encode_bound) return 1;
    if (format_of(node)->bind_encode(node->format_self, &node->inputs[0]->schema, &error) ==
        WEIR_OK)
        return 1;
    return refuse(plan, node, &error, report);
}

int node_bind_sink(struct plan *plan, struct plan_node *node, struct report *report)
{
    const struct plan_stream *stream = node->inputs[0];
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_sink_bind in = { .size = sizeof in,
                                 .form = stream->form,
                                 .schema = &stream->schema,
                                 .key_columns = stream->key_columns,
                                 .n_key_columns = stream->n_key_columns };
    if (!(node->component->accepts & stream->form)) {
        weir_fail(&error, WEIR_CONFIG,
                  "sink \"%s\" does not accept a stream of form %s (from \"%s\"): write it to a "
                  "sink that does, such as console or memory",
                  node->component->name, form_name(stream->form), stream->node->name);
        return refuse(plan, node, &error, report);
    }
    if (sink_of(node)->bind(node->self, &in, &error) != WEIR_OK)
        return refuse(plan, node, &error, report);
    return bind_encode(plan, node, report);
}

void node_free(struct plan_node *node)
{
    if (!node) return;
    if (node->self && node->kind == JOB_SOURCE) source_of(node)->destroy(node->self);
    if (node->self && node->kind == JOB_OPERATOR) operator_of(node)->destroy(node->self);
    if (node->self && node->kind == JOB_SINK) sink_of(node)->destroy(node->self);
    if (node->format_self) format_of(node)->destroy(node->format_self);
    for (uint32_t k = 0; k < 4; k++) {
        schema_release(&node->outputs[k].schema);
        schema_release(&node->bound.streams[k].schema);
    }
    for (uint32_t k = 0; k < 16; k++) {
        schema_release(&node->exchange[k]);
        schema_release(&node->bound.distribution[k].exchange);
    }
    schema_release(&node->uncombined);
    schema_release(&node->bound.uncombined);
    schema_release(&node->raw);
    if (node->table_format) schema_release(&node->table_format->schema);
    free(node->table_format);
    options_free(node->options);
    free(node->pipe.steps);
    free(node->ports);
    free(node);
}
