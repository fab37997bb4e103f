/*
 * lane.c - the operator `lua`: calls of the function.
 *
 * A row whose call fails is rejected, and the next one goes on with the same Lua state. A call over
 * many rows that fails ends the batch.
 */
#include "plugins/operator_lua/operator.h"

#include "plugins/share/option.h"

struct kept {
    const struct weir_chunk *chunk;
    uint32_t input;
};

struct lane {
    const struct lua_operator *op;
    struct weir_context *context;
    struct vm *vm;
    struct output out;
    struct batch_table batch;
    struct kept *kept; /* chunks of a partition or batch, in order */
    uint32_t n_kept, room;
    uint64_t n_rows;   /* in them */
    /* of the call under way */
    const struct weir_chunk *chunk;
    uint32_t input, row;
    int gave_nil; /* transform: no rows at all, not even none */
    int stays;         /* filter */
    uint32_t *selection;
};

int32_t lua_lane_create(void *self, struct weir_context *context, void **lane,
                        struct weir_error *error)
{
    struct lua_operator *op = self;
    struct lane *l = op->host->alloc(sizeof *l);
    if (!l) return no_memory(error);
    memset(l, 0, sizeof *l);
    l->op = op;
    l->context = context;
    *lane = l;
    l->selection = op->host->alloc(WEIR_CHUNK_MAX_ROWS * sizeof *l->selection);
    if (!l->selection) return no_memory(error);
    int32_t result = vm_create(&op->script, context, &l->vm, error);
    if (result != WEIR_OK) return result == WEIR_CONFIG ? WEIR_FATAL : result;
    if (op->n_inputs == 1) l->out.also = op->inputs[0];
    return output_init(&l->out, op->host, context, &op->output, 0, error);
}

static void drop_kept(struct lane *l)
{
    for (uint32_t i = 0; i < l->n_kept; i++) l->op->host->chunk_release(l->kept[i].chunk);
    l->n_kept = 0;
    l->n_rows = 0;
}

void lua_lane_destroy(void *self, void *lane)
{
    struct lua_operator *op = self;
    struct lane *l = lane;
    if (!l) return;
    drop_kept(l);
    vm_destroy(l->vm);
    output_fini(&l->out);
    op->host->free(l->kept);
    op->host->free(l->selection);
    op->host->free(l);
}

int32_t lua_begin(void *self, void *lane, const struct weir_begin *in, struct weir_error *error)
{
    struct lane *l = lane;
    (void)self;
    (void)error;
    drop_kept(l);
    batch_begin(&l->batch, in);
    return WEIR_OK;
}

/* ---- row by row ---- */

static int call_row(lua_State *L)
{
    struct lane *l = lua_touserdata(L, 1);
    output_begin(&l->out, L);
    vm_push_function(l->vm, L);
    value_push_row(l->vm, L, l->op->inputs[l->input], l->chunk->array, l->row);
    batch_push(&l->batch, l->vm, L);
    vm_call(l->vm, L, 2);
    if (l->op->mode == MODE_FILTER) {
        l->stays = lua_toboolean(L, -1);
    } else if (l->op->mode == MODE_FLAT_MAP) {
        output_rows(&l->out, l->vm, L, lua_gettop(L));
    } else {
        if (lua_isnil(L, -1))
            luaL_error(L, "%s gave nil and no row: mode filter or flat_map can leave rows out",
                       l->op->script.function);
        output_row(&l->out, l->vm, L, lua_gettop(L));
    }
    return 0;
}

/* Calls the function on l->row. *failed: the row was rejected. */
static int32_t run_row(struct lane *l, int *failed, struct weir_error *error)
{
    char text[VM_TEXT];
    l->stays = 0;
    int32_t result = vm_run(l->vm, call_row, l, 1, text);
    *failed = result != WEIR_OK;
    if (!*failed) {
        output_keep(&l->out);
        return WEIR_OK;
    }
    if (l->out.failed != WEIR_OK)
        return weir_fail(error, l->out.failed, "%s", l->out.error.text);
    output_drop(&l->out);
    if (result != WEIR_DATA) return weir_fail(error, result, "%s", text);
    return l->op->host->reject(l->context, l->chunk, l->row, WEIR_REJECT_OPERATOR, text, error);
}

static int32_t map_rows(struct lane *l, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    int failed;
    for (uint32_t i = 0; i < l->chunk->selected && result == WEIR_OK; i++) {
        l->row = weir_row(l->chunk, i);
        result = run_row(l, &failed, error);
        if (result == WEIR_OK && output_full(&l->out)) result = output_flush(&l->out, error);
    }
    return result == WEIR_OK ? output_flush(&l->out, error) : result;
}

static int32_t filter_rows(struct lane *l, struct weir_error *error)
{
    uint32_t n = (uint32_t)l->op->output.n_children, stay = 0;
    int32_t result = WEIR_OK;
    int failed;
    for (uint32_t i = 0; i < l->chunk->selected && result == WEIR_OK; i++) {
        l->row = weir_row(l->chunk, i);
        result = run_row(l, &failed, error);
        if (!failed && l->stays) l->selection[stay++] = l->row;
    }
    if (result != WEIR_OK || stay == 0) return result;
    struct weir_emission emission = { .size = sizeof emission, .from = l->chunk,
                                      .columns = l->op->pass + l->input * n, .n_columns = n,
                                      .rows = l->chunk->rows, .selection = l->selection,
                                      .selected = stay };
    return l->op->host->emit(l->context, &emission, error);
}

/* ---- many rows at once ---- */

static int32_t keep(struct lane *l, uint32_t input, const struct weir_chunk *chunk,
                    struct weir_error *error)
{
    if (l->n_kept == l->room) {
        uint32_t room = l->room ? l->room * 2 : 16;
        struct kept *more = l->op->host->realloc(l->kept, room * sizeof *more);
        if (!more) return no_memory(error);
        l->kept = more;
        l->room = room;
    }
    l->op->host->chunk_retain(chunk);
    l->kept[l->n_kept++] = (struct kept){ chunk, input };
    l->n_rows += chunk->selected;
    return WEIR_OK;
}

/* Pushes the rows of one input (of all: UINT32_MAX) as an array. */
static void push_kept(struct lane *l, lua_State *L, uint32_t input)
{
    int n = 0;
    lua_newtable(L);
    for (uint32_t i = 0; i < l->n_kept; i++) {
        const struct kept *kept = &l->kept[i];
        if (input != UINT32_MAX && kept->input != input) continue;
        for (uint32_t k = 0; k < kept->chunk->selected; k++) {
            value_push_row(l->vm, L, l->op->inputs[kept->input], kept->chunk->array,
                           weir_row(kept->chunk, k));
            lua_rawseti(L, -2, ++n);
        }
    }
}

static int call_many(lua_State *L)
{
    struct lane *l = lua_touserdata(L, 1);
    uint32_t n = 1;
    output_begin(&l->out, L);
    vm_push_function(l->vm, L);
    if (l->op->mode == MODE_MAP_PARTITIONS) push_kept(l, L, UINT32_MAX);
    batch_push(&l->batch, l->vm, L);
    if (l->op->mode == MODE_TRANSFORM) {
        luaL_checkstack(L, INPUTS_MAX + 8, "inputs");
        for (n = 0; n < l->op->n_inputs; n++) push_kept(l, L, n);
    }
    vm_call(l->vm, L, (int)n + 1);
    l->gave_nil = lua_isnil(L, -1) && l->op->mode == MODE_TRANSFORM;
    if (l->gave_nil)
        luaL_error(L, "%s gave nil and no rows for this batch: give {} where there are none",
                   l->op->script.function);
    output_rows(&l->out, l->vm, L, lua_gettop(L));
    return 0;
}

/* The call has failed: none of its rows can be used. (One that gives nil ends the batch: it does not fail over
 * a row.) */
static int32_t reject_kept(struct lane *l, const char *text, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < l->n_kept; i++)
        for (uint32_t k = 0; k < l->kept[i].chunk->selected && result == WEIR_OK; k++)
            result = l->op->host->reject(l->context, l->kept[i].chunk,
                                         weir_row(l->kept[i].chunk, k), WEIR_REJECT_OPERATOR, text,
                                         error);
    return result;
}

static int32_t call_kept(struct lane *l, struct weir_error *error)
{
    char text[VM_TEXT];
    l->gave_nil = 0;
    int32_t result = vm_run(l->vm, call_many, l, l->n_rows, text);
    if (result == WEIR_OK) {
        output_keep(&l->out);
        result = output_flush(&l->out, error);
    } else if (l->out.failed != WEIR_OK) {
        result = weir_fail(error, l->out.failed, "%s", l->out.error.text);
    } else {
        output_drop(&l->out);
        if (result == WEIR_DATA && l->n_rows && !l->gave_nil) result = reject_kept(l, text, error);
        else result = weir_fail(error, result, "%s", text);
    }
    drop_kept(l);
    return result;
}

int32_t lua_advance(void *self, void *lane, struct weir_error *error)
{
    const struct lua_operator *op = self;
    struct lane *l = lane;
    int many = op->mode == MODE_MAP_PARTITIONS || op->mode == MODE_TRANSFORM;
    int32_t result = many ? call_kept(l, error) : WEIR_OK;
    return result == WEIR_OK ? vm_settle(l->vm, error) : result;
}

int32_t lua_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                    struct weir_error *error)
{
    const struct lua_operator *op = self;
    struct lane *l = lane;
    if (op->mode == MODE_MAP_PARTITIONS || op->mode == MODE_TRANSFORM)
        return keep(l, input, chunk, error);
    l->chunk = chunk;
    l->input = input;
    return op->mode == MODE_FILTER ? filter_rows(l, error) : map_rows(l, error);
}
