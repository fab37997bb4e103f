/*
 * cells.c - rows of a side as records of state.
 *
 * Each column that the result or a condition reads has a cell, a struct has one per field besides.
 * A cell is two columns of the table: `?NAME`, whether there is a value, and `NAME`, the value. Both
 * are zero in a new record, so a column that is added to a job later is null in the rows that
 * were there before. A list is packed into bytes (pack.h).
 */
#include "plugins/operator_join/op.h"

#include "plugins/share/pack.h"

/* ---- bind ---- */

static int32_t add_column(const struct join_op *op, struct cells *cells, const char *name,
                          uint32_t type, uint32_t flags, uint32_t *number, struct weir_error *error)
{
    const uint32_t n = cells->n_columns;
    const struct weir_host *host = op->join.host;
    if ((n & (n - 1)) == 0) { /* room is the next power of two */
        const uint64_t room = n ? n * 2 : 1;
        void *columns = host->realloc(cells->columns, room * sizeof *cells->columns);
        void *names;
        if (!columns) return no_memory(error);
        cells->columns = columns;
        names = host->realloc(cells->names, room * sizeof *cells->names);
        if (!names) return no_memory(error);
        cells->names = names;
    }
    snprintf(cells->names[n], sizeof *cells->names, "%.63s", name);
    cells->columns[n] = (struct weir_table_column){ NULL, type, flags };
    *number = cells->n_columns++;
    return WEIR_OK;
}

static int32_t add_cell(const struct join_op *op, struct cells *cells, const struct cell *cell,
                        uint32_t *number, struct weir_error *error)
{
    if (cells->n == cells->room) {
        const uint32_t room = cells->room ? cells->room * 2 : 16;
        void *list = op->join.host->realloc(cells->cells, room * sizeof *cells->cells);
        if (!list) return no_memory(error);
        cells->cells = list;
        cells->room = room;
    }
    *number = cells->n++;
    cells->cells[*number] = *cell;
    return WEIR_OK;
}

static int32_t fill_cell(const struct join_op *op, struct cells *cells, uint32_t number,
                         const char *path, struct weir_error *error)
{
    struct cell cell = cells->cells[number];
    const uint32_t type = weir_type_of(cell.type);
    const uint32_t n = type == WEIR_TYPE_STRUCT ? (uint32_t)cell.type->n_children : 0;
    char name[200];
    int32_t result;
    snprintf(name, sizeof name, "?%s", path);
    result = add_column(op, cells, name, WEIR_TYPE_BOOL, 0, &cell.valid, error);
    if (result == WEIR_OK && n == 0)
        result = add_column(op, cells, path, type == WEIR_TYPE_LIST ? WEIR_TYPE_BINARY : type, 0,
                            &cell.value, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        const struct cell child = { .type = cell.type->children[i] };
        uint32_t at = 0;
        result = add_cell(op, cells, &child, &at, error);
        if (i == 0) cell.first_child = at;
    }
    cells->cells[number] = cell;
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++) {
        snprintf(name, sizeof name, "%.90s.%.90s", path, cell.type->children[i]->name);
        result = fill_cell(op, cells, cell.first_child + i, name, error);
    }
    return result;
}

static int32_t name_columns(struct cells *cells, struct weir_error *error)
{
    for (uint32_t i = 0; i < cells->n_columns; i++) {
        cells->columns[i].name = cells->names[i];
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(cells->names[i], cells->names[k]) == 0)
                return weir_fail_option(error, "columns", -1,
                                        "two columns begin with the same 60 bytes (\"%s\"): give "
                                        "one a shorter name before the join",
                                        cells->names[i]);
    }
    return WEIR_OK;
}

int32_t cells_bind(struct join_op *op, uint32_t s, struct weir_error *error)
{
    struct side *side = &op->sides[s];
    struct cells *cells = &side->cells;
    const struct join *join = &op->join;
    uint32_t at = 0;
    int32_t result = WEIR_OK;
    cells->matched = cells->expires = -1;
    cells->of = join->host->alloc(side->n_inputs * sizeof *cells->of + 4);
    if (!cells->of) return no_memory(error);
    for (uint32_t c = 0; c < side->n_inputs && result == WEIR_OK; c++) {
        const struct cell cell = { .type = join->inputs[s].schema->children[c] };
        cells->of[c] = -1;
        if (!(join->needed[s][c] & ~JOIN_FOR_LETTER)) continue;
        result = add_cell(op, cells, &cell, &at, error);
        cells->of[c] = (int32_t)at;
        if (result == WEIR_OK) result = fill_cell(op, cells, at, cell.type->name, error);
    }
    if (result == WEIR_OK && (join_keeps(join->type, s) || (s == 0 && join_left_only(join->type)))) {
        result = add_column(op, cells, "!matched", WEIR_TYPE_BOOL, 0, &at, error);
        cells->matched = (int32_t)at;
    }
    if (result == WEIR_OK && side->bounded) {
        result = add_column(op, cells, "!expires", WEIR_TYPE_TIMESTAMP,
                            WEIR_COLUMN_TIMER | WEIR_COLUMN_EVENT_TIME, &at, error);
        cells->expires = (int32_t)at;
    }
    return result == WEIR_OK ? name_columns(cells, error) : result;
}

void cells_free(const struct join_op *op, struct cells *cells)
{
    op->join.host->free(cells->cells);
    op->join.host->free(cells->columns);
    op->join.host->free(cells->names);
    op->join.host->free(cells->of);
}

/* ---- writing ---- */

struct write {
    const struct join_op *op;
    const struct side *side;
    struct weir_state *state;
    const uint32_t *rows, *numbers;
    uint32_t n;
};

static uint8_t *at(struct weir_view view, uint32_t number)
{
    return view.base + number * view.stride;
}

static int32_t write_text(const struct write *w, const struct cell *cell,
                          const struct ArrowArray *array, struct weir_error *error)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (!weir_is_null(array, w->rows[i]) &&
            w->op->state->put(w->state, w->side->table, cell->value, w->numbers[i],
                              weir_get_bytes(array, w->rows[i])) != WEIR_OK)
            return no_memory(error);
    return WEIR_OK;
}

static int32_t write_lists(const struct write *w, const struct cell *cell,
                           const struct ArrowArray *array, struct weir_error *error)
{
    const struct join *join = &w->op->join;
    struct ArrowSchema *type = (struct ArrowSchema *)(uintptr_t)cell->type;
    struct ArrowArray *column = (struct ArrowArray *)(uintptr_t)array;
    const void *no_nulls = NULL;
    const struct ArrowSchema schema = { .format = "+s", .n_children = 1, .children = &type };
    const struct ArrowArray whole = { .length = array->length, .n_buffers = 1, .n_children = 1,
                                      .buffers = &no_nulls, .children = &column };
    struct weir_buffer packed = { 0 };
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < w->n && result == WEIR_OK; i++) {
        if (weir_is_null(array, w->rows[i])) continue;
        packed.length = 0;
        result = pack_rows(join->host, join->data, &schema, &whole, &w->rows[i], 1, &packed, error);
        const struct weir_bytes bytes = { packed.data, packed.length };
        if (result == WEIR_OK && w->op->state->put(w->state, w->side->table, cell->value,
                                                   w->numbers[i], bytes) != WEIR_OK)
            result = no_memory(error);
    }
    join->host->free(packed.data);
    return result;
}

static void write_fixed(const struct write *w, const struct cell *cell,
                        const struct ArrowArray *array)
{
    const struct weir_view view = w->op->state->column(w->state, w->side->table, cell->value);
    const uint32_t width = weir_type_width(weir_type_of(cell->type));
    for (uint32_t i = 0; i < w->n; i++) {
        const uint32_t row = w->rows[i];
        uint8_t *to = at(view, w->numbers[i]);
        if (width == 8) *(int64_t *)(void *)to = weir_get_int64(array, row);
        else if (width == 4) *(int32_t *)(void *)to = weir_get_int32(array, row);
        else *to = (uint8_t)weir_get_bool(array, row);
    }
}

static int32_t write_cell(const struct write *w, uint32_t number, const struct ArrowArray *array,
                          struct weir_error *error)
{
    const struct cell *cell = &w->side->cells.cells[number];
    const uint32_t type = weir_type_of(cell->type);
    const struct weir_view valid = w->op->state->column(w->state, w->side->table, cell->valid);
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < w->n; i++)
        *at(valid, w->numbers[i]) = !weir_is_null(array, w->rows[i]);
    if (type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY) return write_text(w, cell, array, error);
    if (type == WEIR_TYPE_LIST) return write_lists(w, cell, array, error);
    if (type != WEIR_TYPE_STRUCT) {
        write_fixed(w, cell, array);
        return WEIR_OK;
    }
    for (uint32_t i = 0; i < (uint32_t)cell->type->n_children && result == WEIR_OK; i++)
        result = write_cell(w, cell->first_child + i, array->children[i], error);
    return result;
}

int32_t cells_write(const struct join_op *op, uint32_t s, struct weir_state *state,
                    const struct ArrowArray *array, const uint32_t *rows, const uint32_t *numbers,
                    uint32_t n, struct weir_error *error)
{
    const struct side *side = &op->sides[s];
    const struct write w = { op, side, state, rows, numbers, n };
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < side->n_inputs && result == WEIR_OK; c++)
        if (side->cells.of[c] >= 0)
            result = write_cell(&w, (uint32_t)side->cells.of[c], array->children[side->at[c]],
                                error);
    return result;
}

/* ---- reading ---- */

struct read {
    const struct join_op *op;
    const struct side *side;
    struct weir_state *state;
    const uint32_t *numbers;
    uint32_t n;
};

static int is_there(const struct read *r, struct weir_view valid, uint32_t i)
{
    return r->numbers[i] != JOIN_NONE && *at(valid, r->numbers[i]);
}

static void set_nulls(const struct read *r, struct weir_view valid, struct ArrowArray *out)
{
    uint8_t *bits = (uint8_t *)(uintptr_t)out->buffers[0];
    for (uint32_t i = 0; i < r->n; i++) {
        if (is_there(r, valid, i)) continue;
        bits[i >> 3] &= (uint8_t)~(1u << (i & 7));
        out->null_count++;
    }
}

static int32_t read_text(const struct read *r, const struct cell *cell, struct weir_view valid,
                         struct ArrowArray *out, struct weir_error *error)
{
    const struct weir_state_table *t = r->op->state;
    const uint32_t table = r->side->table;
    uint64_t bytes = 0;
    int32_t *offsets, result;
    uint8_t *to;
    for (uint32_t i = 0; i < r->n; i++)
        if (is_there(r, valid, i))
            bytes += t->get(r->state, table, cell->value, r->numbers[i]).length;
    if (bytes > INT32_MAX)
        return weir_fail(error, WEIR_FATAL, "%u joined rows hold more than 2 GiB of text", r->n);
    result = r->op->join.data->column(weir_type_of(cell->type), r->n, bytes, 1, out, error);
    if (result != WEIR_OK) return result;
    offsets = (int32_t *)(uintptr_t)out->buffers[1];
    to = (uint8_t *)(uintptr_t)out->buffers[2];
    offsets[0] = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        struct weir_bytes text = { NULL, 0 };
        if (is_there(r, valid, i)) text = t->get(r->state, table, cell->value, r->numbers[i]);
        if (text.length) memcpy(to + offsets[i], text.data, text.length);
        offsets[i + 1] = offsets[i] + (int32_t)text.length;
    }
    set_nulls(r, valid, out);
    return WEIR_OK;
}

static int32_t read_lists(const struct read *r, const struct cell *cell, struct weir_view valid,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct weir_state_table *t = r->op->state;
    struct column column;
    memset(&column, 0, sizeof column);
    int32_t result = column_init(&column, r->op->join.host, cell->type, 0, error);
    column.not_null = 0;
    for (uint32_t i = 0; i < r->n && result == WEIR_OK; i++) {
        if (is_there(r, valid, i))
            result = unpack_rows(t->get(r->state, r->side->table, cell->value, r->numbers[i]),
                                 &column, 1, error);
        else if (!column_add_null(&column))
            result = no_memory(error);
    }
    if (result == WEIR_OK) result = column_finish(&column, out, error);
    column_free(&column);
    return result;
}

static int32_t read_fixed(const struct read *r, const struct cell *cell, struct weir_view valid,
                          struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t type = weir_type_of(cell->type), width = weir_type_width(type);
    const struct weir_view view = r->op->state->column(r->state, r->side->table, cell->value);
    int32_t result = r->op->join.data->column(type, r->n, 0, 1, out, error);
    uint8_t *to;
    if (result != WEIR_OK) return result;
    to = (uint8_t *)(uintptr_t)out->buffers[1];
    for (uint32_t i = 0; i < r->n; i++) {
        const int there = is_there(r, valid, i);
        if (width) {
            if (there) memcpy(to + (uint64_t)i * width, at(view, r->numbers[i]), width);
            else memset(to + (uint64_t)i * width, 0, width);
        } else if (there && *at(view, r->numbers[i])) {
            to[i >> 3] |= (uint8_t)(1u << (i & 7));
        }
    }
    set_nulls(r, valid, out);
    return WEIR_OK;
}

static int32_t read_cell(const struct read *r, uint32_t number, struct ArrowArray *out,
                         struct weir_error *error);

/* Fields, put together; then null where the struct is. */
static int32_t read_struct(const struct read *r, const struct cell *cell, struct weir_view valid,
                           struct ArrowArray *out, struct weir_error *error)
{
    const struct join *join = &r->op->join;
    const uint32_t n = (uint32_t)cell->type->n_children;
    struct ArrowArray *fields = join->host->alloc(n * sizeof *fields + 1), whole = { 0 };
    uint32_t *rows = join->host->alloc((uint64_t)r->n * sizeof *rows + 4);
    int32_t result = fields && rows ? WEIR_OK : no_memory(error);
    if (fields) memset(fields, 0, n * sizeof *fields);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        result = read_cell(r, cell->first_child + i, &fields[i], error);
    if (result == WEIR_OK)
        result = array_of_columns(join->host, fields, n, r->n, &whole, error);
    else
        for (uint32_t i = 0; fields && i < n; i++)
            if (fields[i].release) fields[i].release(&fields[i]);
    for (uint32_t i = 0; i < r->n && result == WEIR_OK; i++)
        rows[i] = is_there(r, valid, i) ? i : JOIN_NONE;
    if (result == WEIR_OK)
        result = join->data->take(cell->type, &whole, rows, r->n, out, error);
    if (whole.release) whole.release(&whole);
    join->host->free(fields);
    join->host->free(rows);
    return result;
}

static int32_t read_cell(const struct read *r, uint32_t number, struct ArrowArray *out,
                         struct weir_error *error)
{
    const struct cell *cell = &r->side->cells.cells[number];
    const struct weir_view valid = r->op->state->column(r->state, r->side->table, cell->valid);
    switch (weir_type_of(cell->type)) {
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: return read_text(r, cell, valid, out, error);
    case WEIR_TYPE_LIST: return read_lists(r, cell, valid, out, error);
    case WEIR_TYPE_STRUCT: return read_struct(r, cell, valid, out, error);
    default: return read_fixed(r, cell, valid, out, error);
    }
}

int32_t cells_read(const struct join_op *op, uint32_t s, struct weir_state *state,
                   uint32_t column, const uint32_t *numbers, uint32_t n, struct ArrowArray *out,
                   struct weir_error *error)
{
    const struct side *side = &op->sides[s];
    const struct read r = { op, side, state, numbers, n };
    return read_cell(&r, (uint32_t)side->cells.of[column], out, error);
}
