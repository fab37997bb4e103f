/*
 * sink.h - what the parts of the file sink share. Paths are below the directory of the sink, unless
 * they are called full.
 */
#ifndef SINK_FILE_H
#define SINK_FILE_H

#include <weir/plugin.h>

#define PATH_ROOM 4096u
#define NAME_MOST 255u /* bytes of a name that file systems take */

#define COMPRESS_NONE 0
#define COMPRESS_ZSTD 1
#define COMPRESS_GZIP 2

/* Bugs planted on purpose, by name, to prove that the sweeps would find such a one. In an ordinary
 * build nothing is left of them. */
#ifdef WEIR_PLANTED_BUGS
#define planted(sink, bug) ((sink)->planted_bug && strcmp((sink)->planted_bug, #bug) == 0)
#else
#define planted(sink, bug) 0
#endif

#define ENTRY_WHOLE 1u
#define ENTRY_OPEN 2u

/* A file that is being written: hidden, until a commit gives it its name. */
struct out {
    char *key;        /* directory, and without roll the partition */
    char *hidden;     /* path */
    char *final_name; /* path */
    int64_t handle;   /* -1: not open */
    uint64_t length;  /* bytes on the disk */
    uint64_t base;    /* what it had when the batch began */
    uint64_t batch;   /* the one that began it */
    int64_t since_us; /* T of that */
    uint32_t touched; /* rows of this batch went in */
    uint32_t dirty;   /* written, not synced */
    uint32_t rolled;  /* whole: its commit will show it */
    struct weir_buffer buffer; /* encoded rows, not yet written */
    uint32_t *rows; /* of the chunk at hand */
    uint32_t n_rows, rows_room;
};

struct outs {
    struct out **list;
    uint32_t n, room;
};

/* A file of a committable. */
struct entry {
    uint32_t kind;
    uint64_t bytes;
    int64_t since_us;
    char hidden[PATH_ROOM / 2], final_name[PATH_ROOM / 2];
};

struct sink {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const struct weir_data *data;
    const struct weir_formats *formats;
    char path[PATH_ROOM / 4];
    const char *name; /* template */
    const struct weir_identity *identity;
    uint32_t *by; /* columns of partition_by */
    uint32_t n_by;
    const struct ArrowSchema *schema;
    struct ArrowSchema rest; /* the columns that go into the files */
    uint32_t *rest_columns;
    uint64_t roll_size; /* UINT64_MAX: no limit */
    int64_t roll_age_us;
    int roll, compression, with_manifest, changes;
    void *compressor;
    struct weir_buffer packed;
    /* the batch */
    uint64_t batch;
    int64_t time_us;
    uint32_t partition, seq;
    int begun, writing;
    struct outs active; /* those that rows may go into */
    struct outs done;   /* whole ones of the batch */
    struct out *recent[256]; /* of `active`, by hash of the key; cleared when one leaves */
    uint64_t buffered;
    uint32_t n_open;
    struct weir_buffer text;  /* of a row's directory */
    struct weir_buffer value; /* of one column of it */
    /* the manifest */
    int64_t manifest; /* handle, -1 */
    uint64_t manifest_end;
    uint64_t next_commit; /* batches below are committed, as the manifest says */
    struct weir_buffer made; /* directories that are known to be there, each with a NUL */
    const char *planted_bug; /* NULL: none */
};

/* ---- out.c: files being written ---- */

int32_t sink_full_path(const struct sink *sink, const char *path, char out[PATH_ROOM],
                       struct weir_error *error);
/* Makes a directory (full path) and makes it durable, parents included. */
int32_t sink_make_directory(struct sink *sink, const char *full, struct weir_error *error);
int32_t outs_add(struct sink *sink, struct outs *outs, struct out *out, struct weir_error *error);
void out_free(struct sink *sink, struct out *out);
void out_close(struct sink *sink, struct out *out);
/* The file of a key, made if there is none. */
int32_t out_get(struct sink *sink, const char *key, const char *directory, struct out **found,
                struct weir_error *error);
/* A file that is there already, as the log and the manifest know it. */
int32_t out_adopt(struct sink *sink, const struct entry *entry, struct weir_error *error);
int32_t out_encode(struct sink *sink, struct out *out, const struct weir_chunk *chunk,
                   uint32_t flags, struct weir_error *error);
int32_t out_flush(struct sink *sink, struct out *out, struct weir_error *error);
int32_t out_sync(struct sink *sink, struct out *out, struct weir_error *error);
/* Takes back what the batch wrote. *gone: the file was of this batch and is no more. */
int32_t out_undo(struct sink *sink, struct out *out, int *gone, struct weir_error *error);
int32_t out_finish(struct sink *sink, struct out *out, struct weir_error *error); /* its tail */
const char *compression_extension(int compression);
void compressor_free(struct sink *sink);
int32_t compressor_check(int compression, struct weir_error *error);

/* ---- commit.c: what outlives the process ---- */

int32_t owner_open(struct sink *sink, struct weir_error *error);
/* What owner_open would refuse; changes nothing. */
int32_t owner_check(struct sink *sink, const struct weir_identity *who, struct weir_error *error);
int32_t manifest_open(struct sink *sink, struct weir_error *error);
int32_t committable_write(struct sink *sink, struct weir_buffer *out, struct weir_error *error);
int32_t committable_commit(struct sink *sink, const struct weir_committable *committable,
                           uint32_t *outcome, struct weir_error *error);
int32_t sink_recover(struct sink *sink, const struct weir_committable *list, uint32_t n,
                     uint64_t next_batch, struct weir_error *error);

#endif
