/*
 * render.h - cells of arrays as text: plain (csv, console), and as JSON.
 */
#ifndef SHARE_RENDER_H
#define SHARE_RENDER_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Both append to `out` and return OK, or FATAL without memory (`out` may then hold a part). A null
 * is `null` in JSON and nothing in plain text. Lists and structs are JSON in both. */
int32_t render_text(const struct weir_host *host, const struct ArrowSchema *type,
                    const struct ArrowArray *array, uint32_t row, struct weir_buffer *out);
int32_t render_json(const struct weir_host *host, const struct ArrowSchema *type,
                    const struct ArrowArray *array, uint32_t row, struct weir_buffer *out);
/* One row of a struct array as a JSON object; `keys` are the columns' names, ready for use. */
int32_t render_json_string(const struct weir_host *host, const void *text, uint64_t n,
                           struct weir_buffer *out);
int32_t render_bytes(const struct weir_host *host, const void *bytes, uint64_t n,
                     struct weir_buffer *out);

#ifdef __cplusplus
}
#endif
#endif
