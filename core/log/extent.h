/*
 * extent.h - extent files. Inside the log only.
 */
#ifndef WEIR_CORE_LOG_EXTENT_H
#define WEIR_CORE_LOG_EXTENT_H

#include "core/log/file.h"

struct extent_writer {
    int fd; /* -1: none is open */
    uint32_t number;
    uint64_t offset;
    int dirty; /* written since the last sync */
};

struct extents {
    const struct log_dir *dir;
    uint64_t file_bytes; /* a file that reaches this is followed by another */
    struct extent_writer writer[FAMILIES];
    uint32_t next[FAMILIES]; /* number of the next file */
    int fresh;               /* a file was made since the last sync of the directory */
    uint64_t bytes;          /* written */
};

void extents_init(struct extents *extents, const struct log_dir *dir, uint64_t file_bytes);
void extents_fini(struct extents *extents);
/* *final is set to 1 where the log can't go on. */
int32_t extents_write(struct extents *extents, uint32_t kind, struct weir_bytes bytes,
                      struct extent *out, int *final, struct weir_error *error);
/* Makes everything written durable, then the names of the files. Every failure is final. */
int32_t extents_sync(struct extents *extents, struct weir_error *error);
/* [any] */
int32_t extent_read(const struct log_dir *dir, const struct extent *extent, uint8_t **out,
                    struct weir_error *error);

#endif
