/*
 * identity.h - weir.json: whose checkpoint a directory is. Inside the log only.
 */
#ifndef WEIR_CORE_LOG_IDENTITY_H
#define WEIR_CORE_LOG_IDENTITY_H

#include "core/log/file.h"

#define IDENTITY_FORMAT 1u

struct identity {
    char *job;    /* mem_alloc'ed */
    char id[33];  /* hex */
    uint64_t salt;
};

/* OK with *found 0: there is none. CONFIG: newer format; DATA: damaged. */
int32_t identity_read(const struct log_dir *dir, struct identity *out, int *found,
                      struct weir_error *error);
/* CONFIG if the checkpoint is not of this job (NULL: any). */
int32_t identity_match(const struct log_dir *dir, const struct identity *identity, const char *job,
                       struct weir_error *error);
/* Draws id and salt. */
int32_t identity_mint(const struct log_dir *dir, const char *job, struct identity *out,
                      struct weir_error *error);
int32_t identity_write(const struct log_dir *dir, const struct identity *identity,
                       struct weir_error *error);
void identity_id(const struct identity *identity, uint8_t out[16]);
void identity_fini(struct identity *identity);

#endif
