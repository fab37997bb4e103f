/*
 * output.c - see the header.
 *
 * The rows of one call come out whole or not at all. Where they are more than a chunk holds, all of
 * them are looked at first and then made once more, chunk by chunk.
 */
#include "plugins/lua/output.h"

#include "plugins/share/option.h"

#define BYTES_MAX (8u << 20)

int32_t output_init(struct output *out, const struct weir_host *host, struct weir_context *lane,
                    const struct ArrowSchema *schema, uint32_t number, struct weir_error *error)
{
    uint64_t n = (uint64_t)schema->n_children;
    out->host = host;
    out->lane = lane;
    out->number = number;
    weir_error_init(&out->error);
    out->columns = host->alloc(n * sizeof *out->columns + 1);
    if (!out->columns) return no_memory(error);
    memset(out->columns, 0, n * sizeof *out->columns);
    out->n_columns = (uint32_t)n;
    for (uint32_t c = 0; c < n; c++) {
        int32_t result = column_init(&out->columns[c], host, schema->children[c], 0, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

void output_fini(struct output *out)
{
    if (!out->columns) return;
    for (uint32_t c = 0; c < out->n_columns; c++) column_free(&out->columns[c]);
    out->host->free(out->columns);
    out->columns = NULL;
}

/* A row that was begun may have left items and fields behind in nested columns. */
static void truncate_whole(struct column *column, uint32_t rows)
{
    uint32_t items = rows;
    column_truncate(column, rows);
    if (column->type == WEIR_TYPE_LIST)
        items = column->values ? (uint32_t)((const int32_t *)(void *)column->values)[rows] : 0;
    for (uint32_t i = 0; i < column->n_children; i++) truncate_whole(&column->children[i], items);
}

void output_drop(struct output *out)
{
    for (uint32_t c = 0; c < out->n_columns; c++) truncate_whole(&out->columns[c], out->kept);
    out->rows = out->kept;
}

int output_full(const struct output *out)
{
    uint64_t bytes = 0;
    if (out->rows >= WEIR_CHUNK_TARGET_ROWS) return 1;
    for (uint32_t c = 0; c < out->n_columns; c++) bytes += column_bytes(&out->columns[c]);
    return bytes >= BYTES_MAX;
}

static int32_t finish(struct output *out, struct ArrowArray *arrays, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t c = 0; c < out->n_columns; c++) {
        memset(&arrays[c], 0, sizeof arrays[c]);
        if (result == WEIR_OK) result = column_finish(&out->columns[c], &arrays[c], error);
    }
    for (uint32_t c = 0; c < out->n_columns && result != WEIR_OK; c++)
        if (arrays[c].release) arrays[c].release(&arrays[c]);
    return result;
}

int32_t output_flush(struct output *out, struct weir_error *error)
{
    uint32_t n = out->n_columns;
    if (out->rows == 0) return WEIR_OK;
    struct ArrowArray *arrays =
        out->host->alloc(n * (sizeof *arrays + sizeof(struct weir_output_column)) + 1);
    if (!arrays) return no_memory(error);
    struct weir_output_column *columns = (struct weir_output_column *)(void *)(arrays + n);
    int32_t result = finish(out, arrays, error);
    for (uint32_t c = 0; c < n; c++)
        columns[c] = (struct weir_output_column){ -1, 0, &arrays[c] };
    struct weir_emission emission = { .size = sizeof emission, .output = out->number,
                                      .columns = columns, .n_columns = n, .rows = out->rows };
    out->rows = out->kept = 0;
    if (result == WEIR_OK) result = out->host->emit(out->lane, &emission, error);
    out->host->free(arrays);
    return result;
}

void output_begin(struct output *out, lua_State *L)
{
    if (out->failed != WEIR_OK) luaL_error(L, "rows could not be given on");
    output_drop(out);
}

void output_row(struct output *out, struct vm *vm, lua_State *L, int index)
{
    if (!lua_istable(L, index))
        luaL_error(L, "a row is a table by column name, and got a value of type %s",
                   lua_typename(L, lua_type(L, index)));
    value_append_row(vm, L, index, out->columns, out->n_columns, out->also);
    out->rows++;
}

/* Rows i … n of the array at `index`, until the output is full. Returns the next one. */
static int append_some(struct output *out, struct vm *vm, lua_State *L, int index, int i, int n)
{
    for (; i <= n && !output_full(out); i++) {
        lua_rawgeti(L, index, i);
        output_row(out, vm, L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return i;
}

static void flush_inside(struct output *out, lua_State *L)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result = output_flush(out, &error);
    if (result == WEIR_OK) return;
    out->failed = result;
    out->error = error;
    luaL_error(L, "rows could not be given on");
}

static void many_rows(struct output *out, struct vm *vm, lua_State *L, int index, int n)
{
    int i = append_some(out, vm, L, index, 1, n);
    if (i > n) return;
    while (i <= n) {
        output_drop(out);
        if (output_full(out)) flush_inside(out, L);
        i = append_some(out, vm, L, index, i, n);
    }
    output_drop(out);
    vm_once(vm);
    out->failed = WEIR_FATAL; /* unless all of them follow */
    weir_fail(&out->error, WEIR_FATAL, "a Lua state without memory in the middle of a result");
    for (i = 1; i <= n;) {
        if (output_full(out)) flush_inside(out, L);
        i = append_some(out, vm, L, index, i, n);
    }
    out->failed = WEIR_OK;
    weir_error_init(&out->error);
}

/* One row: a table without member 1 that has members. */
static int is_row(lua_State *L, int index)
{
    lua_rawgeti(L, index, 1);
    int first = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (first) return 0;
    lua_pushnil(L);
    if (!lua_next(L, index)) return 0;
    lua_pop(L, 2);
    return 1;
}

void output_rows(struct output *out, struct vm *vm, lua_State *L, int index)
{
    if (lua_isnil(L, index)) return;
    if (!lua_istable(L, index))
        luaL_error(L, "rows are an array of tables, and got a value of type %s",
                   lua_typename(L, lua_type(L, index)));
    if (is_row(L, index)) output_row(out, vm, L, index);
    else many_rows(out, vm, L, index, (int)lua_objlen(L, index));
}
