/*
 * struct_array.c - a struct column of columns that are there already.
 */
#include "plugins/operator_aggregate/lane.h"

struct own {
    const struct weir_host *host;
    uint8_t *valid;
    const void *buffers[1];
    struct ArrowArray *children[BY_MAX];
    struct ArrowArray fields[BY_MAX];
};

static void struct_release(struct ArrowArray *array)
{
    struct own *own = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++)
        if (own->fields[i].release) own->fields[i].release(&own->fields[i]);
    own->host->free(own->valid);
    own->host->free(own);
    array->release = NULL;
}

static int all_null(const struct own *own, uint32_t n, uint32_t row)
{
    for (uint32_t i = 0; i < n; i++)
        if (!weir_is_null(&own->fields[i], row)) return 0;
    return 1;
}

/* The struct is null where it is not `there`; without that, where all of its fields are null. */
static int32_t mark_nulls(struct own *own, uint32_t n, uint32_t rows,
                          const struct ArrowArray *there, struct ArrowArray *out,
                          struct weir_error *error)
{
    for (uint32_t r = 0; r < rows; r++) {
        if (there ? weir_get_bool(there, r) : !all_null(own, n, r)) continue;
        if (!own->valid) {
            own->valid = own->host->alloc((uint64_t)rows / 8 + 64);
            if (!own->valid) return no_memory(error);
            memset(own->valid, 0xff, (uint64_t)rows / 8 + 64);
            own->buffers[0] = own->valid;
        }
        own->valid[r >> 3] &= (uint8_t)~(1u << (r & 7));
        out->null_count++;
    }
    return WEIR_OK;
}

int32_t struct_array(const struct weir_host *host, struct ArrowArray *fields, uint32_t n,
                     uint32_t rows, int nullable, const struct ArrowArray *there,
                     struct ArrowArray *out, struct weir_error *error)
{
    struct own *own = host->alloc(sizeof *own);
    memset(out, 0, sizeof *out);
    if (!own) {
        for (uint32_t i = 0; i < n; i++) fields[i].release(&fields[i]);
        return no_memory(error);
    }
    memset(own, 0, sizeof *own);
    own->host = host;
    for (uint32_t i = 0; i < n; i++) {
        own->fields[i] = fields[i];
        own->children[i] = &own->fields[i];
        fields[i].release = NULL;
    }
    out->length = rows;
    out->n_buffers = 1;
    out->buffers = own->buffers;
    out->n_children = n;
    out->children = own->children;
    out->private_data = own;
    out->release = struct_release;
    int32_t result = nullable ? mark_nulls(own, n, rows, there, out, error) : WEIR_OK;
    if (result != WEIR_OK) out->release(out);
    return result;
}
