/*
 * sim_inode.c - files and directories in memory that know what a power loss may leave of them.
 *
 * Model. An inode is a file or a directory and exists twice: as the process sees it (`now`) and as
 * the platter holds it (`durable`), with the list of *changes* between the two, oldest first:
 *
 *   file       now, durable: bytes      change: a write (offset, bytes) or a truncation (size)
 *   directory  now, durable: name→inode change: "name is inode X", or "name is nothing"
 *
 * Invariants
 *  1. durable with all changes applied in order gives now (until a sync has failed).
 *  2. sync applies the changes of one file to durable, sync_dir those of one directory. Neither
 *     touches the other: a synced file without a synced entry can be lost, and a durable entry can
 *     name an empty file.
 *  3. A power loss applies a subset of the changes, in order; so what is durable is never lost
 *     except by a later change to the same bytes or name. Leaving out a change and keeping a later
 *     one is the reordering that disks do.
 *  4. A write may be applied in part: pieces end at multiples of 512 bytes of the file, so a sector
 *     is old or new. The size is what the kept changes make it; gaps read as zeros.
 *  5. The two halves of a rename share one number, and whether a change is kept hangs on its number
 *     alone: while neither half is durable they come or go together. If two directories are
 *     concerned and one was synced, the other half is on its own: the file may then have two names,
 *     or none.
 *  6. A sync that fails settles at once which changes reached the platter; the rest will not be
 *     written by a later sync either, as kernels do that mark pages clean after a failed write.
 *
 * Which subset: a state draws a mood: all changes up to a moment, all from a moment on, or each by
 * itself with a drawn chance of being kept; and in each of them a chance of being torn. Independent
 * coins alone would hardly ever give the first two, which are what disks mostly do.
 *
 * Bytes are blobs with a count of owners, copied by the first owner who writes, so that clones are
 * cheap. Memory: this is a test double; without memory it aborts.
 */
#include "core/sys/sim_inode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

/* ---- memory, chance ---- */

void *sim_need(void *memory)
{
    if (memory == NULL) {
        fputs("sim: no memory\n", stderr);
        abort();
    }
    return memory;
}

/* Room for one more in an array of `n`; doubles. */
void *sim_grow(void *array, size_t n, size_t *room, size_t each)
{
    if (n < *room)
        return array;
    *room = *room == 0 ? 4 : *room * 2;
    return sim_need(realloc(array, *room * each));
}

uint64_t sim_draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- blobs ---- */

struct blob *blob_share(struct blob *blob)
{
    if (blob != NULL)
        atomic_fetch_add(&blob->owners, 1);
    return blob;
}

void blob_drop(struct blob *blob)
{
    if (blob != NULL && atomic_fetch_sub(&blob->owners, 1) == 1)
        free(blob);
}

size_t blob_size(const struct blob *blob)
{
    return blob != NULL ? blob->size : 0;
}

/* Makes *at a blob of our own with room for `room` bytes. */
static struct blob *blob_own(struct blob **at, size_t room)
{
    struct blob *old = *at;
    struct blob *blob;
    size_t size = blob_size(old);

    if (old != NULL && atomic_load(&old->owners) == 1) {
        if (room <= old->room)
            return old;
        room = room < old->room * 2 ? old->room * 2 : room;
        *at = sim_need(realloc(old, sizeof *old + room));
        (*at)->room = room;
        return *at;
    }
    if (room < size)
        room = size;
    blob = sim_need(malloc(sizeof *blob + room));
    atomic_init(&blob->owners, 1);
    blob->size = size;
    blob->room = room;
    if (size > 0)
        memcpy(blob->bytes, old->bytes, size);
    blob_drop(old);
    return *at = blob;
}

void blob_resize(struct blob **at, size_t size)
{
    struct blob *blob = blob_own(at, size);

    if (size > blob->size)
        memset(blob->bytes + blob->size, 0, size - blob->size);
    blob->size = size;
}

void blob_write(struct blob **at, uint64_t offset, const uint8_t *bytes, size_t n)
{
    struct blob *blob;

    if (n == 0)
        return;
    blob = blob_own(at, (size_t)offset + n);
    if (offset > blob->size)
        blob_resize(at, (size_t)offset);
    memcpy(blob->bytes + offset, bytes, n);
    if (offset + n > blob->size)
        blob->size = (size_t)offset + n;
}

struct blob *blob_make(const void *bytes, size_t n)
{
    struct blob *blob = NULL;

    blob_resize(&blob, 0);
    blob_write(&blob, 0, bytes, n);
    return blob;
}

/* ---- tables ---- */

/* Index of the first entry not below `name`. */
static size_t names_find(const struct names *table, const char *name, int *found)
{
    size_t low = 0, high = table->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(table->at[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < table->n && strcmp(table->at[low].name, name) == 0;
    return low;
}

struct sim_inode *names_get(const struct names *table, const char *name)
{
    int found;
    size_t i = names_find(table, name, &found);

    return found ? table->at[i].inode : NULL;
}

/* Returns what the name was before. */
struct sim_inode *names_put(struct names *table, const char *name, struct sim_inode *inode)
{
    int found;
    size_t i = names_find(table, name, &found);
    struct sim_inode *old = found ? table->at[i].inode : NULL;

    if (found && inode != NULL) {
        table->at[i].inode = inode;
    } else if (found) {
        free(table->at[i].name);
        table->n--;
        memmove(table->at + i, table->at + i + 1, (table->n - i) * sizeof *table->at);
    } else if (inode != NULL) {
        table->at = sim_grow(table->at, table->n, &table->room, sizeof *table->at);
        memmove(table->at + i + 1, table->at + i, (table->n - i) * sizeof *table->at);
        table->at[i].name = sim_need(strdup(name));
        table->at[i].inode = inode;
        table->n++;
    }
    return old;
}

void names_clear(struct names *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->at[i].name);
    free(table->at);
    memset(table, 0, sizeof *table);
}

/* ---- inodes ---- */

struct sim_inode *inode_create(struct sim_disk *disk, uint32_t kind, uint32_t mode,
                                      int64_t now_us)
{
    struct sim_inode *inode = sim_need(calloc(1, sizeof *inode));

    inode->number = disk->next_inode++;
    inode->kind = kind;
    inode->mode = mode;
    inode->mtime_us = now_us;
    inode->slot = disk->n_inodes;
    disk->inodes =
        sim_grow(disk->inodes, disk->n_inodes, &disk->inodes_room, sizeof *disk->inodes);
    disk->inodes[disk->n_inodes++] = inode;
    return inode;
}

void inode_free(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->n_changes; i++) {
        blob_drop(inode->changes[i].bytes);
        free(inode->changes[i].name);
    }
    free(inode->changes);
    names_clear(&inode->names);
    names_clear(&inode->durable_names);
    blob_drop(inode->now);
    blob_drop(inode->durable);
    free(inode);
}

int inode_seen(const struct sim_inode *inode)
{
    return inode->links > 0 || inode->opens > 0;
}

static void inode_unhold(struct sim_disk *disk, struct sim_inode *inode);

/* Frees an inode that nothing names any more, and what only it named. */
void inode_settle(struct sim_disk *disk, struct sim_inode *inode)
{
    if (inode_seen(inode) || inode->holds > 0)
        return;
    disk->inodes[inode->slot] = disk->inodes[--disk->n_inodes];
    disk->inodes[inode->slot]->slot = inode->slot;
    inode->holds = 1; /* ours, so that nobody below settles it again */
    for (size_t i = 0; i < inode->durable_names.n; i++)
        inode_unhold(disk, inode->durable_names.at[i].inode);
    for (size_t i = 0; i < inode->n_changes; i++)
        inode_unhold(disk, inode->changes[i].inode);
    inode_free(inode);
}

static void inode_unhold(struct sim_disk *disk, struct sim_inode *inode)
{
    if (inode == NULL)
        return;
    inode->holds--;
    inode_settle(disk, inode);
}

/* After links or opens went down. */
void inode_unsee(struct sim_disk *disk, struct sim_inode *inode)
{
    if (!inode_seen(inode))
        disk->used -= blob_size(inode->now);
    inode_settle(disk, inode);
}

struct change *change_add(struct sim_inode *inode, uint64_t number)
{
    struct change *change;

    inode->changes =
        sim_grow(inode->changes, inode->n_changes, &inode->changes_room, sizeof *inode->changes);
    change = &inode->changes[inode->n_changes++];
    memset(change, 0, sizeof *change);
    change->number = number;
    return change;
}

static void name_set_durable(struct sim_disk *disk, struct sim_inode *dir, const char *name,
                             struct sim_inode *inode)
{
    struct sim_inode *old;

    if (inode != NULL)
        inode->holds++;
    old = names_put(&dir->durable_names, name, inode);
    inode_unhold(disk, old);
}

/* Gives a name a meaning as the process sees it, and remembers the change. */
void name_set(struct sim_disk *disk, struct sim_inode *dir, const char *name,
                     struct sim_inode *inode, uint64_t number, int64_t now_us)
{
    struct change *change = change_add(dir, number);
    struct sim_inode *old;

    change->name = sim_need(strdup(name));
    change->inode = inode;
    if (inode != NULL) {
        inode->holds++;
        inode->links++;
    }
    dir->mtime_us = now_us;
    old = names_put(&dir->names, name, inode);
    if (old != NULL) {
        old->links--;
        inode_unsee(disk, old);
    }
}

/* ---- durability ---- */

#define KEEP 1
#define DROP 2
#define TEAR 3

/* Hangs on the number of the change alone (invariant 5). */
static int mood_fate(const struct mood *mood, uint64_t number)
{
    uint64_t state = mood->seed ^ (number * 0xd1342543de82ef95u);
    uint64_t draw = sim_draw(&state);

    if ((draw >> 8) % 8 < mood->tear)
        return TEAR;
    if (mood->each)
        return draw % 8 < mood->keep ? KEEP : DROP;
    return number >= mood->from && number < mood->below ? KEEP : DROP;
}

/* There is no half of an entry: a torn one is there or not. */
static int mood_keeps(const struct mood *mood, uint64_t number)
{
    uint64_t state = mood->seed + number;
    int fate = mood_fate(mood, number);

    return fate == KEEP || (fate == TEAR && sim_draw(&state) % 2 == 0);
}

struct mood mood_draw(uint64_t seed, uint64_t first, uint64_t end)
{
    static const uint8_t keeps[] = {0, 1, 4, 7, 8};
    static const uint8_t tears[] = {0, 1, 4};
    struct mood mood = {.seed = seed, .from = 0, .below = UINT64_MAX};
    uint64_t state = seed;
    uint64_t cut = first + (end > first ? sim_draw(&state) % (end - first + 1) : 0);

    switch (sim_draw(&state) % 4) {
    case 0:
        mood.below = cut;
        break;
    case 1:
        mood.from = cut;
        break;
    default:
        mood.each = 1;
        mood.keep = keeps[sim_draw(&state) % sizeof keeps];
    }
    mood.tear = tears[sim_draw(&state) % sizeof tears];
    return mood;
}

static void apply_all(struct blob **durable, const struct change *change)
{
    if (change->bytes == NULL)
        blob_resize(durable, (size_t)change->offset);
    else
        blob_write(durable, change->offset, change->bytes->bytes, change->bytes->size);
}

/* Applies the sectors of a write that a torn one may leave: the first ones, the last ones or any.
 * */
static void apply_torn(struct blob **durable, const struct change *change, uint64_t seed)
{
    uint64_t state = seed ^ change->number;
    uint64_t first = change->offset / SECTOR;
    uint64_t end, sectors, how, cut;

    if (change->bytes == NULL) { /* there is no half of a truncation */
        if (sim_draw(&state) % 2 == 0)
            apply_all(durable, change);
        return;
    }
    end = change->offset + change->bytes->size;
    sectors = (end - 1) / SECTOR - first + 1;
    how = sim_draw(&state) % 3;
    cut = sim_draw(&state) % (sectors + 1);
    for (uint64_t i = 0; i < sectors; i++) {
        uint64_t start = (first + i) * SECTOR;
        uint64_t stop = start + SECTOR < end ? start + SECTOR : end;

        if (how == 0 ? i >= cut : how == 1 ? i < cut : sim_draw(&state) % 2 == 0)
            continue;
        if (start < change->offset)
            start = change->offset;
        blob_write(durable, start, change->bytes->bytes + (start - change->offset),
                   (size_t)(stop - start));
    }
}

/* Brings durable forward by what the mood keeps (NULL: everything) and forgets the changes. */
void file_settle(struct sim_inode *inode, const struct mood *mood)
{
    for (size_t i = 0; i < inode->n_changes; i++) {
        struct change *change = &inode->changes[i];
        int fate = mood != NULL ? mood_fate(mood, change->number) : KEEP;

        if (fate == KEEP)
            apply_all(&inode->durable, change);
        else if (fate == TEAR)
            apply_torn(&inode->durable, change, mood->seed);
        blob_drop(change->bytes);
    }
    inode->n_changes = 0;
}

void directory_settle(struct sim_disk *disk, struct sim_inode *dir, const struct mood *mood)
{
    for (size_t i = 0; i < dir->n_changes; i++) {
        struct change *change = &dir->changes[i];

        if (mood == NULL || mood_keeps(mood, change->number))
            name_set_durable(disk, dir, change->name, change->inode);
        free(change->name);
        change->name = NULL;
        if (change->inode != NULL)
            inode_unhold(disk, change->inode);
    }
    dir->n_changes = 0;
}

