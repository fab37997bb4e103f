/*
 * eval_call.c - calls of scalar functions.
 *
 * What a function gives back is input: length, validity and offsets are checked before anything
 * reads them. With WEIR_CAP_NULL_IN_NULL_OUT rows with a null argument are taken out of the
 * selection, and are null in the result whatever the function left there.
 *
 * A function says why for the first row that fails. Where several do, each is asked for by itself, so that a
 * reason is that of its row, wherever chunks begin and end.
 */
#include "core/expr/kernels.h"

struct arguments {
    uint32_t n;
    struct vec *vecs;
    struct vec **refs;
    struct ArrowArray *arrays;
    const struct ArrowArray **views;
    const void *(*buffers)[3];
    uint8_t *constant;
    void *memory;
};

static int32_t arguments_make(struct frame *f, uint32_t n, struct arguments *args)
{
    const uint64_t each = sizeof *args->vecs + sizeof *args->refs + sizeof *args->arrays +
                          sizeof *args->views + sizeof *args->buffers + sizeof *args->constant;
    uint8_t *memory = mem_alloc((n + 1) * each + 64);
    if (!memory) return frame_no_memory(f);
    memset(memory, 0, (n + 1) * each + 64);
    args->memory = memory;
    args->vecs = (void *)memory;
    args->arrays = (void *)(args->vecs + n + 1);
    args->refs = (void *)(args->arrays + n + 1);
    args->views = (void *)(args->refs + n + 1);
    args->buffers = (void *)(args->views + n + 1);
    args->constant = (void *)(args->buffers + n + 1);
    args->n = n;
    return WEIR_OK;
}

static void arguments_free(struct arguments *args)
{
    uint32_t k;
    for (k = 0; args->memory && k < args->n; k++) vec_free(&args->vecs[k]);
    mem_free(args->memory);
}

/* The result as a vec, once it is sure to be what it says. */
static int32_t take_result(struct task *t, struct ArrowArray *array, struct vec *out)
{
    struct frame *f = t->frame;
    const struct node *node = t->node;
    struct vec result = { 0 };
    uint64_t i;
    uint8_t *mask;
    int32_t rc = WEIR_OK;
    if (!array->release || array->length != t->length)
        rc = weir_fail(f->error, WEIR_FATAL, "%s gave a column of %lld rows instead of %u",
                       node->component->name, array->release ? (long long)array->length : -1ll,
                       t->length);
    else rc = type_validate(&node->type, array, f->error);
    if (rc) {
        array_release(array);
        if (rc != WEIR_FATAL && f->error) f->error->error_class = WEIR_FATAL;
        return WEIR_FATAL;
    }
    result.inner = *array;
    vec_of_array(&result, node->type.id, &result.inner);
    if (out->valid) { /* nulls of arguments */
        const uint8_t *valid = result.valid;
        mask = out->memory[0];
        for (i = 0; valid && i < ((uint64_t)t->length + 7) / 8; i++) mask[i] &= valid[i];
        result.memory[0] = mask;
        result.valid = mask;
        out->memory[0] = NULL;
    }
    result.constant = t->constant;
    vec_free(out);
    vec_move(out, &result);
    return WEIR_OK;
}

/* Why this row failed: the function is called for it alone. */
static int32_t ask_reason(struct task *t, const struct weir_call *call, uint32_t row)
{
    struct frame *f = t->frame;
    struct weir_error inner = WEIR_ERROR_INIT;
    struct ArrowArray array = { 0 };
    struct weir_call alone = *call;
    int32_t rc;
    alone.selection = &row;
    alone.selected = 1;
    alone.failed = mem_alloc((uint64_t)t->length + 8);
    if (!alone.failed) return frame_no_memory(f);
    memset(alone.failed, 0, t->length);
    call->reason[0] = 0;
    rc = t->node->function->eval(f->expr->host, t->node->bound, &alone, &array, &inner);
    array_release(&array);
    mem_free(alone.failed);
    return rc ? weir_fail(f->error, WEIR_FATAL, "%s", inner.text[0] ? inner.text : "out of memory")
              : WEIR_OK;
}

static int32_t take_failures(struct task *t, const struct weir_call *call, struct vec *out)
{
    uint32_t i, n = 0;
    int32_t rc = WEIR_OK;
    if (!memchr(call->failed, 1, t->length)) return WEIR_OK;
    for (i = 0; i < call->selected && !rc; i++) {
        const uint32_t row = call->selection ? call->selection[i] : i;
        if (!call->failed[row]) continue;
        if (n++) rc = ask_reason(t, call, row);
        call->reason[127] = 0;
        if (!rc)
            rc = task_fail(t, out, row,
                           call->reason[0] ? call->reason : t->node->component->name);
    }
    return rc;
}

static int32_t run(struct task *t, struct arguments *args, struct vec *out)
{
    struct frame *f = t->frame;
    const struct node *node = t->node;
    struct ArrowArray array = { 0 };
    char reason[128] = "";
    struct weir_call call = { .size = sizeof call,
                              .rows = t->length,
                              .selection = t->rows.rows,
                              .selected = t->rows.n,
                              .n_args = args->n,
                              .args = args->views,
                              .constant = args->constant,
                              .time_us = f->run->time_us,
                              .batch = f->run->batch,
                              .partition = f->run->partition,
                              .seed = f->run->seed,
                              .reason = reason };
    uint32_t k;
    int32_t rc;
    call.failed = mem_alloc((uint64_t)t->length + 8);
    if (!call.failed) return frame_no_memory(f);
    memset(call.failed, 0, t->length);
    for (k = 0; k < args->n; k++) {
        vec_lend(&args->vecs[k], &args->arrays[k], args->buffers[k]);
        args->views[k] = &args->arrays[k];
        args->constant[k] = args->vecs[k].constant;
    }
    rc = node->function->eval(f->expr->host, node->bound, &call, &array, f->error);
    if (rc && rc != WEIR_FATAL)
        rc = weir_fail(f->error, WEIR_FATAL, "%s failed", node->component->name);
    if (!rc) rc = take_failures(t, &call, out);
    if (rc) array_release(&array);
    else rc = take_result(t, &array, out);
    mem_free(call.failed);
    return rc;
}

/* Rows whose arguments are all there, in memory of the caller. */
static int32_t drop_nulls(struct task *t, const struct vec *out, uint32_t **own)
{
    int32_t rc;
    if (!out->valid) return WEIR_OK;
    rc = rows_alloc(t->frame, t->rows.n, own);
    if (rc) return rc;
    t->rows.n = rows_split_valid(out, &t->rows, *own, NULL);
    t->rows.rows = *own;
    return WEIR_OK;
}

int32_t eval_call(struct frame *f, const struct node *node, const struct rowset *set,
                  struct vec *out)
{
    struct task task = { .frame = f, .node = node, .set = set };
    const uint64_t capabilities = node->component->capabilities;
    struct arguments args = { 0 };
    uint32_t *own = NULL, k;
    int begun = 0;
    int32_t rc = arguments_make(f, node->n_kids, &args);
    for (k = 0; k < node->n_kids && !rc; k++) {
        rc = eval(f, node->kids[k], set, &args.vecs[k]);
        args.refs[k] = &args.vecs[k];
    }
    if (rc) goto end;
    task.length = f->rows;
    task.rows = *set;
    if (capabilities & WEIR_CAP_NULL_IN_NULL_OUT) {
        begun = strict_begin(&task, args.refs, node->n_kids, out);
        if (begun < 0) rc = -begun;
    }
    task.constant = capabilities & WEIR_CAP_DETERMINISTIC ? 1 : 0;
    for (k = 0; k < node->n_kids; k++) task.constant &= args.vecs[k].constant;
    if (begun || rc) goto end;
    task.length = task.constant ? 1 : f->rows;
    task.rows = task.constant ? (struct rowset){ NULL, 1 } : *set;
    rc = drop_nulls(&task, out, &own);
    if (!rc) rc = run(&task, &args, out);
end:
    arguments_free(&args);
    mem_free(own);
    return rc;
}
