/*
 * sim_disk.c - the tree of a simulated disk: paths, the calls of the seam on files and directories,
 * the power loss, and the doors for tests. What makes a file durable and what a power loss may keep
 * stands in sim_inode.c.
 */
#include "core/sys/sim_inode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_LIMIT 255u

/* ---- paths ---- */

int sim_path(const char *path, char out[SIM_PATH])
{
    size_t length = 0;

    if (*path == '\0')
        return -ENOENT;
    while (*path != '\0') {
        size_t n = strcspn(path, "/");

        if (n > NAME_LIMIT || length + n + 2 > SIM_PATH)
            return -ENAMETOOLONG;
        if (n == 2 && memcmp(path, "..", 2) == 0) {
            while (length > 0 && out[--length] != '/')
                ;
        } else if (n > 0 && !(n == 1 && *path == '.')) {
            out[length++] = '/';
            memcpy(out + length, path, n);
            length += n;
        }
        path += n;
        path += *path == '/';
    }
    if (length == 0)
        out[length++] = '/';
    out[length] = '\0';
    return 0;
}

struct place {
    char path[SIM_PATH];
    struct sim_inode *dir; /* NULL: the place is the root */
    const char *name;      /* in path */
    struct sim_inode *inode; /* NULL: the name is free */
};

/* 0 also where the last name is free; -ENOENT where its directory is missing. */
static int walk(const struct sim_disk *disk, const char *path, struct place *place)
{
    char *name = place->path;
    int result = sim_path(path, place->path);

    if (result < 0)
        return result;
    place->dir = NULL;
    place->name = "";
    place->inode = disk->root;
    if (place->path[1] == '\0')
        return 0;
    for (;;) {
        char *end;

        name++;
        if (place->inode == NULL)
            return -ENOENT;
        if (place->inode->kind != SYS_DIRECTORY)
            return -ENOTDIR;
        end = name + strcspn(name, "/");
        place->dir = place->inode;
        place->name = name;
        if (*end == '\0') {
            place->inode = names_get(&place->dir->names, name);
            return 0;
        }
        *end = '\0';
        place->inode = names_get(&place->dir->names, name);
        *end = '/';
        name = end;
    }
}

/* As walk, but what is named must be there. */
static int walk_there(const struct sim_disk *disk, const char *path, struct place *place)
{
    int result = walk(disk, path, place);

    return result < 0 ? result : place->inode == NULL ? -ENOENT : 0;
}

/* ---- files ---- */

int disk_open(struct sim_disk *disk, const char *path, uint32_t flags, int64_t now_us,
              struct sim_inode **out)
{
    struct place place;
    int result = walk(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode == NULL) {
        if ((flags & SYS_CREATE) == 0)
            return -ENOENT;
        place.inode =
            inode_create(disk, SYS_FILE, (flags & SYS_PRIVATE) != 0 ? 0600 : 0644, now_us);
        name_set(disk, place.dir, place.name, place.inode, disk->next_change++, now_us);
    } else if ((flags & SYS_CREATE) != 0 && (flags & SYS_EXCLUSIVE) != 0) {
        return -EEXIST;
    } else if (place.inode->kind == SYS_DIRECTORY && (flags & (SYS_WRITE | SYS_CREATE)) != 0) {
        return -EISDIR;
    }
    place.inode->opens++;
    if ((flags & SYS_TRUNCATE) != 0 && place.inode->kind == SYS_FILE)
        disk_truncate(disk, place.inode, 0, now_us);
    *out = place.inode;
    return 0;
}

void disk_release(struct sim_disk *disk, struct sim_inode *inode, const void *locker)
{
    if (inode->locker == locker)
        inode->locker = NULL;
    inode->opens--;
    inode_unsee(disk, inode);
}

int disk_lock(struct sim_inode *inode, const void *locker)
{
    if (inode->locker != NULL && inode->locker != locker)
        return -EAGAIN;
    inode->locker = locker;
    return 0;
}

int64_t disk_read(const struct sim_inode *inode, void *buffer, size_t n, uint64_t offset)
{
    size_t size = blob_size(inode->now);

    if (inode->kind == SYS_DIRECTORY)
        return -EISDIR;
    if (offset >= size)
        return 0;
    if (n > size - offset)
        n = size - (size_t)offset;
    memcpy(buffer, inode->now->bytes + offset, n);
    return (int64_t)n;
}

int64_t disk_write(struct sim_disk *disk, struct sim_inode *inode, const void *buffer, size_t n,
                   uint64_t offset, int64_t now_us)
{
    size_t size = blob_size(inode->now);
    uint64_t room = disk->limit > disk->used ? disk->limit - disk->used : 0;
    struct change *change;

    if (n == 0)
        return 0;
    if (offset > INT64_MAX - n)
        return -EFBIG;
    if (offset + n > size && offset + n - size > room) {
        uint64_t end = size + room;

        if (end <= offset)
            return -ENOSPC;
        n = (size_t)(end - offset); /* what fits, as a real one does */
    }
    change = change_add(inode, disk->next_change++);
    change->offset = offset;
    change->bytes = blob_make(buffer, n);
    blob_write(&inode->now, offset, buffer, n);
    disk->used += blob_size(inode->now) - size;
    inode->mtime_us = now_us;
    return (int64_t)n;
}

int disk_truncate(struct sim_disk *disk, struct sim_inode *inode, uint64_t size, int64_t now_us)
{
    size_t old = blob_size(inode->now);

    if (size > old && size - old > (disk->limit > disk->used ? disk->limit - disk->used : 0))
        return -ENOSPC;
    if (size != old) {
        change_add(inode, disk->next_change++)->offset = size;
        blob_resize(&inode->now, (size_t)size);
        disk->used = disk->used - old + size;
    }
    inode->mtime_us = now_us;
    return 0;
}

/* ---- durability ---- */

void disk_sync(struct sim_inode *inode)
{
    if (inode->kind == SYS_FILE)
        file_settle(inode, NULL);
}

void disk_sync_failed(struct sim_inode *inode, uint64_t seed)
{
    struct mood mood = {.seed = seed, .keep = 4, .tear = 2, .each = 1};

    if (inode->kind == SYS_FILE)
        file_settle(inode, &mood);
}

int disk_sync_dir(struct sim_disk *disk, const char *path)
{
    struct place place;
    int result = walk_there(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode->kind != SYS_DIRECTORY)
        return -ENOTDIR;
    directory_settle(disk, place.inode, NULL);
    return 0;
}

/* ---- the power loss ---- */

static void mark(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->names.n; i++) {
        struct sim_inode *child = inode->names.at[i].inode;

        if (child->links++ == 0)
            mark(child);
    }
}

/* What is seen becomes what is durable; counts are made anew. */
static void disk_reboot(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->n_inodes; i++) {
        struct sim_inode *inode = disk->inodes[i];

        inode->links = inode->holds = 0;
        blob_drop(inode->now);
        inode->now = blob_share(inode->durable);
        names_clear(&inode->names);
        for (size_t k = 0; k < inode->durable_names.n; k++)
            names_put(&inode->names, inode->durable_names.at[k].name,
                      inode->durable_names.at[k].inode);
    }
    disk->root->links = 1;
    mark(disk->root);
    for (size_t i = 0; i < disk->n_inodes; i++) /* names of unreachable ones hold as well */
        for (size_t k = 0; k < disk->inodes[i]->durable_names.n; k++)
            disk->inodes[i]->durable_names.at[k].inode->holds++;
    disk->used = 0;
    for (size_t i = 0; i < disk->n_inodes; i++)
        disk->used += inode_seen(disk->inodes[i]) ? blob_size(disk->inodes[i]->now) : 0;
    for (size_t i = 0; i < disk->n_inodes;) {
        size_t before = disk->n_inodes;

        inode_settle(disk, disk->inodes[i]);
        if (disk->n_inodes == before)
            i++;
        else
            i = 0; /* others moved into the holes */
    }
}

void sim_disk_power_loss(struct sim_disk *disk, uint64_t seed)
{
    uint64_t first = disk->next_change;
    struct mood mood;

    for (size_t i = 0; i < disk->n_inodes; i++)
        if (disk->inodes[i]->n_changes > 0 && disk->inodes[i]->changes[0].number < first)
            first = disk->inodes[i]->changes[0].number;
    mood = mood_draw(seed, first, disk->next_change);
    if (seed == 0)
        mood = (struct mood){.each = 1};
    for (size_t i = 0; i < disk->n_inodes; i++)
        disk->inodes[i]->opens++; /* nothing goes while we walk the list */
    for (size_t i = 0; i < disk->n_inodes; i++) {
        if (disk->inodes[i]->kind == SYS_FILE)
            file_settle(disk->inodes[i], &mood);
        else
            directory_settle(disk, disk->inodes[i], &mood);
    }
    for (size_t i = 0; i < disk->n_inodes; i++)
        disk->inodes[i]->opens--;
    disk_reboot(disk);
}

/* ---- names ---- */

static int rename_allowed(const struct place *from, const struct place *to)
{
    if (from->dir == NULL || to->dir == NULL)
        return -EBUSY;
    if (from->inode->kind == SYS_DIRECTORY && from->dir != to->dir)
        return -EXDEV;
    if (to->inode == NULL)
        return 0;
    if (to->inode->kind == SYS_DIRECTORY && from->inode->kind != SYS_DIRECTORY)
        return -EISDIR;
    if (to->inode->kind != SYS_DIRECTORY && from->inode->kind == SYS_DIRECTORY)
        return -ENOTDIR;
    if (to->inode->kind == SYS_DIRECTORY && to->inode->names.n > 0)
        return -ENOTEMPTY;
    return 0;
}

int disk_rename(struct sim_disk *disk, const char *from, const char *to, int64_t now_us)
{
    struct place source, target;
    uint64_t number;
    int result = walk_there(disk, from, &source);

    if (result == 0)
        result = walk(disk, to, &target);
    if (result == 0)
        result = rename_allowed(&source, &target);
    if (result < 0 || source.inode == target.inode)
        return result;
    number = disk->next_change++;
    name_set(disk, target.dir, target.name, source.inode, number, now_us);
    name_set(disk, source.dir, source.name, NULL, number, now_us);
    return 0;
}

int disk_unlink(struct sim_disk *disk, const char *path, int64_t now_us)
{
    struct place place;
    int result = walk_there(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode->kind == SYS_DIRECTORY)
        return -EISDIR;
    name_set(disk, place.dir, place.name, NULL, disk->next_change++, now_us);
    return 0;
}

int disk_mkdir(struct sim_disk *disk, const char *path, uint32_t mode, int64_t now_us)
{
    struct place place;
    int result = walk(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode != NULL)
        return -EEXIST;
    name_set(disk, place.dir, place.name,
             inode_create(disk, SYS_DIRECTORY, mode & 0777 & ~022u, now_us), disk->next_change++,
             now_us);
    return 0;
}

int disk_rmdir(struct sim_disk *disk, const char *path, int64_t now_us)
{
    struct place place;
    int result = walk_there(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode->kind != SYS_DIRECTORY)
        return -ENOTDIR;
    if (place.dir == NULL)
        return -EBUSY;
    if (place.inode->names.n > 0)
        return -ENOTEMPTY;
    name_set(disk, place.dir, place.name, NULL, disk->next_change++, now_us);
    return 0;
}

void disk_fstat(const struct sim_inode *inode, struct sys_stat *out)
{
    memset(out, 0, sizeof *out);
    out->kind = inode->kind;
    out->mode = inode->mode;
    out->uid = (uint32_t)geteuid();
    out->size = blob_size(inode->now);
    out->mtime_us = inode->mtime_us;
    out->inode = inode->number;
    out->device = 1;
}

int disk_stat(const struct sim_disk *disk, const char *path, struct sys_stat *out)
{
    struct place place;
    int result = walk_there(disk, path, &place);

    if (result == 0)
        disk_fstat(place.inode, out);
    return result;
}

int disk_list(const struct sim_disk *disk, const char *path, sys_entry_fn entry, void *arg)
{
    struct place place;
    char **names;
    size_t n;
    int result = walk_there(disk, path, &place);

    if (result < 0)
        return result;
    if (place.inode->kind != SYS_DIRECTORY)
        return -ENOTDIR;
    /* A copy: the callback may make and remove files. */
    n = place.inode->names.n;
    names = sim_need(malloc((n + 1) * sizeof *names));
    for (size_t i = 0; i < n; i++)
        names[i] = sim_need(strdup(place.inode->names.at[i].name));
    for (size_t i = 0; i < n; i++) {
        if (result == 0)
            result = entry(arg, names[i]);
        free(names[i]);
    }
    free(names);
    return result;
}

/* ---- the tests' doors ---- */

struct sim_disk *sim_disk_create(void)
{
    struct sim_disk *disk = sim_need(calloc(1, sizeof *disk));

    disk->next_inode = 1;
    disk->next_change = 1;
    disk->limit = UINT64_MAX;
    disk->root = inode_create(disk, SYS_DIRECTORY, 0755, 0);
    disk->root->links = 1;
    return disk;
}

void sim_disk_destroy(struct sim_disk *disk)
{
    if (disk == NULL)
        return;
    for (size_t i = 0; i < disk->n_inodes; i++)
        inode_free(disk->inodes[i]);
    free(disk->inodes);
    free(disk);
}

static void names_clone(struct names *to, const struct names *from, struct sim_disk *disk)
{
    to->at = from->n > 0 ? sim_need(malloc(from->n * sizeof *to->at)) : NULL;
    to->n = to->room = from->n;
    for (size_t i = 0; i < from->n; i++) {
        to->at[i].name = sim_need(strdup(from->at[i].name));
        to->at[i].inode = disk->inodes[from->at[i].inode->slot];
    }
}

static void inode_clone(struct sim_inode *to, const struct sim_inode *from, struct sim_disk *disk)
{
    *to = *from;
    to->opens = 0;
    to->locker = NULL;
    blob_share(to->now);
    blob_share(to->durable);
    names_clone(&to->names, &from->names, disk);
    names_clone(&to->durable_names, &from->durable_names, disk);
    to->changes = NULL;
    to->changes_room = to->n_changes;
    if (to->n_changes > 0) {
        to->changes = sim_need(malloc(to->n_changes * sizeof *to->changes));
        memcpy(to->changes, from->changes, to->n_changes * sizeof *to->changes);
    }
    for (size_t i = 0; i < to->n_changes; i++) {
        struct change *change = &to->changes[i];

        blob_share(change->bytes);
        if (change->name != NULL)
            change->name = sim_need(strdup(change->name));
        if (change->inode != NULL)
            change->inode = disk->inodes[change->inode->slot];
    }
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk)
{
    struct sim_disk *copy = sim_need(malloc(sizeof *copy));

    *copy = *disk;
    copy->inodes_room = disk->n_inodes;
    copy->inodes = sim_need(malloc(disk->n_inodes * sizeof *copy->inodes));
    for (size_t i = 0; i < disk->n_inodes; i++)
        copy->inodes[i] = sim_need(malloc(sizeof **copy->inodes));
    for (size_t i = 0; i < disk->n_inodes; i++)
        inode_clone(copy->inodes[i], disk->inodes[i], copy);
    copy->root = copy->inodes[disk->root->slot];
    for (size_t i = 0; i < disk->n_inodes; i++) /* files that were only open go */
        copy->inodes[i]->opens = disk->inodes[i]->opens > 0 && disk->inodes[i]->links == 0;
    for (size_t i = 0; i < copy->n_inodes; i++) {
        if (copy->inodes[i]->opens == 0)
            continue;
        copy->inodes[i]->opens = 0;
        inode_unsee(copy, copy->inodes[i]);
        i = (size_t)-1; /* others moved into the holes */
    }
    return copy;
}

const uint8_t *sim_disk_file(const struct sim_disk *disk, const char *path, size_t *size)
{
    struct place place;

    if (walk_there(disk, path, &place) < 0 || place.inode->kind != SYS_FILE)
        return NULL;
    *size = blob_size(place.inode->now);
    return place.inode->now != NULL ? place.inode->now->bytes : (const uint8_t *)"";
}

/* A name that is durable at once, as are all others of its directory then. */
static struct sim_inode *put_name(struct sim_disk *disk, struct place *place, uint32_t kind,
                                  int64_t mtime_us)
{
    struct sim_inode *inode = place->inode;

    if (inode == NULL) {
        inode = inode_create(disk, kind, kind == SYS_FILE ? 0644 : 0755, mtime_us);
        name_set(disk, place->dir, place->name, inode, disk->next_change++, mtime_us);
    }
    if (place->dir != NULL)
        directory_settle(disk, place->dir, NULL);
    return inode;
}

int sim_disk_put(struct sim_disk *disk, const char *path, const void *bytes, size_t n,
                 int64_t mtime_us)
{
    char clean[SIM_PATH];
    struct place place;
    struct sim_inode *inode;
    int result = sim_path(path, clean);

    if (result < 0)
        return result;
    for (size_t i = 1; clean[i] != '\0'; i++) {
        if (clean[i] != '/')
            continue;
        clean[i] = '\0';
        result = walk(disk, clean, &place);
        if (result < 0)
            return result;
        put_name(disk, &place, SYS_DIRECTORY, mtime_us);
        clean[i] = '/';
    }
    result = walk(disk, clean, &place);
    if (result < 0)
        return result;
    if (place.inode != NULL && place.inode->kind == SYS_DIRECTORY)
        return -EISDIR;
    inode = put_name(disk, &place, SYS_FILE, mtime_us);
    file_settle(inode, NULL);
    disk->used = disk->used - blob_size(inode->now) + n;
    blob_drop(inode->now);
    blob_drop(inode->durable);
    inode->now = blob_make(bytes, n);
    inode->durable = blob_share(inode->now);
    inode->mtime_us = mtime_us;
    return 0;
}

struct found {
    char **paths;
    size_t n, room;
};

static void collect(const struct sim_inode *inode, const char *path, struct found *found)
{
    if (inode->kind == SYS_FILE) {
        found->paths = sim_grow(found->paths, found->n, &found->room, sizeof *found->paths);
        found->paths[found->n++] = sim_need(strdup(path));
        return;
    }
    for (size_t i = 0; i < inode->names.n; i++) {
        const struct entry *entry = &inode->names.at[i];
        size_t length = strlen(path);
        size_t room = length + strlen(entry->name) + 2;
        char *below = sim_need(malloc(room));

        snprintf(below, room, "%s%s%s", path,
                 length == 0 || path[length - 1] == '/' ? "" : "/", entry->name);
        collect(entry->inode, below, found);
        free(below);
    }
}

static int path_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sim_disk_each(const struct sim_disk *disk, const char *below,
                   void (*fn)(void *arg, const char *path), void *arg)
{
    struct found found = {0};
    struct place place;

    if (walk_there(disk, *below != '\0' ? below : "/", &place) < 0)
        return;
    collect(place.inode, below, &found);
    if (found.n > 0)
        qsort(found.paths, found.n, sizeof *found.paths, path_order);
    for (size_t i = 0; i < found.n; i++) {
        fn(arg, found.paths[i]);
        free(found.paths[i]);
    }
    free(found.paths);
}

void sim_disk_limit(struct sim_disk *disk, uint64_t bytes)
{
    disk->limit = bytes;
}
