/*
 * dead.h - the dead letters of a checkpoint, read from its dead-<n> files. Nothing is locked or
 * written, so a running job may be looked at.
 */
#ifndef WEIR_CORE_DEAD_H
#define WEIR_CORE_DEAD_H

#include "core/data/array.h"
#include "core/sys/sys.h"

/* Head of an extent: magic, batch, bytes behind the head; each u64, little-endian. */
extern const char dead_letters_ddl[]; /* columns of a dead letter */
#define DEAD_MAGIC 0x3144414544524557ull /* "WERDEAD1" */
#define DEAD_HEAD 24u

/* The dead letters of a batch, or a part of them. */
struct dead_part {
    uint64_t batch;
    uint64_t letters;
    uint64_t bytes; /* of the extent */
    uint64_t offset;
    uint32_t file;
    uint32_t named; /* 1: a STATE of the log names it */
};

struct dead_letter {
    uint64_t batch;
    int32_t code;
    struct weir_bytes instance, reason, partition; /* UTF-8 */
    struct weir_bytes position;
    struct weir_bytes row;   /* JSON text of one row, [[…]]; data NULL: none */
    struct weir_bytes bytes; /* the beginning of what never became a row; data NULL: none */
};

struct dead;

/* Finds what counts, in order of batch. CONFIG: there is no checkpoint; FATAL: I/O or memory.
 * *out also after failures, for dead_close. */
int32_t dead_open(struct weir_sys *sys, const char *directory, struct dead **out,
                  struct weir_error *error);
void dead_close(struct dead *dead);
uint32_t dead_parts(const struct dead *dead);
const struct dead_part *dead_part(const struct dead *dead, uint32_t i);
const char *dead_job(const struct dead *dead);  /* the newest job of the log; NULL: unknown */
const char *dead_doubt(const struct dead *dead); /* why the log could not be asked; "" */
uint64_t dead_skipped(const struct dead *dead); /* bytes of the files that are no whole extent */

/* Another class than OK ends the reading with it. What the letter points to is the reader's. */
typedef int32_t (*dead_letter_fn)(void *arg, const struct dead_letter *letter,
                                  struct weir_error *error);
int32_t dead_read(const struct dead *dead, uint32_t part, dead_letter_fn fn, void *arg,
                  struct weir_error *error);

#endif
