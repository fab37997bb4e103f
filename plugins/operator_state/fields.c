/*
 * fields.c - see the header.
 */
#include "plugins/operator_state/fields.h"

#include "plugins/share/option.h"
#include "plugins/share/render.h"

#define CHILDREN_MAX 64

static int is_nested(const struct ArrowSchema *type)
{
    return weir_type_of(type) == WEIR_TYPE_LIST || weir_type_of(type) == WEIR_TYPE_STRUCT;
}

static uint32_t count_nodes(const struct ArrowSchema *type)
{
    uint32_t n = 1;
    for (int64_t i = 0; i < type->n_children; i++) n += count_nodes(type->children[i]);
    return n;
}

static int too_wide(const struct ArrowSchema *type)
{
    for (int64_t i = 0; i < type->n_children; i++)
        if (too_wide(type->children[i])) return 1;
    return type->n_children > CHILDREN_MAX;
}

static int32_t name_columns(struct fields *f, struct weir_error *error)
{
    uint64_t bytes = 1;
    for (uint32_t i = 0; i < f->n; i++) bytes += strlen(f->schema.children[i]->name) + 5;
    char *p = f->names = f->host->alloc(bytes);
    if (!p) return no_memory(error);
    for (uint32_t i = 0; i < f->n; i++)
        p += sprintf(p, "%s:set", f->schema.children[i]->name) + 1;
    return WEIR_OK;
}

static int32_t single_out(struct fields *f, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    f->alone = f->host->alloc(f->n * sizeof *f->alone + 1);
    if (!f->alone) return no_memory(error);
    memset(f->alone, 0, f->n * sizeof *f->alone);
    for (uint32_t i = 0; i < f->n && result == WEIR_OK; i++) {
        const struct ArrowSchema *field = f->schema.children[i];
        if (!is_nested(field)) continue;
        result = f->data->schema_struct(1, &f->alone[i], error);
        if (result != WEIR_OK) break;
        f->alone[i].children[0]->release(f->alone[i].children[0]);
        result = f->data->schema_copy(field, NULL, f->alone[i].children[0], error);
    }
    return result;
}

int32_t fields_init(struct fields *f, const struct weir_host *host, const char *ddl,
                    const char *option, struct weir_error *error)
{
    f->host = host;
    f->data = host->get_interface(WEIR_DATA_ID);
    f->state = host->get_interface(WEIR_STATE_ID);
    int32_t result = *ddl ? f->data->schema_parse(ddl, &f->schema, error)
                          : f->data->schema_struct(0, &f->schema, error);
    if (result != WEIR_OK) {
        if (error && !error->option[0]) snprintf(error->option, sizeof error->option, "%s", option);
        return result;
    }
    f->n = (uint32_t)f->schema.n_children;
    f->n_nodes = count_nodes(&f->schema) - 1;
    for (uint32_t i = 0; i < f->n; i++)
        if (too_wide(f->schema.children[i]) || strlen(f->schema.children[i]->name) > 240)
            return weir_fail_option(error, option, -1,
                                    "column \"%.60s\": a struct of state has at most %d fields, "
                                    "and a name at most 240 bytes",
                                    f->schema.children[i]->name, CHILDREN_MAX);
    result = name_columns(f, error);
    return result == WEIR_OK ? single_out(f, error) : result;
}

void fields_fini(struct fields *f)
{
    if (!f->host) return;
    for (uint32_t i = 0; f->alone && i < f->n; i++)
        if (f->alone[i].release) f->alone[i].release(&f->alone[i]);
    if (f->schema.release) f->schema.release(&f->schema);
    f->host->free(f->alone);
    f->host->free(f->names);
}

void fields_columns(const struct fields *f, struct weir_table_column *columns)
{
    const char *name = f->names;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct ArrowSchema *field = f->schema.children[i];
        columns[2 * i] = (struct weir_table_column){
            field->name, is_nested(field) ? WEIR_TYPE_UTF8 : weir_type_of(field), 0
        };
        columns[2 * i + 1] = (struct weir_table_column){ name, WEIR_TYPE_BOOL, 0 };
        name += strlen(name) + 1;
    }
}

int32_t fields_lane_init(struct fields_lane *l, const struct fields *f,
                         struct weir_context *context, struct weir_error *error)
{
    l->fields = f;
    l->views = f->host->alloc(f->n_nodes * sizeof *l->views + 1);
    if (!l->views) return no_memory(error);
    return output_init(&l->given, f->host, context, &f->schema, 0, error);
}

static void drop_parsed(struct fields_lane *l)
{
    if (l->parsed.release) l->parsed.release(&l->parsed);
}

void fields_lane_fini(struct fields_lane *l)
{
    if (!l->fields) return;
    drop_parsed(l);
    output_fini(&l->given);
    l->fields->host->free(l->views);
    l->fields->host->free(l->text.data);
}

/* ---- cells ---- */

static uint8_t *cell(const struct fields *f, struct weir_state *state, uint32_t column,
                     uint32_t slot)
{
    struct weir_view view = f->state->column(state, f->table, column);
    return view.base + (uint64_t)slot * view.stride;
}

static int is_set(const struct fields *f, struct weir_state *state, uint32_t i, uint32_t slot)
{
    return *cell(f, state, f->first + 2 * i + 1, slot);
}

/* Parses `n` JSON values, "[[v],[v]]" in lane->text, of a nested field. */
static int32_t parse(struct fields_lane *l, uint32_t i, struct weir_error *error)
{
    drop_parsed(l);
    return l->fields->data->rows_parse(&l->fields->alone[i], (const char *)l->text.data,
                                       l->text.length, &l->parsed, error);
}

static int32_t text_add(struct fields_lane *l, const void *bytes, uint64_t n)
{
    return render_bytes(l->fields->host, bytes, n, &l->text);
}

static int32_t parse_cell(struct fields_lane *l, struct weir_state *state, uint32_t i,
                          uint32_t slot, struct weir_error *error)
{
    const struct fields *f = l->fields;
    struct weir_bytes json = f->state->get(state, f->table, f->first + 2 * i, slot);
    l->text.length = 0;
    if (text_add(l, "[[", 2) != WEIR_OK || text_add(l, json.data, json.length) != WEIR_OK ||
        text_add(l, "]]", 2) != WEIR_OK)
        return no_memory(error);
    return parse(l, i, error);
}

/* ---- to Lua ---- */

static void push_cell(struct fields_lane *l, struct vm *vm, lua_State *L, struct weir_state *state,
                      uint32_t i, uint32_t slot)
{
    const struct fields *f = l->fields;
    const struct ArrowSchema *type = f->schema.children[i];
    const uint8_t *at = is_nested(type) ? NULL : cell(f, state, f->first + 2 * i, slot);
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_bytes bytes;
    int32_t narrow;
    int64_t wide;
    double number;
    switch (weir_type_of(type)) {
    case WEIR_TYPE_BOOL: lua_pushboolean(L, *at); break;
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE:
        memcpy(&narrow, at, sizeof narrow);
        lua_pushnumber(L, narrow);
        break;
    case WEIR_TYPE_FLOAT64:
        memcpy(&number, at, sizeof number);
        lua_pushnumber(L, number);
        break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        bytes = f->state->get(state, f->table, f->first + 2 * i, slot);
        lua_pushlstring(L, (const char *)bytes.data, bytes.length);
        break;
    case WEIR_TYPE_LIST:
    case WEIR_TYPE_STRUCT:
        if (parse_cell(l, state, i, slot, &error) != WEIR_OK) vm_no_memory(vm, L);
        value_push(vm, L, type, l->parsed.children[0], 0);
        break;
    default:
        memcpy(&wide, at, sizeof wide);
        vm_push_int(vm, L, wide);
    }
}

void fields_push(struct fields_lane *l, struct vm *vm, lua_State *L, struct weir_state *state,
                 uint32_t slot)
{
    const struct fields *f = l->fields;
    luaL_checkstack(L, 6, "state");
    lua_createtable(L, 0, (int)f->n);
    for (uint32_t i = 0; i < f->n; i++) {
        if (!is_set(f, state, i, slot)) continue;
        lua_pushstring(L, f->schema.children[i]->name);
        push_cell(l, vm, L, state, i, slot);
        lua_rawset(L, -3);
    }
}

void fields_take(struct fields_lane *l, struct vm *vm, lua_State *L, int index)
{
    const struct fields *f = l->fields;
    output_begin(&l->given, L);
    if (!lua_istable(L, index) && f->n == 1 && !lua_isnil(L, index)) {
        value_append(vm, L, index, &l->given.columns[0]);
        l->given.rows++;
        return;
    }
    if (!lua_istable(L, index))
        luaL_error(L, "state is a table by column name, and got a value of type %s",
                   lua_typename(L, lua_type(L, index)));
    output_row(&l->given, vm, L, index);
}

/* ---- to the table ---- */

/* A growing column as an array, for as long as the column is not touched. */
static struct ArrowArray *view_of(struct fields_lane *l, const struct column *c, uint32_t *next)
{
    struct view *v = &l->views[(*next)++];
    memset(&v->array, 0, sizeof v->array);
    v->buffers[0] = c->nulls ? c->valid : NULL;
    v->buffers[1] = c->values;
    v->buffers[2] = c->bytes;
    v->array.length = c->rows;
    v->array.null_count = c->nulls;
    v->array.buffers = v->buffers;
    v->array.n_buffers = c->type == WEIR_TYPE_STRUCT                                     ? 1
                         : c->type == WEIR_TYPE_UTF8 || c->type == WEIR_TYPE_BINARY ? 3
                                                                                    : 2;
    v->array.n_children = c->n_children;
    v->array.children = v->children;
    for (uint32_t i = 0; i < c->n_children; i++) v->children[i] = view_of(l, &c->children[i], next);
    return &v->array;
}

static int32_t put_text(struct fields_lane *l, struct weir_state *state, uint32_t slot, uint32_t i,
                        const struct ArrowArray *array, uint32_t row, struct weir_error *error)
{
    const struct fields *f = l->fields;
    const struct ArrowSchema *type = f->schema.children[i];
    struct weir_bytes bytes = { NULL, 0 };
    if (!weir_is_null(array, row) && !is_nested(type)) bytes = weir_get_bytes(array, row);
    if (!weir_is_null(array, row) && is_nested(type)) {
        l->text.length = 0;
        if (render_json(f->host, type, array, row, &l->text) != WEIR_OK) return no_memory(error);
        bytes = (struct weir_bytes){ l->text.data, l->text.length };
    }
    if (f->state->put(state, f->table, f->first + 2 * i, slot, bytes) == WEIR_OK) return WEIR_OK;
    return no_memory(error);
}

static void put_fixed(uint32_t type, const struct ArrowArray *array, uint32_t row, uint8_t *at)
{
    uint32_t width = weir_type_width(type);
    if (type == WEIR_TYPE_BOOL) *at = !weir_is_null(array, row) && weir_get_bool(array, row);
    else if (weir_is_null(array, row)) memset(at, 0, width);
    else memcpy(at, (const uint8_t *)array->buffers[1] + (uint64_t)row * width, width);
}

int32_t fields_put(struct fields_lane *l, struct weir_state *state, uint32_t slot, uint32_t i,
                   const struct ArrowArray *array, uint32_t row, struct weir_error *error)
{
    const struct fields *f = l->fields;
    uint32_t type = weir_type_of(f->schema.children[i]);
    *cell(f, state, f->first + 2 * i + 1, slot) = !weir_is_null(array, row);
    if (type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY || is_nested(f->schema.children[i]))
        return put_text(l, state, slot, i, array, row, error);
    put_fixed(type, array, row, cell(f, state, f->first + 2 * i, slot));
    return WEIR_OK;
}

int32_t fields_write(struct fields_lane *l, struct weir_state *state, uint32_t slot,
                     struct weir_error *error)
{
    int32_t result = WEIR_OK;
    uint32_t next = 0;
    for (uint32_t i = 0; i < l->fields->n && result == WEIR_OK; i++)
        result = fields_put(l, state, slot, i, view_of(l, &l->given.columns[i], &next), 0, error);
    return result;
}

static int same_cell(struct fields_lane *l, struct weir_state *state, uint32_t slot, uint32_t i,
                     const struct ArrowArray *array, int32_t *result)
{
    const struct fields *f = l->fields;
    const struct ArrowSchema *type = f->schema.children[i];
    uint32_t t = weir_type_of(type);
    uint8_t value[8] = { 0 };
    struct weir_bytes was, is = { NULL, 0 };
    if (is_set(f, state, i, slot) != !weir_is_null(array, 0)) return 0;
    if (weir_is_null(array, 0)) return 1;
    if (t != WEIR_TYPE_UTF8 && t != WEIR_TYPE_BINARY && !is_nested(type)) {
        put_fixed(t, array, 0, value);
        return memcmp(value, cell(f, state, f->first + 2 * i, slot),
                      t == WEIR_TYPE_BOOL ? 1 : weir_type_width(t)) == 0;
    }
    if (is_nested(type)) {
        l->text.length = 0;
        *result = render_json(f->host, type, array, 0, &l->text);
        is = (struct weir_bytes){ l->text.data, l->text.length };
    } else {
        is = weir_get_bytes(array, 0);
    }
    was = f->state->get(state, f->table, f->first + 2 * i, slot);
    return was.length == is.length && (!is.length || memcmp(was.data, is.data, is.length) == 0);
}

int fields_cell_is(struct fields_lane *l, struct weir_state *state, uint32_t slot, uint32_t i,
                   const struct ArrowArray *array, int32_t *result)
{
    *result = WEIR_OK;
    return same_cell(l, state, slot, i, array, result);
}

void fields_taken(struct fields_lane *l, const struct ArrowArray **out)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < l->fields->n; i++)
        out[i] = view_of(l, &l->given.columns[i], &next);
}

void fields_push_taken(struct fields_lane *l, struct vm *vm, lua_State *L)
{
    const struct fields *f = l->fields;
    uint32_t next = 0;
    luaL_checkstack(L, 6, "state");
    lua_createtable(L, 0, (int)f->n);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct ArrowArray *array = view_of(l, &l->given.columns[i], &next);
        if (weir_is_null(array, 0)) continue;
        lua_pushstring(L, f->schema.children[i]->name);
        value_push(vm, L, f->schema.children[i], array, 0);
        lua_rawset(L, -3);
    }
}

int fields_same(struct fields_lane *l, struct weir_state *state, uint32_t slot, int32_t *result)
{
    uint32_t next = 0;
    *result = WEIR_OK;
    for (uint32_t i = 0; i < l->fields->n; i++)
        if (!same_cell(l, state, slot, i, view_of(l, &l->given.columns[i], &next), result) ||
            *result != WEIR_OK)
            return 0;
    return 1;
}

/* ---- to arrays ---- */

static int32_t nested_array(struct fields_lane *l, struct weir_state *state, uint32_t i,
                            const uint32_t *slots, uint32_t n, struct ArrowArray *out,
                            struct weir_error *error)
{
    const struct fields *f = l->fields;
    l->text.length = 0;
    int32_t result = text_add(l, "[", 1);
    for (uint32_t k = 0; k < n && result == WEIR_OK; k++) {
        struct weir_bytes json = f->state->get(state, f->table, f->first + 2 * i, slots[k]);
        if (!is_set(f, state, i, slots[k])) json = (struct weir_bytes){ (const uint8_t *)"null", 4 };
        result = text_add(l, k ? ",[" : "[", k ? 2 : 1);
        if (result == WEIR_OK) result = text_add(l, json.data, json.length);
        if (result == WEIR_OK) result = text_add(l, "]", 1);
    }
    if (result == WEIR_OK) result = text_add(l, "]", 1);
    if (result != WEIR_OK) return no_memory(error);
    result = parse(l, i, error);
    if (result != WEIR_OK) return WEIR_FATAL;
    *out = *l->parsed.children[0]; /* moved */
    l->parsed.children[0]->release = NULL;
    drop_parsed(l);
    return WEIR_OK;
}

static int add_cell(const struct fields *f, struct weir_state *state, uint32_t i, uint32_t slot,
                    struct column *column)
{
    const uint8_t *at;
    int32_t narrow;
    int64_t wide;
    double number;
    struct weir_bytes bytes;
    if (!is_set(f, state, i, slot)) return column_add_null(column);
    if (column->type == WEIR_TYPE_UTF8 || column->type == WEIR_TYPE_BINARY) {
        bytes = f->state->get(state, f->table, f->first + 2 * i, slot);
        return column_add_bytes(column, bytes.data, bytes.length);
    }
    at = cell(f, state, f->first + 2 * i, slot);
    switch (column->type) {
    case WEIR_TYPE_BOOL: return column_add_bool(column, *at);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: memcpy(&narrow, at, 4); return column_add_int(column, narrow);
    case WEIR_TYPE_FLOAT64: memcpy(&number, at, 8); return column_add_float(column, number);
    default: memcpy(&wide, at, 8); return column_add_int(column, wide);
    }
}

int32_t fields_array(struct fields_lane *l, struct weir_state *state, uint32_t i,
                     const uint32_t *slots, uint32_t n, struct ArrowArray *out,
                     struct weir_error *error)
{
    const struct fields *f = l->fields;
    struct column column;
    memset(out, 0, sizeof *out);
    if (is_nested(f->schema.children[i]))
        return nested_array(l, state, i, slots, n, out, error);
    memset(&column, 0, sizeof column);
    int32_t result = column_init(&column, f->host, f->schema.children[i], 0, error);
    for (uint32_t k = 0; k < n && result == WEIR_OK; k++)
        if (!add_cell(f, state, i, slots[k], &column)) result = no_memory(error);
    if (result == WEIR_OK) result = column_finish(&column, out, error);
    column_free(&column);
    return result;
}
