/*
 * file.h - what the parts of the file source share.
 */
#ifndef SOURCE_FILE_H
#define SOURCE_FILE_H

#include <pthread.h>

#include <weir/plugin.h>

#define ORDER_OLDEST 0
#define ORDER_NEWEST 1
#define ORDER_NAME 2

#define DONE_KEEP 0
#define DONE_DELETE 1
#define DONE_ARCHIVE 2

/* A place in a file, see position.c. */
struct position {
    uint64_t offset;
    uint64_t inode;
    uint64_t print;         /* of the first print_length bytes */
    uint32_t print_length;
    uint32_t inside;        /* 1: inside of a record that is too long */
    int64_t mtime_us;
    uint64_t before_inode;  /* of the file that had the name before, 0: none */
    uint64_t before_end;    /* where that one was left */
};

#define POSITION_SIZE 58u

void position_write(const struct position *position, uint8_t out[POSITION_SIZE]);
/* Of the byte so many behind it. */
void place_write(const struct position *position, uint64_t bytes, uint8_t out[POSITION_SIZE]);
int position_read(struct weir_bytes bytes, struct position *out); /* 1, or 0 where it is none */

/* One file that was ever listed or read in this run. */
struct file {
    char *name; /* of the partition: the path, or with name_only what stands behind its last slash */
    char *path; /* root or pattern, joined with what was found; `name` where that is it, or none is known */
    int64_t mtime_us;
    uint64_t length;
    uint32_t listing;  /* the last one that found it */
    uint32_t known;    /* its position, or that it has none, is known */
    uint32_t ended;
    uint32_t skipped;  /* too old, or older than the start */
    uint32_t finish;   /* wholly read before this run: may be deleted or archived */
    uint32_t gone;     /* deleted or archived by this source */
    uint32_t warned;
    uint64_t deferred; /* batch + 1 in which its start was put off */
    uint32_t rotated;  /* polls since another file got the name */
    int64_t handle;    /* -1: not open */
    uint64_t inode;    /* of the handle */
    uint32_t busy;     /* `next` works on it */
    uint32_t head_known;
    uint64_t head_length;
    uint8_t *head;
    uint8_t position[POSITION_SIZE]; /* of the last result */
    uint8_t first[POSITION_SIZE];    /* of the first byte of its rows */
};

struct source {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    const struct weir_io *io;
    const struct weir_formats *formats;
    const char *path, *archive_to;
    int order, on_done;
    int new_only, name_only, follow, recursive, with_head, limited;
    uint64_t max_files, max_bytes, max_record; /* UINT64_MAX: no limit */
    int64_t max_age_us;                         /* 0: no limit */
    int64_t start_us, newest_us;

    pthread_mutex_t lock; /* of all below */
    int locked;           /* the mutex was made */
    struct file **files;  /* by name */
    uint32_t n_files, room;
    struct file **order_list; /* of the last listing, in order of reading */
    uint32_t n_order;
    uint32_t listing;
    uint64_t batch, started, started_bytes; /* of the batch under way */
    int closed;                             /* no more files begin in it */
    uint32_t n_open;
    int missing; /* the path was not there; said once */
    int settled; /* names that an earlier run took away are away for good */
};

/* ---- listing.c ---- */

/* The file of a name, made if `make`; NULL without memory, or where there is none. Under the lock. */
struct file *file_get(struct source *source, const char *name, int make);
void file_free(struct source *source, struct file *file);
/* Finds the files that there are and sorts them into order_list. Under the lock. */
/* For a job that does not wait: a path that is no pattern has to be there, unless files are taken away. OK; CONFIG. */
int32_t listing_expects(struct source *source, struct weir_error *error);
int32_t listing_make(struct source *source, int64_t until_us, struct weir_error *error);
/* Makes durable which names are in the directory of `path`. OK where that has gone. */
int32_t listing_settle(struct source *source, const char *path, struct weir_error *error);
/* Another path of the file with this inode beside `name`: where a rotated file went. 1 if found. */
int listing_find_inode(struct source *source, const char *name, uint64_t inode, char *out,
                       size_t size);

/* ---- read.c ---- */

int32_t source_read(struct source *source, struct file *file, const struct weir_next *in,
                    struct weir_next_result *out, struct weir_error *error);
void file_close(struct source *source, struct file *file);

#endif
