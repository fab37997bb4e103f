/*
 * sim_inode.h - files and directories of the simulated disk: what the process sees, what is
 * durable, and the changes between. Inside core/sys only.
 */
#ifndef WEIR_CORE_SIM_INODE_H
#define WEIR_CORE_SIM_INODE_H

#include "core/sys/sim_disk.h"

#include <stdatomic.h>

struct blob {
    _Atomic uint32_t owners;
    size_t size;
    size_t room;
    uint8_t bytes[];
};

struct entry {
    char *name;
    struct sim_inode *inode;
};

/* Sorted by name. */
struct names {
    struct entry *at;
    size_t n;
    size_t room;
};

struct change {
    uint64_t number; /* order of changes on the disk; halves of a rename share it */
    uint64_t offset; /* file: of a write, or the new size */
    struct blob *bytes;      /* file: NULL is a truncation */
    char *name;              /* directory */
    struct sim_inode *inode; /* directory: NULL is nothing */
};

struct sim_inode {
    uint64_t number;
    size_t slot; /* in the disk's list */
    uint32_t kind;
    uint32_t mode;
    uint32_t links; /* entries in `now` tables */
    uint32_t holds; /* entries in `durable` tables and changes */
    uint32_t opens;
    const void *locker;
    int64_t mtime_us;
    struct blob *now, *durable; /* NULL: empty */
    struct names names, durable_names;
    struct change *changes;
    size_t n_changes, changes_room;
};

struct sim_disk {
    struct sim_inode **inodes;
    size_t n_inodes, inodes_room;
    struct sim_inode *root;
    uint64_t next_inode;
    uint64_t next_change;
    uint64_t used;
    uint64_t limit;
};

/* Which changes a power loss keeps; see mood_draw. */
struct mood {
    uint64_t seed;
    uint64_t from, below; /* changes with numbers in [from, below) are kept … */
    uint32_t keep;        /* … or each with this chance in 8, */
    uint32_t tear;        /* and a write is torn with this one */
    int each;
};

/* Aborts where there is no memory. */
void *sim_need(void *memory);
/* Room for one more in an array of `n`; doubles. */
void *sim_grow(void *array, size_t n, size_t *room, size_t each);

struct blob *blob_make(const void *bytes, size_t n);
struct blob *blob_share(struct blob *blob);
void blob_drop(struct blob *blob);
size_t blob_size(const struct blob *blob);
void blob_resize(struct blob **at, size_t size);
void blob_write(struct blob **at, uint64_t offset, const uint8_t *bytes, size_t n);

struct sim_inode *names_get(const struct names *table, const char *name);
/* Returns what the name was before; inode NULL removes it. */
struct sim_inode *names_put(struct names *table, const char *name, struct sim_inode *inode);
void names_clear(struct names *table);

struct sim_inode *inode_create(struct sim_disk *disk, uint32_t kind, uint32_t mode,
                               int64_t now_us);
void inode_free(struct sim_inode *inode);
/* Does the process still reach it, by name or handle? */
int inode_seen(const struct sim_inode *inode);
/* After links or opens went down: frees what nothing names any more. */
void inode_unsee(struct sim_disk *disk, struct sim_inode *inode);
void inode_settle(struct sim_disk *disk, struct sim_inode *inode);
struct change *change_add(struct sim_inode *inode, uint64_t number);
/* Gives a name a meaning as the process sees it, and remembers the change. */
void name_set(struct sim_disk *disk, struct sim_inode *dir, const char *name,
              struct sim_inode *inode, uint64_t number, int64_t now_us);

struct mood mood_draw(uint64_t seed, uint64_t first, uint64_t end);
/* Bring durable forward by what the mood keeps (NULL: everything) and forget the changes. */
void file_settle(struct sim_inode *inode, const struct mood *mood);
void directory_settle(struct sim_disk *disk, struct sim_inode *dir, const struct mood *mood);

#endif
