/*
 * oracle.h - what the file sink has made visible, read from the simulated disk without any code of the plugin; and which records
 * the durable PLANs of a checkpoint name.
 *
 * A reader of a directory believes the manifest: the lines whose `crc` fits, batches whose last line is there, files that are
 * named. Everything else that is visible (neither hidden nor below `_weir`) is a complaint, and so is a file named twice, a batch
 * that comes twice or out of order, a file shorter or longer than the manifest says.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include "core/sys/sim.h"

#define ORACLE_TEXT 512

struct output_batch {
    uint64_t batch;
    char name[128]; /* of its first file */
    char *text; /* the files of the batch, in the order of the manifest */
    size_t length;
};

struct output {
    struct output_batch *batches;
    uint32_t n;
    char *open; /* what growing hidden files hold of committed bytes, behind all batches */
    size_t open_length;
    int settled; /* 1: nothing is there but what the manifest names */
};

/* 0; -1 with the first complaint in `why`. settled: files that the manifest doesn't name are a complaint too. */
int output_read(const struct sim_disk *disk, const char *directory, int settled,
                struct output *out, char why[ORACLE_TEXT]);
/* The same for the sink `seen` (parts.c): a file per batch, one with a `!` where rows were others. */
int seen_read(const struct sim_disk *disk, const char *directory, struct output *out,
              char why[ORACLE_TEXT]);
void output_free(struct output *out);
/* Forgets batches from `until` on. */
void output_cut(struct output *out, uint64_t until);
/* All bytes in order; malloc'ed. */
char *output_text(const struct output *out, size_t *length);
/* 0 if both have the same batches with the same bytes. */
int output_same(const struct output *want, const struct output *got, char why[ORACLE_TEXT]);
/* 0 if `got` is the beginning of `want`, batch for batch. */
int output_begins(const struct output *want, const struct output *got, char why[ORACLE_TEXT]);

/* Bytes of the stream `source` that the PLANs in the log at `directory` name, as a restart would find them; the disk is not changed. */
uint64_t named_bytes(const struct sim_disk *disk, const char *directory, const char *source);

#endif
