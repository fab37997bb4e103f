/*
 * file.h - the files of a checkpoint directory: names, whole reads and writes, errors. Inside
 * the log only.
 */
#ifndef WEIR_CORE_LOG_FILE_H
#define WEIR_CORE_LOG_FILE_H

#include "core/log/log.h"

#define DIR_MAX 3840u
#define PATH_MAX_BYTES 4096u
#define NAME_BYTES 32u

/* Families of numbered files: 0 the segments, then the kinds of extents. */
#define FAMILIES 5u
#define FAMILY_LOG 0u

struct log_dir {
    struct weir_sys *sys;
    char path[DIR_MAX];
};

int32_t dir_init(struct log_dir *dir, struct weir_sys *sys, const char *path,
                 struct weir_error *error);
/* Makes the directory and what is missing above it, durably; for a new checkpoint. */
int32_t dir_make(const struct log_dir *dir, struct weir_error *error);
void dir_file(const struct log_dir *dir, const char *name, char out[PATH_MAX_BYTES]);
int32_t dir_sync(const struct log_dir *dir, struct weir_error *error);

void family_name(uint32_t family, uint32_t number, char out[NAME_BYTES]);

struct listed {
    uint32_t family;
    uint32_t number;
};
struct listing {
    struct listed *files; /* by family, then number */
    uint32_t n, capacity;
    uint32_t foreign;     /* names that are not weir's */
    char stranger[64];    /* the first of them */
    int identity;         /* weir.json is there */
};
int32_t listing_read(const struct log_dir *dir, struct listing *out, struct weir_error *error);
void listing_free(struct listing *listing);
/* Index of the first file of the family, and how many there are. */
uint32_t listing_of(const struct listing *listing, uint32_t family, uint32_t *first);

/* All n bytes or a negative errno. */
int file_write(struct weir_sys *sys, int fd, const void *bytes, uint64_t n, uint64_t offset);
/* Bytes read, fewer than n only at the end of the file; or a negative errno. */
int64_t file_read(struct weir_sys *sys, int fd, void *bytes, uint64_t n, uint64_t offset);
/* Error of a failed call: RETRY without room or descriptors, else FATAL. */
int32_t file_fail(struct weir_error *error, int64_t rc, const char *doing, const char *path);
/* Error of a failed sync: FATAL whatever the reason. */
int32_t file_final(struct weir_error *error, int64_t rc, const char *doing, const char *path);

static inline void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

#endif
