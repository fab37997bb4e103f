/*
 * file.c - the rows of a table that is a file.
 */
#include "plugins/operator_lookup/op.h"

#define FILE_MAX (1ull << 30)
#define SLACK 64u /* readable bytes behind what formats get */

/* What weir.io says; a file that is missing is an error of input and output. */
static int32_t pass_on(int32_t result, const struct weir_error *from, struct weir_error *error)
{
    error->code = from->code;
    return weir_fail(error, result == WEIR_UNSUPPORTED ? WEIR_FATAL : result, "%s", from->text);
}

static int32_t read_bytes(const struct lookup *op, struct weir_context *lane, uint64_t length,
                          uint8_t *bytes, struct weir_error *error)
{
    int64_t handle;
    uint64_t got = 0;
    struct weir_error inner = WEIR_ERROR_INIT;
    int32_t result = op->io->open(lane, op->path, WEIR_IO_READ, &handle, &inner);
    if (result != WEIR_OK) return pass_on(result, &inner, error);
    result = op->io->pread(lane, handle, bytes, length, 0, &got, error);
    op->io->close(lane, handle);
    if (result == WEIR_OK && got < length)
        return weir_fail(error, WEIR_DATA, "%s became shorter while it was read", op->path);
    return result;
}

int32_t file_stat(const struct lookup *op, struct weir_context *lane, struct weir_io_stat *out,
                  struct weir_error *error)
{
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    struct weir_error inner = WEIR_ERROR_INIT;
    int32_t result = op->io->stat(lane, op->path, out, &inner);
    if (result != WEIR_OK) return pass_on(result, &inner, error);
    if (out->kind != WEIR_IO_FILE)
        return weir_fail(error, WEIR_DATA, "%s is no file", op->path);
    if (out->length > FILE_MAX)
        return weir_fail(error, WEIR_DATA, "%s is larger than 1 GiB: too large for a lookup",
                         op->path);
    return WEIR_OK;
}

int32_t file_rows(const struct lookup *op, struct weir_context *lane,
                  const struct weir_io_stat *stat, struct ArrowArray *out, struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    uint8_t *bytes = op->join.host->alloc(stat->length + SLACK);
    int32_t result;
    if (!bytes) return no_memory(error);
    memset(bytes + stat->length, 0, SLACK);
    result = read_bytes(op, lane, stat->length, bytes, error);
    if (result == WEIR_OK) {
        const struct weir_bytes all = { bytes, stat->length };
        result = op->formats->table_read(lane, all, out, &inner);
        if (result != WEIR_OK) weir_fail(error, result, "%s, %s", op->path, inner.text);
    }
    op->join.host->free(bytes);
    return result;
}
