/*
 * call.c - one call of the job author's function: its arguments, S, what it gives.
 *
 * S holds lane->call. `update` converts the new state at once, so that a mistake is told where it
 * was made, and keeps it aside, a copy which `get` gives from then on; the operator writes it once the
 * call has succeeded. A call that fails leaves the state as it was.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

static struct lane *lane_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static const char mark[] = "weir"; /* of metatables of objects */

struct lane *call_method(lua_State *L)
{
    int object = 0;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)mark);
        lua_rawget(L, -2);
        object = !lua_isnil(L, -1);
        lua_pop(L, 2);
    }
    if (object) lua_remove(L, 1);
    return lane_of(L);
}

void call_add_method(lua_State *L, struct lane *l, const char *name, lua_CFunction function)
{
    lua_pushlightuserdata(L, l);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

static int itself(lua_State *L)
{
    lua_settop(L, 1);
    return 1;
}

static int refuse_writing(lua_State *L)
{
    return luaL_error(L, "this is no table to write to: S.update(table) sets the state");
}

void call_make_object(lua_State *L)
{
    lua_createtable(L, 0, 4);
    lua_pushlightuserdata(L, (void *)(uintptr_t)mark);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pushcfunction(L, refuse_writing);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, itself);
    lua_setfield(L, -2, "__call");
    lua_pushliteral(L, "S");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* ---- S ---- */

static int64_t after(lua_State *L, int64_t from_us, double ms)
{
    if (!(ms > 0)) luaL_error(L, "milliseconds must be more than 0");
    if (ms > 1e15) luaL_error(L, "%f milliseconds are too many", ms);
    return from_us + (int64_t)(ms * 1000.0);
}

static int S_get(lua_State *L)
{
    struct lane *l = call_method(L);
    const struct call *c = &l->call;
    if (!c->exists) lua_pushnil(L);
    else if (c->updated) fields_push_taken(&l->fields, l->vm, L);
    else fields_push(&l->fields, l->vm, L, l->state, c->slot);
    return 1;
}

static void refuse_changes(lua_State *L, const struct lane *l, const char *what)
{
    if (l->op->kind != KIND_MAPPED) return;
    if (l->call.timing_out)
        luaL_error(L, "%s: the state is timing out, and goes after this call anyway", what);
    if (l->call.removed) luaL_error(L, "%s: the state was removed in this call", what);
}

/* The value alone of a state with one column becomes the table that `get` gives. */
static void as_table(lua_State *L, const struct fields *f, int index)
{
    if (lua_istable(L, index) || f->n != 1 || lua_isnil(L, index)) return;
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, f->schema.children[0]->name);
    lua_replace(L, index);
}

static int S_update(lua_State *L)
{
    struct lane *l = call_method(L);
    struct fields_lane before;
    refuse_changes(L, l, "update");
    lua_settop(L, 2);
    if (l->op->kind == KIND_STATEFUL) l->call.timeout_us = call_expiry(l, L, 2);
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) luaL_error(L, "update(nil): a state is removed by `remove`");
    as_table(L, &l->op->fields, 1);
    fields_take(&l->spare, l->vm, L, 1); /* an error leaves what an update before it has taken */
    before = l->fields;
    l->fields = l->spare;
    l->spare = before;
    l->call.exists = l->call.updated = 1;
    l->call.removed = 0;
    return 0;
}

int64_t call_expiry(struct lane *l, lua_State *L, int index)
{
    if (lua_isnoneornil(L, index)) {
        if (l->op->timeout_us <= 0) return NO_TIMEOUT;
        return after(L, l->begin.time_us, (double)l->op->timeout_us / 1000.0);
    }
    if (lua_type(L, index) != LUA_TNUMBER) luaL_error(L, "a time to live is in milliseconds");
    return after(L, l->begin.time_us, lua_tonumber(L, index));
}

static int S_remove(lua_State *L)
{
    struct lane *l = call_method(L);
    refuse_changes(L, l, "remove");
    l->call.exists = l->call.updated = 0;
    l->call.removed = 1;
    return 0;
}

static int S_set_timeout(lua_State *L)
{
    struct lane *l = call_method(L);
    struct call *c = &l->call;
    int64_t at;
    if (l->op->kind != KIND_GROUPED || l->op->clock == CLOCK_NONE)
        luaL_error(L, "set_timeout: option `timeout` says that there are none");
    if (l->op->clock == CLOCK_PROCESSING) {
        if (lua_type(L, 1) != LUA_TNUMBER)
            luaL_error(L, "set_timeout: with processing time it takes milliseconds from now");
        c->timeout_us = after(L, l->begin.time_us, lua_tonumber(L, 1));
        return 0;
    }
    if (!vm_to_int(l->vm, L, 1, &at))
        luaL_error(L, "set_timeout: with event time it takes a timestamp (microseconds)");
    if (l->begin.evict_us != WEIR_WATERMARK_NONE && at < l->begin.evict_us)
        luaL_error(L, "set_timeout: the timestamp is before the watermark");
    if (at >= INT64_MAX - 1) luaL_error(L, "set_timeout: the timestamp is too large");
    c->timeout_us = at;
    return 0;
}

/* S.exists, S.timing_out; both may be called. Upvalues: lane, methods. */
static int S_index(lua_State *L)
{
    struct lane *l = lane_of(L);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(name, "exists") == 0) {
        lua_pushboolean(L, l->call.exists);
    } else if (strcmp(name, "timing_out") == 0) {
        if (l->call.timing_out && *l->call.timing_out) lua_pushstring(L, l->call.timing_out);
        else lua_pushboolean(L, l->call.timing_out != NULL);
    } else {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
        if (lua_isnil(L, -1)) luaL_error(L, "S has no \"%s\"", name);
    }
    return 1;
}

static int S_exists(lua_State *L)
{
    lua_pushboolean(L, call_method(L)->call.exists);
    return 1;
}

static void add_value_methods(lua_State *L, struct lane *l)
{
    call_add_method(L, l, "get", S_get);
    call_add_method(L, l, "update", S_update);
    call_add_method(L, l, "remove", S_remove);
}

static void make_S(struct lane *l, lua_State *L)
{
    lua_newtable(L);
    call_make_object(L);
    lua_getmetatable(L, -1);
    lua_pushlightuserdata(L, l);
    lua_newtable(L);
    add_value_methods(L, l);
    if (l->op->kind == KIND_GROUPED) call_add_method(L, l, "set_timeout", S_set_timeout);
    if (l->op->kind == KIND_STATEFUL) {
        lua_newtable(L);
        add_value_methods(L, l);
        call_add_method(L, l, "exists", S_exists);
        call_make_object(L);
        lua_setfield(L, -2, "value");
        collections_add_methods(l, L);
    }
    lua_pushcclosure(L, S_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    l->S = luaL_ref(L, LUA_REGISTRYINDEX);
}

void call_push_S(struct lane *l, lua_State *L)
{
    if (l->S > 0) lua_rawgeti(L, LUA_REGISTRYINDEX, l->S);
    else make_S(l, L);
}

/* ---- arguments ---- */

static void push_key(struct lane *l, lua_State *L)
{
    const struct state_operator *op = l->op;
    const struct call *c = &l->call;
    if (op->n_by == 1) {
        value_push(l->vm, L, op->key.children[0], c->keys[0], c->key_row);
        return;
    }
    lua_createtable(L, (int)op->n_by, (int)op->n_by);
    for (uint32_t i = 0; i < op->n_by; i++) {
        value_push(l->vm, L, op->key.children[i], c->keys[i], c->key_row);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (int)i + 1);
        lua_setfield(L, -2, op->by[i].name);
    }
}

static void push_row(struct lane *l, lua_State *L, const struct weir_chunk *chunk, uint32_t row)
{
    struct ArrowArray input = *chunk->array; /* the input's columns lie behind the key */
    input.children += l->op->n_by;
    input.n_children -= l->op->n_by;
    value_push_row(l->vm, L, l->op->input, &input, row);
}

static void push_rows(struct lane *l, lua_State *L)
{
    const struct call *c = &l->call;
    int n = 0;
    if (l->op->kind == KIND_MAPPED) {
        if (c->chunk) push_row(l, L, c->chunk, c->row);
        else lua_pushnil(L);
        return;
    }
    lua_createtable(L, (int)c->n_rows, 0);
    for (uint32_t at = c->rows; at != UINT32_MAX; at = l->grouping.rows[at].next) {
        push_row(l, L, l->grouping.rows[at].chunk, l->grouping.rows[at].row);
        lua_rawseti(L, -2, ++n);
    }
}

/* update_state_by_key: the state itself, and the new one as the result. */
static void take_state(struct lane *l, lua_State *L, int index)
{
    if (lua_isnil(L, index)) {
        l->call.removed = 1;
        l->call.exists = 0;
        return;
    }
    as_table(L, &l->op->fields, index);
    fields_take(&l->fields, l->vm, L, index);
    l->call.exists = l->call.updated = 1;
}

static int body(lua_State *L)
{
    struct lane *l = lua_touserdata(L, 1);
    luaL_checkstack(L, 20, "a call");
    if (l->op->kind != KIND_UPDATE) {
        output_begin(&l->out, L);
        call_push_S(l, L); /* made once, also where the call does not get to it */
    }
    vm_push_function(l->vm, L);
    push_key(l, L);
    push_rows(l, L);
    if (l->op->kind != KIND_UPDATE) call_push_S(l, L);
    else if (l->call.exists) fields_push(&l->fields, l->vm, L, l->state, l->call.slot);
    else lua_pushnil(L);
    batch_push(&l->batch, l->vm, L);
    vm_call(l->vm, L, 4);
    if (l->op->kind == KIND_UPDATE) take_state(l, L, lua_gettop(L));
    else output_rows(&l->out, l->vm, L, lua_gettop(L));
    return 0;
}

static int32_t need_vm(struct lane *l, struct weir_error *error)
{
    if (l->vm) return WEIR_OK;
    int32_t result = vm_create(&l->op->script, l->context, &l->vm, error);
    return result == WEIR_CONFIG ? WEIR_FATAL : result;
}

/* A body that begins again finds the call as it was. */
static int restartable(lua_State *L)
{
    struct lane *l = lua_touserdata(L, 1);
    l->call = l->before;
    return body(L);
}

/* OK; DATA with `text`; another class with `error`. */
static int32_t call_run(struct lane *l, char *text, struct weir_error *error)
{
    int32_t result = need_vm(l, error);
    if (result != WEIR_OK) return result;
    l->before = l->call;
    result = vm_run(l->vm, restartable, l, l->call.n_rows, text);
    if (result == WEIR_OK) {
        output_keep(&l->out);
        return output_full(&l->out) ? output_flush(&l->out, error) : WEIR_OK;
    }
    l->call = l->before;
    if (l->out.failed != WEIR_OK)
        return weir_fail(error, l->out.failed, "%s", l->out.error.text);
    if (l->op->kind != KIND_UPDATE) output_drop(&l->out);
    return result == WEIR_DATA ? WEIR_DATA : weir_fail(error, result, "%s", text);
}

/* Behind the exchange the columns of the key stand in front of the row, which is rejected as it
 * came in. */
static int32_t reject_row(struct lane *l, const struct weir_chunk *chunk, uint32_t row,
                          const char *text, struct weir_error *error)
{
    const uint32_t n = l->op->n_by;
    struct ArrowSchema schema = *chunk->schema;
    struct ArrowArray array = *chunk->array;
    struct weir_chunk input = { .size = sizeof input, .rows = chunk->rows,
                                .selected = chunk->rows, .schema = &schema, .array = &array };
    schema.children += n;
    schema.n_children -= n;
    array.children += n;
    array.n_children -= n;
    return l->op->host->reject(l->context, &input, row, WEIR_REJECT_OPERATOR, text, error);
}

/* The call has failed: none of its rows can be used. */
static int32_t reject_rows(struct lane *l, const char *text, struct weir_error *error)
{
    const struct call *c = &l->call;
    int32_t result = WEIR_OK;
    if (c->chunk) return reject_row(l, c->chunk, c->row, text, error);
    for (uint32_t at = c->rows; at != UINT32_MAX && result == WEIR_OK;
         at = l->grouping.rows[at].next)
        result = reject_row(l, l->grouping.rows[at].chunk, l->grouping.rows[at].row, text, error);
    return result;
}

int32_t call_or_reject(struct lane *l, int *done, struct weir_error *error)
{
    char text[VM_TEXT];
    int32_t result = call_run(l, text, error);
    *done = result == WEIR_OK;
    if (result != WEIR_DATA || error->error_class != WEIR_OK) return result;
    if (!l->call.chunk && l->call.rows == UINT32_MAX)
        return weir_fail(error, WEIR_DATA, "%s (a call without rows: there is none to reject)",
                         text);
    if (l->vm->once)
        return weir_fail(error, WEIR_DATA,
                         "%s (behind a change of a list, map or timer, which can't be taken back)",
                         text);
    return reject_rows(l, text, error);
}

int32_t call_settle(struct lane *l, struct weir_error *error)
{
    return l->vm ? vm_settle(l->vm, error) : WEIR_OK;
}

int32_t call_slot(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    struct call *c = &l->call;
    if (c->slot != WEIR_NO_SLOT) {
        if (op->state->touch(l->state, op->fields.table, &c->slot, 1) == WEIR_OK) return WEIR_OK;
        return no_memory(error);
    }
    return op->state->lookup_or_insert(l->state, op->fields.table, c->keys, NULL, &c->key_row, 1,
                                       &c->slot, error);
}
