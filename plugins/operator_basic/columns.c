/*
 * columns.c - see the header. Columns that are unchanged are passed on by reference. An expression
 * that fails on a row takes it out of the selection for the expressions behind it too, so a row is
 * rejected once.
 */
#include "plugins/operator_basic/columns.h"

int32_t columns_add(const struct basic *basic, struct columns *columns, struct column_expr item,
                    struct weir_error *error)
{
    if (columns->n == columns->capacity) {
        uint32_t capacity = columns->capacity ? columns->capacity * 2 : 16;
        void *items = basic->host->realloc(columns->items, capacity * sizeof *columns->items);
        if (!items) {
            basic->expr->free(item.expr);
            return no_memory(error);
        }
        columns->items = items;
        columns->capacity = capacity;
    }
    columns->items[columns->n++] = item;
    return WEIR_OK;
}

void columns_free(const struct basic *basic, struct columns *columns)
{
    for (uint32_t i = 0; i < columns->n; i++) basic->expr->free(columns->items[i].expr);
    basic->host->free(columns->items);
}

/* A window of event time is event time, too, and so is its time. */
static void find_times(const struct basic *basic, const struct columns *columns,
                       const struct weir_input *input, struct weir_operator_plan *out)
{
    for (uint32_t i = 0; i < columns->n && i < 64; i++) {
        const struct column_expr *item = &columns->items[i];
        int32_t from = item->expr ? basic->expr->time_source(item->expr, NULL) : -1;
        if (from < 0 || from > 63 || !(input->time_columns >> from & 1)) continue;
        out->time_columns[0] |= (uint64_t)1 << i;
        if (out->streams[0].time_column < 0) out->streams[0].time_column = (int32_t)i;
    }
}

int32_t columns_plan(const struct basic *basic, const struct columns *columns,
                     const struct weir_input *input, const char *option,
                     struct weir_operator_plan *out, struct weir_error *error)
{
    uint32_t n = columns->n;
    struct field *fields = basic->host->alloc(n * sizeof *fields + 1);
    int32_t *from = basic->host->alloc(n * sizeof *from + 1);
    struct ArrowSchema schema;
    int32_t result = fields && from ? WEIR_OK : no_memory(error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const struct column_expr *item = &columns->items[i];
        fields[i].type = item->input >= 0 ? input->schema->children[item->input]
                                          : basic->expr->schema(item->expr);
        fields[i].name = item->name;
        from[i] = item->input;
        if (!item->expr) continue;
        out->reads[0] |= read_bits(basic, item->expr, input->schema);
        if (!basic->expr->deterministic(item->expr)) out->flags |= WEIR_PLAN_NONDETERMINISTIC;
    }
    if (result == WEIR_OK) result = fields_schema(basic, fields, n, option, &schema, error);
    if (result == WEIR_OK) carry_plan(out, input, &schema, from, 0);
    if (result == WEIR_OK) find_times(basic, columns, input, out);
    out->flags |= WEIR_PLAN_READS_KNOWN | WEIR_PLAN_PASSES;
    basic->host->free(fields);
    basic->host->free(from);
    return result;
}

int32_t columns_lane_create(const struct basic *basic, const struct columns *columns,
                            struct weir_context *context, void **lane, struct weir_error *error)
{
    uint64_t each = sizeof(struct ArrowArray) + sizeof(struct weir_output_column);
    struct columns_lane *l = basic->host->alloc(sizeof *l + columns->n * each);
    if (!l) return no_memory(error);
    l->context = context;
    l->arrays = (struct ArrowArray *)(void *)(l + 1);
    l->out = (struct weir_output_column *)(void *)(l->arrays + columns->n);
    *lane = l;
    return WEIR_OK;
}

int32_t columns_process(const struct basic *basic, const struct columns *columns,
                        struct columns_lane *lane, const struct weir_chunk *chunk,
                        struct weir_error *error)
{
    struct weir_rows rows = { sizeof rows, chunk->selected, lane->rows };
    int32_t result = WEIR_OK;
    uint32_t i;
    for (i = 0; i < rows.n; i++) rows.rows[i] = weir_row(chunk, i);
    for (i = 0; i < columns->n && result == WEIR_OK; i++) {
        const struct column_expr *item = &columns->items[i];
        lane->out[i] = (struct weir_output_column){ item->input, 0, NULL };
        memset(&lane->arrays[i], 0, sizeof lane->arrays[i]);
        if (item->input >= 0) continue;
        lane->out[i].array = &lane->arrays[i];
        result = basic->expr->eval(lane->context, item->expr, &chunk, &rows, &lane->arrays[i],
                                   error);
    }
    if (result == WEIR_OK && rows.n > 0) {
        struct weir_emission emission = { .size = sizeof emission, .from = chunk,
                                          .columns = lane->out, .n_columns = columns->n,
                                          .rows = chunk->rows, .selection = rows.rows,
                                          .selected = rows.n };
        if (rows.n == chunk->rows) emission.selection = NULL;
        return basic->host->emit(lane->context, &emission, error);
    }
    while (i-- > 0)
        if (lane->arrays[i].release) lane->arrays[i].release(&lane->arrays[i]);
    return result;
}
