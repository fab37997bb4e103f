/*
 * value.c - see the header.
 */
#include "plugins/lua/value.h"

#include "plugins/share/text.h"

static void push_list(struct vm *vm, lua_State *L, const struct ArrowSchema *type,
                      const struct ArrowArray *array, uint32_t row)
{
    const int32_t *offsets = array->buffers[1];
    int32_t from = offsets[row], n = offsets[row + 1] - from, nulls = 0;
    luaL_checkstack(L, 6, "a value that is nested too deep");
    lua_createtable(L, n, 0);
    for (int32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)(from + i);
        if (weir_is_null(array->children[0], at)) nulls++;
        value_push(vm, L, type->children[0], array->children[0], at);
        lua_rawseti(L, -2, i + 1);
    }
    if (!nulls) return;
    lua_pushnumber(L, n);
    lua_setfield(L, -2, "n");
}

void value_push_row(struct vm *vm, lua_State *L, const struct ArrowSchema *schema,
                    const struct ArrowArray *array, uint32_t row)
{
    luaL_checkstack(L, 6, "a value that is nested too deep");
    lua_createtable(L, 0, (int)schema->n_children);
    for (int64_t c = 0; c < schema->n_children; c++) {
        if (weir_is_null(array->children[c], row)) continue;
        lua_pushstring(L, schema->children[c]->name);
        value_push(vm, L, schema->children[c], array->children[c], row);
        lua_rawset(L, -3);
    }
}

void value_push(struct vm *vm, lua_State *L, const struct ArrowSchema *type,
                const struct ArrowArray *array, uint32_t row)
{
    struct weir_bytes bytes;
    if (weir_is_null(array, row)) {
        lua_pushnil(L);
        return;
    }
    switch (weir_type_of(type)) {
    case WEIR_TYPE_BOOL: lua_pushboolean(L, weir_get_bool(array, row)); break;
    case WEIR_TYPE_DATE:
    case WEIR_TYPE_INT32: lua_pushnumber(L, weir_get_int32(array, row)); break;
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_INT64: vm_push_int(vm, L, weir_get_int64(array, row)); break;
    case WEIR_TYPE_FLOAT64: lua_pushnumber(L, weir_get_float64(array, row)); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
        bytes = weir_get_bytes(array, row);
        lua_pushlstring(L, (const char *)bytes.data, bytes.length);
        break;
    case WEIR_TYPE_LIST: push_list(vm, L, type, array, row); break;
    case WEIR_TYPE_STRUCT: value_push_row(vm, L, type, array, row); break;
    default: luaL_error(L, "a value of a type that Lua code can't have");
    }
}

/* ---- back ---- */

static const char *type_word(uint32_t type)
{
    static const char *const words[] = { "unknown", "bool",   "int32",     "int64", "float64", "string",
                                         "binary",  "timestamp", "date",   "list",  "struct" };
    return type < sizeof words / sizeof *words ? words[type] : words[0];
}

static void refuse(lua_State *L, int index, const struct column *column)
{
    const char *got = lua_typename(L, lua_type(L, index));
    if (lua_type(L, index) == LUA_TNUMBER && column->type != WEIR_TYPE_UTF8 &&
        column->type != WEIR_TYPE_BINARY && column->type != WEIR_TYPE_STRUCT &&
        column->type != WEIR_TYPE_LIST && column->type != WEIR_TYPE_BOOL)
        luaL_error(L, "column \"%s\" is %s: the number does not fit", column->name,
                   type_word(column->type));
    luaL_error(L, "column \"%s\" is %s, and got a value of type %s", column->name,
               type_word(column->type), got);
}

static void append_int(struct vm *vm, lua_State *L, int index, struct column *column)
{
    int64_t value;
    if (!vm_to_int(vm, L, index, &value)) refuse(L, index, column);
    switch (column->type) {
    case WEIR_TYPE_INT32:
        if (value != (int32_t)value) refuse(L, index, column);
        break;
    case WEIR_TYPE_DATE:
        if (value < -719162 || value > 2932896) refuse(L, index, column);
        break;
    case WEIR_TYPE_TIMESTAMP:
        if (!timestamp_in_range(value)) refuse(L, index, column);
        break;
    default: break;
    }
    if (!column_add_int(column, value)) vm_no_memory(vm, L);
}

static void append_float(struct vm *vm, lua_State *L, int index, struct column *column)
{
    double value;
    int64_t whole;
    if (lua_type(L, index) == LUA_TNUMBER) value = lua_tonumber(L, index);
    else if (vm_to_int(vm, L, index, &whole)) value = (double)whole;
    else {
        refuse(L, index, column);
        return;
    }
    if (!column_add_float(column, value)) vm_no_memory(vm, L);
}

static void append_bytes(struct vm *vm, lua_State *L, int index, struct column *column)
{
    size_t n;
    if (lua_type(L, index) != LUA_TSTRING) refuse(L, index, column);
    const char *text = lua_tolstring(L, index, &n);
    if (column->type == WEIR_TYPE_UTF8 && !utf8_ok((const uint8_t *)text, n))
        luaL_error(L, "column \"%s\" is string, and got bytes that are not UTF-8", column->name);
    if (!column_add_bytes(column, text, n)) vm_no_memory(vm, L);
}

static int list_length(lua_State *L, int index)
{
    int n = (int)lua_objlen(L, index);
    lua_pushliteral(L, "n");
    lua_rawget(L, index);
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 0 &&
        lua_tonumber(L, -1) < INT32_MAX)
        n = (int)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return n;
}

static void append_list(struct vm *vm, lua_State *L, int index, struct column *column)
{
    if (!lua_istable(L, index)) refuse(L, index, column);
    luaL_checkstack(L, 6, "a value that is nested too deep");
    int n = list_length(L, index);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        value_append(vm, L, lua_gettop(L), column->children);
        lua_pop(L, 1);
    }
    if (!column_add_valid(column)) vm_no_memory(vm, L);
}

void value_append(struct vm *vm, lua_State *L, int index, struct column *column)
{
    if (lua_isnil(L, index)) {
        if (column->not_null)
            luaL_error(L, "column \"%s\" is not null, and got nil", column->name);
        if (!column_add_null(column)) vm_no_memory(vm, L);
        return;
    }
    switch (column->type) {
    case WEIR_TYPE_BOOL:
        if (!lua_isboolean(L, index)) refuse(L, index, column);
        if (!column_add_bool(column, lua_toboolean(L, index))) vm_no_memory(vm, L);
        break;
    case WEIR_TYPE_FLOAT64: append_float(vm, L, index, column); break;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: append_bytes(vm, L, index, column); break;
    case WEIR_TYPE_LIST: append_list(vm, L, index, column); break;
    case WEIR_TYPE_STRUCT:
        if (!lua_istable(L, index)) refuse(L, index, column);
        value_append_row(vm, L, index, column->children, column->n_children, NULL);
        if (!column_add_valid(column)) vm_no_memory(vm, L);
        break;
    default: append_int(vm, L, index, column);
    }
}

/* Names a member of the row that is no column. */
static void find_stranger(lua_State *L, int index, const struct column *columns, uint32_t n,
                          const struct ArrowSchema *also)
{
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "a row has columns by name, and got a member with a key of type %s",
                       lua_typename(L, lua_type(L, -1)));
        const char *name = lua_tostring(L, -1);
        uint32_t c = 0;
        while (c < n && strcmp(columns[c].name, name) != 0) c++;
        if (c == n && (!also || weir_column_index(also, name) < 0))
            luaL_error(L, "there is no column \"%s\" in the result; the first is \"%s\"", name,
                       n ? columns[0].name : "");
    }
}

void value_append_row(struct vm *vm, lua_State *L, int index, struct column *columns, uint32_t n,
                      const struct ArrowSchema *also)
{
    uint32_t found = 0, members = 0;
    luaL_checkstack(L, 6, "a value that is nested too deep");
    for (uint32_t c = 0; c < n; c++) {
        lua_pushstring(L, columns[c].name);
        lua_rawget(L, index);
        if (!lua_isnil(L, -1)) found++;
        value_append(vm, L, lua_gettop(L), &columns[c]);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        members++;
    }
    if (members > found) find_stranger(L, index, columns, n, also);
}
