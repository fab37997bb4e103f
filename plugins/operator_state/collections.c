/*
 * collections.c - lists, maps and timers of `stateful`.
 *
 *   "list:NAME"  rows   key → items in order, each with the time at which it expires
 *   "map:NAME"   table  key, map key → value, and the time at which it expires
 *   "keys:NAME"  rows   key → the keys of the map, in the order in which they came, for going
 *                       through it; an entry goes from both
 *   "timers"     table  key, name → when it fires
 *
 * Whatever has expired is removed when a batch begins in its group.
 */
#include "plugins/operator_state/state.h"

#include "plugins/share/option.h"

#define COLLECTIONS_MAX 16u
#define SOME 256u

struct collection {
    int is_map;
    const char *name;          /* valid with the instance */
    struct fields fields;      /* of an item or value; its table */
    struct fields entry;       /* map: its key; the table "keys:NAME" */
    struct ArrowSchema key;    /* map: key columns and map key */
};

struct collections {
    struct collection list[COLLECTIONS_MAX];
    uint32_t n, timers;
    struct ArrowSchema timer_key;
    struct fields timer_name;  /* not kept: how a name becomes an array */
};

struct collections_lane {
    struct fields_lane items[COLLECTIONS_MAX], entries[COLLECTIONS_MAX], name;
    struct ArrowArray map_key;  /* of an expired entry, else released */
    struct weir_buffer timer;   /* the name of the one that fires */
};

/* ---- bind ---- */

/* The key columns and one more. */
static int32_t longer_key(struct state_operator *op, const struct ArrowSchema *more,
                          const char *name, struct ArrowSchema *out, struct weir_error *error)
{
    int32_t result = op->data->schema_struct(op->n_by + 1, out, error);
    for (uint32_t i = 0; i <= op->n_by && result == WEIR_OK; i++) {
        out->children[i]->release(out->children[i]);
        result = op->data->schema_copy(i < op->n_by ? op->key.children[i] : more,
                                       i < op->n_by ? NULL : name, out->children[i], error);
    }
    return result;
}

static int32_t declare(struct state_operator *op, const char *prefix, const char *name,
                       uint32_t kind, const struct ArrowSchema *key, struct fields *fields,
                       struct weir_error *error)
{
    struct weir_table_column columns[1 + 2 * FIELDS_MAX];
    char table[260];
    snprintf(table, sizeof table, "%s:%s", prefix, name);
    fields->first = strcmp(prefix, "keys") == 0 ? 0 : 1;
    columns[0] = (struct weir_table_column){ "expires", WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER };
    fields_columns(fields, columns + fields->first);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = kind, .name = table, .key = key,
                                    .n_distribution = op->n_by,
                                    .n_columns = fields->first + 2 * fields->n,
                                    .columns = columns, .version = 1, .signature = "" };
    return op->state->declare(op->context, &spec, &fields->table, error);
}

static int32_t next_collection(struct state_operator *op, const struct weir_value *value,
                               const char *option, struct collection **out,
                               struct weir_error *error)
{
    struct collections *all = op->collections;
    if (all->n == COLLECTIONS_MAX)
        return weir_fail_option(error, option, -1, "%u lists and maps are the most",
                                COLLECTIONS_MAX);
    if (strlen(value->key) > 200)
        return weir_fail_option(error, option, -1, "the name is longer than 200 bytes");
    *out = &all->list[all->n++];
    (*out)->name = value->key;
    return WEIR_OK;
}

static int32_t bind_lists(struct state_operator *op, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; op->host->option_item(op->context, "lists", i, &value) == WEIR_OK; i++) {
        struct collection *c;
        char option[80];
        snprintf(option, sizeof option, "lists.%.60s", value.key);
        int32_t result = next_collection(op, &value, option, &c, error);
        if (result == WEIR_OK)
            result = fields_init(&c->fields, op->host, value.text, option, error);
        if (result == WEIR_OK)
            result = declare(op, "list", c->name, WEIR_ROWS, &op->key, &c->fields, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static int is_map_key(uint32_t type)
{
    return type == WEIR_TYPE_BOOL || type == WEIR_TYPE_INT32 || type == WEIR_TYPE_INT64 ||
           type == WEIR_TYPE_UTF8 || type == WEIR_TYPE_BINARY || type == WEIR_TYPE_TIMESTAMP ||
           type == WEIR_TYPE_DATE;
}

#define MAP_FORM "a map is \"key type -> name type, …\", as in \"page string -> n int64\""

/* One side of a map: columns, each with its name. */
static int32_t map_side(const struct state_operator *op, const char *ddl, const char *side,
                        const char *option, struct fields *fields, struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    int32_t result = fields_init(fields, op->host, ddl, option, &inner);
    if (result == WEIR_OK) return WEIR_OK;
    if (result == WEIR_FATAL) return weir_fail(error, result, "%s", inner.text);
    return weir_fail_option(error, option, -1, MAP_FORM "; %s \"%.80s\": %.200s", side, ddl,
                            inner.text);
}

/* "page string -> n int64, at timestamp" */
static int32_t split_map(const struct state_operator *op, const char *text, struct collection *c,
                         const char *option, struct weir_error *error)
{
    const char *arrow = strstr(text, "->");
    if (!arrow)
        return weir_fail_option(error, option, -1, MAP_FORM "; there is no ->");
    char *key = op->host->alloc((uint64_t)(arrow - text) + 1);
    if (!key) return no_memory(error);
    memcpy(key, text, (size_t)(arrow - text));
    key[arrow - text] = 0;
    int32_t result = map_side(op, key, "the key", option, &c->entry, error);
    op->host->free(key);
    if (result == WEIR_OK) result = map_side(op, arrow + 2, "the value", option, &c->fields, error);
    if (result != WEIR_OK) return result;
    if (c->entry.n == 1 && is_map_key(weir_type_of(c->entry.schema.children[0]))) return WEIR_OK;
    return weir_fail_option(error, option, -1,
                            "the key of a map is one column: bool, int32, int64, string, binary, "
                            "timestamp or date");
}

static int32_t bind_maps(struct state_operator *op, struct weir_error *error)
{
    struct weir_value value = { .size = sizeof value };
    for (uint64_t i = 0; op->host->option_item(op->context, "maps", i, &value) == WEIR_OK; i++) {
        struct collection *c;
        char option[80];
        snprintf(option, sizeof option, "maps.%.60s", value.key);
        int32_t result = next_collection(op, &value, option, &c, error);
        if (result != WEIR_OK) return result;
        c->is_map = 1;
        result = split_map(op, value.text, c, option, error);
        if (result == WEIR_OK)
            result = longer_key(op, c->entry.schema.children[0], "map key", &c->key, error);
        if (result == WEIR_OK)
            result = declare(op, "map", c->name, WEIR_TABLE, &c->key, &c->fields, error);
        if (result == WEIR_OK)
            result = declare(op, "keys", c->name, WEIR_ROWS, &op->key, &c->entry, error);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static int32_t bind_timers(struct state_operator *op, struct weir_error *error)
{
    struct collections *all = op->collections;
    struct weir_table_column at = { "at", WEIR_TYPE_TIMESTAMP, WEIR_COLUMN_TIMER };
    if (op->clock == CLOCK_EVENT) at.flags |= WEIR_COLUMN_EVENT_TIME;
    int32_t result = fields_init(&all->timer_name, op->host, "name string", "timeout", error);
    if (result == WEIR_OK)
        result = longer_key(op, all->timer_name.schema.children[0], "timer", &all->timer_key, error);
    struct weir_table_spec spec = { .size = sizeof spec, .kind = WEIR_TABLE, .name = "timers",
                                    .key = &all->timer_key, .n_distribution = op->n_by,
                                    .n_columns = 1, .columns = &at, .version = 1,
                                    .signature = "" };
    if (result == WEIR_OK) result = op->state->declare(op->context, &spec, &all->timers, error);
    return result;
}

int32_t collections_bind(struct state_operator *op, struct weir_error *error)
{
    op->collections = op->host->alloc(sizeof *op->collections);
    if (!op->collections) return no_memory(error);
    memset(op->collections, 0, sizeof *op->collections);
    int32_t result = bind_lists(op, error);
    if (result == WEIR_OK) result = bind_maps(op, error);
    return result == WEIR_OK ? bind_timers(op, error) : result;
}

void collections_free(struct state_operator *op)
{
    struct collections *all = op->collections;
    if (!all) return;
    for (uint32_t i = 0; i < all->n; i++) {
        fields_fini(&all->list[i].fields);
        fields_fini(&all->list[i].entry);
        if (all->list[i].key.release) all->list[i].key.release(&all->list[i].key);
    }
    fields_fini(&all->timer_name);
    if (all->timer_key.release) all->timer_key.release(&all->timer_key);
    op->host->free(all);
}

/* ---- lanes ---- */

int32_t collections_lane_create(struct lane *l, struct weir_error *error)
{
    const struct collections *all = l->op->collections;
    if (!all) return WEIR_OK;
    struct collections_lane *own = l->op->host->alloc(sizeof *own);
    if (!own) return no_memory(error);
    memset(own, 0, sizeof *own);
    l->collections = own;
    int32_t result = fields_lane_init(&own->name, &all->timer_name, l->context, error);
    for (uint32_t i = 0; i < all->n && result == WEIR_OK; i++) {
        result = fields_lane_init(&own->items[i], &all->list[i].fields, l->context, error);
        if (result == WEIR_OK && all->list[i].is_map)
            result = fields_lane_init(&own->entries[i], &all->list[i].entry, l->context, error);
    }
    return result;
}

void collections_lane_destroy(struct lane *l)
{
    struct collections_lane *own = l->collections;
    if (!own) return;
    for (uint32_t i = 0; i < COLLECTIONS_MAX; i++) {
        fields_lane_fini(&own->items[i]);
        fields_lane_fini(&own->entries[i]);
    }
    fields_lane_fini(&own->name);
    if (own->map_key.release) own->map_key.release(&own->map_key);
    l->op->host->free(own->timer.data);
    l->op->host->free(own);
}

/* Inside of a body: what a call of the state answered. From here on the body can't begin again. */
static void check(struct lane *l, lua_State *L, int32_t result)
{
    vm_once(l->vm);
    if (result != WEIR_OK) vm_no_memory(l->vm, L);
}

/* ---- lists ---- */

static uint32_t which(lua_State *L)
{
    return (uint32_t)lua_tonumber(L, lua_upvalueindex(2));
}

static uint32_t key_slot(struct lane *l, uint32_t table)
{
    uint32_t zero = 0, slot;
    l->op->state->lookup(l->state, table, l->call.keys, NULL, &zero, 1, &slot);
    return slot;
}

static int32_t key_slot_make(struct lane *l, uint32_t table, uint32_t *slot)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t zero = 0;
    return l->op->state->lookup_or_insert(l->state, table, l->call.keys, NULL, &zero, 1, slot,
                                          &error);
}

/* Appends the record that was taken to the rows of the key. */
static int32_t append_row(struct lane *l, struct fields_lane *f, int64_t expires)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t slot, row;
    int64_t order = 0;
    int32_t result = key_slot_make(l, f->fields->table, &slot);
    if (result == WEIR_OK)
        result = l->op->state->row_append(l->state, f->fields->table, &slot, &order, 1, &row,
                                          &error);
    if (result == WEIR_OK) result = fields_write(f, l->state, row, &error);
    if (result == WEIR_OK && f->fields->first > 0 && expires != NO_TIMEOUT)
        result = l->op->state->set_timer(l->state, f->fields->table, 0, row, expires);
    return result;
}

static int list_append(lua_State *L)
{
    struct lane *l = call_method(L);
    struct fields_lane *f = &l->collections->items[which(L)];
    lua_settop(L, 2);
    fields_take(f, l->vm, L, 1);
    check(l, L, append_row(l, f, call_expiry(l, L, 2)));
    return 0;
}

static int list_get(lua_State *L)
{
    struct lane *l = call_method(L);
    struct fields_lane *f = &l->collections->items[which(L)];
    uint32_t table = f->fields->table, slot = key_slot(l, table);
    int n = 0;
    lua_newtable(L);
    if (slot == WEIR_NO_SLOT) return 1;
    for (uint32_t row = l->op->state->row_first(l->state, table, slot); row != WEIR_NO_ROW;
         row = l->op->state->row_next(l->state, table, row)) {
        fields_push(f, l->vm, L, l->state, row);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static void clear(struct lane *l, lua_State *L, uint32_t table)
{
    uint32_t slot = key_slot(l, table);
    if (slot != WEIR_NO_SLOT) check(l, L, l->op->state->remove(l->state, table, &slot, 1));
}

static int list_clear(lua_State *L)
{
    struct lane *l = call_method(L);
    clear(l, L, l->collections->items[which(L)].fields->table);
    return 0;
}

static int list_put(lua_State *L)
{
    struct lane *l = call_method(L);
    struct fields_lane *f = &l->collections->items[which(L)];
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    int64_t expires = call_expiry(l, L, 2);
    clear(l, L, f->fields->table);
    for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        fields_take(f, l->vm, L, 3);
        check(l, L, append_row(l, f, expires));
        lua_settop(L, 2);
    }
    return 0;
}

/* ---- maps ---- */

/* Takes the map key at `index`: into the columns of a lookup. */
static void take_map_key(struct lane *l, lua_State *L, int index, const struct ArrowArray **keys)
{
    struct fields_lane *entry = &l->collections->entries[which(L)];
    if (lua_isnoneornil(L, index)) luaL_error(L, "the key of a map is not nil");
    fields_take(entry, l->vm, L, index);
    for (uint32_t i = 0; i < l->op->n_by; i++) keys[i] = l->call.keys[i];
    fields_taken(entry, &keys[l->op->n_by]);
}

static uint32_t map_find(struct lane *l, lua_State *L, int index)
{
    const struct ArrowArray *keys[BY_MAX + 1];
    uint32_t zero = 0, slot;
    take_map_key(l, L, index, keys);
    l->op->state->lookup(l->state, l->collections->items[which(L)].fields->table, keys, NULL, &zero,
                         1, &slot);
    return slot;
}

static int map_get(lua_State *L)
{
    struct lane *l = call_method(L);
    uint32_t slot = map_find(l, L, 1);
    if (slot == WEIR_NO_SLOT) lua_pushnil(L);
    else fields_push(&l->collections->items[which(L)], l->vm, L, l->state, slot);
    return 1;
}

static int map_contains(lua_State *L)
{
    struct lane *l = call_method(L);
    lua_pushboolean(L, map_find(l, L, 1) != WEIR_NO_SLOT);
    return 1;
}

static int map_put(lua_State *L)
{
    struct lane *l = call_method(L);
    struct fields_lane *f = &l->collections->items[which(L)];
    const struct ArrowArray *keys[BY_MAX + 1];
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t zero = 0, table = f->fields->table;
    lua_settop(L, 3);
    int64_t expires = call_expiry(l, L, 3);
    fields_take(f, l->vm, L, 2);
    uint32_t slot = map_find(l, L, 1);
    if (slot == WEIR_NO_SLOT) {
        check(l, L, append_row(l, &l->collections->entries[which(L)], NO_TIMEOUT));
        take_map_key(l, L, 1, keys);
        check(l, L, l->op->state->lookup_or_insert(l->state, table, keys, NULL, &zero, 1, &slot,
                                                   &error));
    } else {
        check(l, L, l->op->state->touch(l->state, table, &slot, 1));
    }
    check(l, L, fields_write(f, l->state, slot, &error));
    check(l, L, l->op->state->set_timer(l->state, table, 0, slot, expires));
    return 0;
}

/* Takes the map key, an array of one row, from the list of keys at `slot`. */
static int32_t forget_key(struct lane *l, uint32_t i, uint32_t slot, const struct ArrowArray *key)
{
    const struct weir_state_table *state = l->op->state;
    struct fields_lane *entry = &l->collections->entries[i];
    uint32_t table = entry->fields->table;
    int32_t result = WEIR_OK;
    if (slot == WEIR_NO_SLOT) return WEIR_OK;
    for (uint32_t row = state->row_first(l->state, table, slot); row != WEIR_NO_ROW;
         row = state->row_next(l->state, table, row)) {
        if (fields_cell_is(entry, l->state, row, 0, key, &result))
            return state->row_remove(l->state, table, &row, 1);
        if (result != WEIR_OK) return result;
    }
    return WEIR_OK;
}

static int map_remove(lua_State *L)
{
    struct lane *l = call_method(L);
    const struct ArrowArray *keys[BY_MAX + 1];
    uint32_t slot = map_find(l, L, 1);
    if (slot == WEIR_NO_SLOT) return 0;
    check(l, L, l->op->state->remove(l->state, l->collections->items[which(L)].fields->table, &slot,
                                     1));
    take_map_key(l, L, 1, keys);
    check(l, L, forget_key(l, which(L), key_slot(l, l->collections->entries[which(L)].fields->table),
                           keys[l->op->n_by]));
    return 0;
}

/* Pushes the map key of a row of the list of keys. */
static void push_map_key(struct lane *l, lua_State *L, uint32_t row)
{
    struct fields_lane *entry = &l->collections->entries[which(L)];
    fields_push(entry, l->vm, L, l->state, row);
    lua_getfield(L, -1, entry->fields->schema.children[0]->name);
    lua_remove(L, -2);
}

static int map_keys(lua_State *L)
{
    struct lane *l = call_method(L);
    uint32_t table = l->collections->entries[which(L)].fields->table, slot = key_slot(l, table);
    int n = 0;
    lua_newtable(L);
    if (slot == WEIR_NO_SLOT) return 1;
    for (uint32_t row = l->op->state->row_first(l->state, table, slot); row != WEIR_NO_ROW;
         row = l->op->state->row_next(l->state, table, row)) {
        push_map_key(l, L, row);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int map_clear(lua_State *L)
{
    struct lane *l = call_method(L);
    lua_settop(L, 0);
    map_keys(L);
    for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        uint32_t slot = map_find(l, L, 2);
        if (slot != WEIR_NO_SLOT)
            check(l, L, l->op->state->remove(
                            l->state, l->collections->items[which(L)].fields->table, &slot, 1));
        lua_settop(L, 1);
    }
    clear(l, L, l->collections->entries[which(L)].fields->table);
    return 0;
}

/* ---- timers ---- */

static int S_timer(lua_State *L)
{
    struct lane *l = call_method(L);
    const struct weir_state_table *state = l->op->state;
    const struct ArrowArray *keys[BY_MAX + 1];
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t table = l->op->collections->timers, zero = 0, slot;
    int64_t at = 0;
    if (l->op->clock == CLOCK_NONE)
        luaL_error(L, "timer: option `timeout` says that there are none");
    const char *name = luaL_checkstring(L, 1);
    if (!*name || strlen(name) != lua_objlen(L, 1))
        luaL_error(L, "timer: a name is a text that is not empty, without zero bytes");
    if (!lua_isnoneornil(L, 2) && (!vm_to_int(l->vm, L, 2, &at) || at == INT64_MAX))
        luaL_error(L, "timer: the second argument is a timestamp (microseconds), or nil");
    fields_take(&l->collections->name, l->vm, L, 1);
    for (uint32_t i = 0; i < l->op->n_by; i++) keys[i] = l->call.keys[i];
    fields_taken(&l->collections->name, &keys[l->op->n_by]);
    if (lua_isnoneornil(L, 2)) {
        state->lookup(l->state, table, keys, NULL, &zero, 1, &slot);
        if (slot != WEIR_NO_SLOT) check(l, L, state->remove(l->state, table, &slot, 1));
        return 0;
    }
    check(l, L, state->lookup_or_insert(l->state, table, keys, NULL, &zero, 1, &slot, &error));
    check(l, L, state->set_timer(l->state, table, 0, slot, at));
    return 0;
}

int32_t collections_due(struct lane *l, int64_t now, uint32_t **slots, uint32_t *n,
                        struct weir_error *error)
{
    uint32_t room = SOME;
    for (;;) {
        *slots = l->op->host->realloc(*slots, room * sizeof **slots);
        if (!*slots) return no_memory(error);
        *n = l->op->state->due(l->state, l->op->collections->timers, 0, now, *slots, room);
        if (*n < room) return WEIR_OK;
        room *= 2;
    }
}

int32_t collections_take_timer(struct lane *l, uint32_t slot, int64_t now, int *taken,
                               const char **name, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    const struct ArrowArray *keys[BY_MAX + 1];
    struct ArrowArray text;
    struct weir_buffer *copy = &l->collections->timer;
    uint32_t table = op->collections->timers, zero = 0, found;
    struct weir_view at = op->state->column(l->state, table, 0);
    int64_t due;
    int32_t result = WEIR_OK;
    memcpy(&due, at.base + (uint64_t)slot * at.stride, sizeof due);
    lane_drop_keys(l);
    for (uint32_t i = 0; i < op->n_by && result == WEIR_OK; i++) {
        result = op->state->keys(l->state, table, i, &slot, 1, &l->keys[i], error);
        keys[i] = l->key_list[i] = &l->keys[i];
    }
    if (result == WEIR_OK)
        result = op->state->keys(l->state, table, op->n_by, &slot, 1, &text, error);
    if (result != WEIR_OK) return result;
    keys[op->n_by] = &text;
    op->state->lookup(l->state, table, keys, NULL, &zero, 1, &found);
    *taken = found == slot && due <= now;
    struct weir_bytes bytes = weir_get_bytes(&text, 0);
    copy->length = 0;
    if (op->host->buffer_grow(copy, bytes.length + 1) != WEIR_OK) result = no_memory(error);
    else {
        memcpy(copy->data, bytes.data, bytes.length);
        copy->data[bytes.length] = 0;
    }
    *name = (const char *)copy->data;
    text.release(&text);
    if (result == WEIR_OK && *taken && op->state->remove(l->state, table, &slot, 1) != WEIR_OK)
        result = no_memory(error);
    return result;
}

/* ---- expiry ---- */

static int32_t expire_entry(struct lane *l, uint32_t i, uint32_t slot, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    uint32_t table = op->collections->list[i].fields.table, zero = 0, list;
    struct ArrowArray *key = &l->collections->map_key;
    if (key->release) key->release(key);
    int32_t result = WEIR_OK;
    lane_drop_keys(l);
    for (uint32_t k = 0; k < op->n_by && result == WEIR_OK; k++) {
        result = op->state->keys(l->state, table, k, &slot, 1, &l->keys[k], error);
        l->key_list[k] = &l->keys[k];
    }
    if (result == WEIR_OK)
        result = op->state->keys(l->state, table, op->n_by, &slot, 1, key, error);
    if (result != WEIR_OK) return result;
    op->state->lookup(l->state, op->collections->list[i].entry.table, l->key_list, NULL, &zero, 1,
                      &list);
    result = forget_key(l, i, list, key);
    if (result == WEIR_OK) result = op->state->remove(l->state, table, &slot, 1);
    return result == WEIR_OK ? WEIR_OK : no_memory(error);
}

static int32_t expire_table(struct lane *l, uint32_t table, int i, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int is_map = i >= 0 && op->collections->list[i].is_map;
    uint32_t slots[SOME], n;
    int32_t result = WEIR_OK;
    while (result == WEIR_OK &&
           (n = op->state->due(l->state, table, 0, l->begin.time_us, slots, SOME)) > 0) {
        if (i < 0) op->host->count(l->context, "removed", n);
        for (uint32_t k = 0; is_map && k < n && result == WEIR_OK; k++)
            result = expire_entry(l, (uint32_t)i, slots[k], error);
        if (!is_map && (i < 0 ? op->state->remove : op->state->row_remove)(l->state, table, slots,
                                                                           n) != WEIR_OK)
            result = no_memory(error);
    }
    return result;
}

int32_t collections_expire(struct lane *l, struct weir_error *error)
{
    const struct state_operator *op = l->op;
    int32_t result = expire_table(l, op->fields.table, -1, error);
    for (uint32_t i = 0; i < op->collections->n && result == WEIR_OK; i++)
        result = expire_table(l, op->collections->list[i].fields.table, (int)i, error);
    return result;
}

/* ---- S ---- */

struct method {
    const char *name;
    lua_CFunction function;
};

static const struct method list_methods[] = { { "append", list_append }, { "get", list_get },
                                              { "put", list_put },       { "clear", list_clear },
                                              { NULL, NULL } };
static const struct method map_methods[] = { { "get", map_get },       { "put", map_put },
                                             { "contains", map_contains }, { "remove", map_remove },
                                             { "keys", map_keys },     { "clear", map_clear },
                                             { NULL, NULL } };

/* Upvalues: lane, table of objects by name, "list" or "map". */
static int find_object(lua_State *L)
{
    call_method(L);
    const char *name = luaL_checkstring(L, 1);
    lua_getfield(L, lua_upvalueindex(2), name);
    if (lua_isnil(L, -1))
        luaL_error(L, "there is no %s \"%s\": option `%ss` declares them",
                   lua_tostring(L, lua_upvalueindex(3)), name, lua_tostring(L, lua_upvalueindex(3)));
    return 1;
}

static void add_objects(struct lane *l, lua_State *L, int is_map)
{
    const struct collections *all = l->op->collections;
    lua_pushlightuserdata(L, l);
    lua_newtable(L);
    for (uint32_t i = 0; i < all->n; i++) {
        if (all->list[i].is_map != is_map) continue;
        lua_newtable(L);
        for (const struct method *m = is_map ? map_methods : list_methods; m->name; m++) {
            lua_pushlightuserdata(L, l);
            lua_pushnumber(L, i);
            lua_pushcclosure(L, m->function, 2);
            lua_setfield(L, -2, m->name);
        }
        call_make_object(L);
        lua_setfield(L, -2, all->list[i].name);
    }
    lua_pushstring(L, is_map ? "map" : "list");
    lua_pushcclosure(L, find_object, 3);
    lua_setfield(L, -2, is_map ? "map" : "list");
}

void collections_add_methods(struct lane *l, lua_State *L)
{
    add_objects(l, L, 0);
    add_objects(l, L, 1);
    call_add_method(L, l, "timer", S_timer);
}
