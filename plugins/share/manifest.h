/*
 * manifest.h - `_weir/manifest` of an output directory: which files are whole, batch by batch.
 *
 * The file sink appends to it, the file source reads a directory by it. The format is described in
 * plugins/sink_file/README.md.
 */
#ifndef SHARE_MANIFEST_H
#define SHARE_MANIFEST_H

#include <weir/plugin.h>

#define MANIFEST_DIRECTORY "_weir"
#define MANIFEST_FILE "_weir/manifest"
#define MANIFEST_NAME_MAX 1024u

#define MANIFEST_WHOLE 1u /* a file that is visible and never changes */
#define MANIFEST_OPEN 2u  /* a hidden file that will grow; `bytes` of it are committed */

struct manifest_entry {
    uint64_t batch;
    uint32_t part, of; /* the part-th of so many lines of the batch, from 1 */
    uint32_t kind;
    uint64_t bytes;
    int64_t since_us; /* of an open file: T of the batch that began it */
    const char *name; /* below the directory; of an open file the hidden name */
    const char *final_name; /* of an open file: what it will be called */
};

/* Appends the line of an entry. OK, or FATAL without memory. */
int32_t manifest_line(const struct weir_host *host, const struct manifest_entry *entry,
                      struct weir_buffer *out);

/* Calls `fn` for each entry of the whole batches, in order; another return than OK ends it with
 * that class. *end: bytes of whole batches; what is behind them is a tail that was torn. OK; DATA
 * with the offset for damage in the middle; the class of fn. */
typedef int32_t (*manifest_fn)(void *arg, const struct manifest_entry *entry);
int32_t manifest_read(struct weir_bytes text, manifest_fn fn, void *arg, uint64_t *end,
                      struct weir_error *error);

#endif
