#include "plugins/share/run.h"

#include "plugins/share/column.h"

int32_t run_schema(const struct weir_data *data, int with_head, struct ArrowSchema *out,
                   struct weir_error *error)
{
    return data->schema_parse(with_head ? "bytes binary, head binary" : "bytes binary", out, error);
}

int32_t run_begin(const struct weir_data *data, uint64_t n, struct ArrowArray *run, uint8_t **bytes,
                  struct weir_error *error)
{
    int32_t status;
    memset(run, 0, sizeof *run);
    if (n > INT32_MAX) return weir_fail(error, WEIR_FATAL, "a run of records over 2 GiB");
    status = data->column(WEIR_TYPE_BINARY, 1, n, 0, run, error);
    if (status != WEIR_OK) return status;
    *bytes = (uint8_t *)(uintptr_t)run->buffers[2];
    return WEIR_OK;
}

int32_t run_end(const struct weir_host *host, const struct weir_data *data, struct ArrowArray *run,
                uint64_t n, int with_head, struct weir_bytes head, struct ArrowArray *out,
                struct weir_error *error)
{
    struct ArrowArray columns[2];
    uint8_t *bytes;
    ((int32_t *)(uintptr_t)run->buffers[1])[1] = (int32_t)n;
    columns[0] = *run;
    run->release = NULL;
    if (with_head) {
        int32_t status = run_begin(data, head.length, &columns[1], &bytes, error);
        if (status != WEIR_OK) {
            columns[0].release(&columns[0]);
            return status;
        }
        if (head.length) memcpy(bytes, head.data, head.length);
        ((int32_t *)(uintptr_t)columns[1].buffers[1])[1] = (int32_t)head.length;
    }
    return array_of_columns(host, columns, with_head ? 2 : 1, 1, out, error);
}
