/*
 * log.c - the checkpoint directory: opening, appending, syncing, retention.
 *
 * Layouts: records and segments in segment.c, payloads in record.c, lock in lock.c, weir.json in
 * identity.c. What a start takes for a torn tail and what for corruption is in replay.c.
 *
 * Invariants:
 *
 *  1. Order of a sync: fence; extents; names of new extent files; records (one write); the
 *     segment; the name of a new segment. Nothing durable ever names what is not.
 *  2. `durable` is the end of the last sync that returned. Records carry it as it was when they
 *     were appended; all that are appended between two syncs carry the same one and go out
 *     together.
 *  3. A segment is left only right after a sync, when all of it is durable; a group of records
 *     is never split.
 *  4. After a failed sync nobody knows what is on the disk: the log is `dead`, and only another
 *     opening, which reads what is there, goes on.
 *  5. Without room nothing is lost: the group stays in memory and is written again, longer
 *     perhaps, at the same offset. The bytes already there are a part of the same group.
 *  6. What an opening finds behind the last sync of its predecessor is synced before it is
 *     relied on; a torn tail is cut durably before anything is appended.
 *  7. Files go only after the pointer to the first one needed is durable.
 *
 * Making a checkpoint: lock, first segment with its first record, their names, weir.json, its
 * name. So a directory with weir.json has a segment, and one without holds at most the leftovers
 * of an unfinished making.
 */
#include "core/log/extent.h"
#include "core/log/replay.h"

#include "core/sys/planted.h"

#include <errno.h>

#define SEGMENT_BYTES (64u << 20)
#define PENDING_KEEP (4u << 20) /* memory kept for the next group */

struct log {
    struct log_dir dir;
    struct identity identity;
    struct lock lock;
    int read_only;
    int dead;
    uint64_t segment_bytes;

    struct segment_info *segments; /* all, the current one last */
    uint32_t n_segments, capacity;
    int fd;            /* current segment; -1: not made yet */
    int fresh;         /* its name is not durable yet */
    uint64_t offset;   /* its end on the disk */
    uint64_t previous; /* length of the one before */

    struct position durable;
    uint64_t sequence;         /* of the last record appended */
    uint64_t durable_sequence; /* of the last record synced */
    struct weir_buffer pending;
    struct extents extents;
    uint64_t bytes; /* of all files, less the extents written since the opening; modulo 2^64 */
};

static int32_t log_die(struct log *log, int32_t class)
{
    if (class == WEIR_FATAL)
        log->dead = 1;
    return class;
}

static int32_t log_usable(const struct log *log, struct weir_error *error)
{
    if (log->read_only)
        return weir_fail(error, WEIR_FATAL, "%.300s: opened for reading", log->dir.path);
    if (log->dead)
        return weir_fail(error, WEIR_FATAL,
                         "%.300s: an earlier failure of the log is final; start again",
                         log->dir.path);
    return WEIR_OK;
}

static struct segment_info *segment_current(const struct log *log)
{
    return &log->segments[log->n_segments - 1];
}

/* Appending */

static void frame_append(struct log *log, uint32_t type, uint32_t version, uint64_t batch,
                         struct weir_bytes payload)
{
    struct frame frame = {
        .type = type,
        .version = version,
        .sequence = ++log->sequence,
        .salt = log->identity.salt,
        .generation = log->lock.generation,
        .batch = batch,
        .durable = log->durable,
    };

    if (planted(PLANTED_LOG_DURABLE_HIGH)) {
        frame.durable.segment = segment_current(log)->number;
        frame.durable.offset = log->offset + log->pending.length;
    }
    frame_put(&log->pending, &frame, payload);
}

static void segment_begin(struct log *log)
{
    uint8_t first[SEGMENT_PAYLOAD];

    put_u32(first, SEGMENT_FORMAT);
    put_u32(first + 4, segment_current(log)->number);
    put_u64(first + 8, log->previous);
    identity_id(&log->identity, first + 16);
    segment_current(log)->first_sequence = log->sequence + 1;
    frame_append(log, LOG_SEGMENT, SEGMENT_FORMAT, 0,
                 (struct weir_bytes){first, sizeof first});
}

/* Leaves the current segment, all of which is durable. */
static void segment_leave(struct log *log)
{
    uint32_t number = segment_current(log)->number + 1;

    if (log->fd >= 0)
        sys_close(log->dir.sys, log->fd);
    log->fd = -1;
    log->previous = log->offset;
    log->offset = 0;
    log->segments[log->n_segments++].number = number;
}

static int32_t segments_grow(struct log *log, struct weir_error *error)
{
    uint32_t capacity = log->capacity + log->capacity / 2 + 8;
    struct segment_info *segments;

    if (log->n_segments < log->capacity)
        return WEIR_OK;
    segments = mem_realloc(log->segments, capacity * sizeof *segments);
    if (!segments)
        return weir_fail(error, WEIR_FATAL, "log: no memory");
    log->segments = segments;
    log->capacity = capacity;
    return WEIR_OK;
}

int32_t log_append(struct log *log, uint32_t type, uint32_t version, uint64_t batch,
                   struct weir_bytes payload, struct weir_error *error)
{
    uint64_t bytes = frame_bytes(payload.length);
    int32_t class = log_usable(log, error);
    int leave, begin;

    if (class != WEIR_OK)
        return class;
    if (payload.length > RECORD_MAX)
        return weir_fail(error, WEIR_FATAL, "log: a record of %llu bytes; at most %llu",
                         (unsigned long long)payload.length, (unsigned long long)RECORD_MAX);
    leave = !log->pending.length && log->offset && log->offset + bytes > log->segment_bytes;
    begin = leave || (!log->pending.length && !log->offset);
    if (leave && segment_current(log)->number == UINT32_MAX)
        return weir_fail(error, WEIR_FATAL, "log: no more numbers for segments");
    /* All memory first: what follows can't fail. */
    class = segments_grow(log, error);
    if (class != WEIR_OK)
        return class;
    if (buffer_grow(&log->pending, bytes + (begin ? SEGMENT_FIRST_BYTES : 0)) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "log: no memory for a record of %llu bytes",
                         (unsigned long long)bytes);
    if (leave)
        segment_leave(log);
    if (begin)
        segment_begin(log);
    frame_append(log, type, version, batch, payload);
    return WEIR_OK;
}

/* Syncing */

static int32_t segment_make(struct log *log, struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];

    family_name(FAMILY_LOG, segment_current(log)->number, name);
    dir_file(&log->dir, name, path);
    log->fd = sys_open(log->dir.sys, path, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE);
    if (log->fd < 0)
        return log_die(log, file_fail(error, log->fd, "make", path));
    log->fresh = 1;
    return WEIR_OK;
}

/* Syncs the current segment, and its name if that is new. Every failure is final. */
static int32_t segment_sync(struct log *log, struct weir_error *error)
{
    char name[NAME_BYTES];
    int32_t class = WEIR_OK;
    int rc = 0;

    if (!planted(PLANTED_LOG_SEGMENT_SYNC))
        rc = sys_sync(log->dir.sys, log->fd);
    if (rc < 0) {
        log->dead = 1;
        family_name(FAMILY_LOG, segment_current(log)->number, name);
        return file_final(error, rc, "sync", name);
    }
    if (log->fresh && !planted(PLANTED_LOG_SEGMENT_DIR))
        class = log_die(log, dir_sync(&log->dir, error));
    if (class == WEIR_OK)
        log->fresh = 0;
    return class;
}

static int32_t pending_write(struct log *log, struct weir_error *error)
{
    char name[NAME_BYTES];
    int32_t class;
    int rc;

    if (!log->pending.length)
        return WEIR_OK;
    class = log->fd < 0 ? segment_make(log, error) : WEIR_OK;
    if (class != WEIR_OK)
        return class;
    rc = file_write(log->dir.sys, log->fd, log->pending.data, log->pending.length, log->offset);
    if (rc < 0) {
        family_name(FAMILY_LOG, segment_current(log)->number, name);
        return log_die(log, file_fail(error, rc, "write", name));
    }
    class = segment_sync(log, error);
    if (class != WEIR_OK)
        return class;
    log->offset += log->pending.length;
    log->bytes += log->pending.length;
    log->durable.segment = segment_current(log)->number;
    log->durable.offset = log->offset;
    log->durable_sequence = log->sequence;
    log->pending.length = 0;
    if (log->pending.capacity > PENDING_KEEP) {
        mem_free(log->pending.data);
        memset(&log->pending, 0, sizeof log->pending);
    }
    return WEIR_OK;
}

static int extents_pending(const struct log *log)
{
    uint32_t kind;
    int dirty = log->extents.fresh;

    for (kind = 1; kind < FAMILIES; kind++)
        dirty |= log->extents.writer[kind].dirty;
    return dirty;
}

int32_t log_sync(struct log *log, struct weir_error *error)
{
    int32_t class = log_usable(log, error);

    if (class != WEIR_OK)
        return class;
    if (!log->pending.length && !extents_pending(log))
        return WEIR_OK;
    class = log_die(log, lock_check(&log->dir, &log->lock, error));
    if (class != WEIR_OK)
        return class;
    if (planted(PLANTED_LOG_EXTENT_ORDER))
        class = pending_write(log, error);
    if (class == WEIR_OK)
        class = log_die(log, extents_sync(&log->extents, error));
    return class == WEIR_OK ? pending_write(log, error) : class;
}

int32_t log_extent_write(struct log *log, uint32_t kind, struct weir_bytes bytes,
                         struct extent *out, struct weir_error *error)
{
    int32_t class = log_usable(log, error);
    int final = 0;

    if (class != WEIR_OK)
        return class;
    if (kind < 1 || kind >= FAMILIES)
        return weir_fail(error, WEIR_FATAL, "log: an extent of unknown kind %u", kind);
    class = extents_write(&log->extents, kind, bytes, out, &final, error);
    log->dead |= final;
    return class;
}

int32_t log_extent_read(struct log *log, const struct extent *extent, uint8_t **out,
                        struct weir_error *error)
{
    return extent_read(&log->dir, extent, out, error);
}

/* Retention */

/* Removes every numbered file below the pointers; durable when it returns. */
static int32_t files_remove(struct log *log, const struct need *need, struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    struct listing listing;
    int32_t class = listing_read(&log->dir, &listing, error);
    uint32_t i, gone = 0;

    if (class != WEIR_OK)
        return class;
    for (i = 0; i < listing.n && class == WEIR_OK; i++) {
        const struct listed *file = &listing.files[i];
        struct sys_stat st = {0};
        int rc;

        if (file->number >= need->first[file->family])
            continue;
        family_name(file->family, file->number, name);
        dir_file(&log->dir, name, path);
        rc = sys_stat_path(log->dir.sys, path, &st);
        if (rc == 0)
            rc = sys_unlink(log->dir.sys, path);
        if (rc < 0 && rc != -ENOENT)
            class = file_fail(error, rc, "remove", path);
        else if (rc == 0)
            log->bytes -= st.size;
        gone++;
    }
    listing_free(&listing);
    return class == WEIR_OK && gone ? dir_sync(&log->dir, error) : class;
}

/* What may go: segments that end before `sequence`, extent files below the least needed and not
 * in use. */
static uint32_t need_raise(const struct log *log, uint64_t sequence, const uint32_t least_file[5],
                           struct need *need)
{
    uint32_t segments = 0, kind, raised;

    if (sequence > log->durable_sequence)
        sequence = log->durable_sequence;
    while (segments + 1 < log->n_segments &&
           log->segments[segments + 1].first_sequence <= sequence)
        segments++;
    need->first[FAMILY_LOG] = log->segments[segments].number;
    raised = segments;
    for (kind = 1; kind < FAMILIES; kind++) {
        const struct extent_writer *w = &log->extents.writer[kind];
        uint32_t least = w->fd >= 0 ? w->number : log->extents.next[kind];

        if (least_file[kind] < least)
            least = least_file[kind];
        if (least > need->first[kind]) {
            need->first[kind] = least;
            raised++;
        }
    }
    return raised;
}

void log_extent_files(const struct log *log, uint32_t files[5])
{
    files[0] = 0;
    for (uint32_t kind = 1; kind < FAMILIES; kind++) {
        const struct extent_writer *w = &log->extents.writer[kind];
        files[kind] = w->fd >= 0 ? w->number : log->extents.next[kind];
    }
}

int32_t log_need(struct log *log, uint64_t sequence, const uint32_t least_file[5],
                 struct weir_error *error)
{
    struct need need = log->lock.need;
    int32_t class = log_usable(log, error);
    uint32_t segments;

    if (class != WEIR_OK)
        return class;
    if (!need_raise(log, sequence, least_file, &need))
        return WEIR_OK;
    class = log_die(log, lock_check(&log->dir, &log->lock, error));
    if (class == WEIR_OK && planted(PLANTED_LOG_UNLINK_EARLY))
        class = files_remove(log, &need, error);
    if (class == WEIR_OK)
        class = log_die(log, lock_point(&log->dir, &log->lock, &need, error));
    if (class != WEIR_OK)
        return class;
    for (segments = 0; log->segments[segments].number < need.first[FAMILY_LOG]; segments++)
        ;
    log->n_segments -= segments;
    memmove(log->segments, log->segments + segments, log->n_segments * sizeof *log->segments);
    return log_die(log, files_remove(log, &need, error));
}

/* Opening */

/* A directory without weir.json may hold only what an unfinished making leaves. */
static int32_t vacant(const struct log_dir *dir, struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    struct listing listing;
    struct sys_stat st;
    int32_t class;
    int rc = sys_stat_path(dir->sys, dir->path, &st);

    if (rc == -ENOENT)
        return WEIR_OK;
    if (rc < 0)
        return file_fail(error, rc, "stat", dir->path);
    class = listing_read(dir, &listing, error);
    if (class != WEIR_OK)
        return class;
    if (listing.foreign) {
        class = weir_fail(error, WEIR_CONFIG,
                          "%.300s: not a checkpoint and not empty (there is %.63s); name another "
                          "directory", dir->path, listing.stranger);
    } else if (listing.n) {
        family_name(listing.files[0].family, listing.files[0].number, name);
        dir_file(dir, name, path);
        rc = sys_stat_path(dir->sys, path, &st);
        if (rc < 0)
            class = file_fail(error, rc, "stat", path);
        else if (listing.n > 1 || listing.files[0].family != FAMILY_LOG ||
                 listing.files[0].number != 1 || st.size > SEGMENT_FIRST_BYTES)
            class = weir_fail(error, WEIR_DATA,
                              "%.300s: damaged: weir.json is missing beside %s; put it back from "
                              "a copy, or name another directory", dir->path, name);
    }
    listing_free(&listing);
    return class;
}

/* Reads weir.json, or finds the place free for a new one. */
static int32_t log_identify(struct log *log, const struct log_options *options, int *found,
                            struct weir_error *error)
{
    int32_t class = identity_read(&log->dir, &log->identity, found, error);

    if (class != WEIR_OK)
        return class;
    if (*found)
        return identity_match(&log->dir, &log->identity, options->job_name, error);
    if (options->read_only && !options->job_name)
        return weir_fail(error, WEIR_CONFIG, "%.300s: no checkpoint here", log->dir.path);
    if (!options->job_name)
        return weir_fail(error, WEIR_CONFIG, "%.300s: a new checkpoint needs the name of a job",
                         log->dir.path);
    return vacant(&log->dir, error);
}

static int32_t log_create(struct log *log, const char *job, struct weir_error *error)
{
    struct need need = {{1, 1, 1, 1, 1}};
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    int32_t class = identity_mint(&log->dir, job, &log->identity, error);

    if (class == WEIR_OK)
        class = lock_raise(&log->dir, &log->lock, 0, error);
    if (class == WEIR_OK)
        class = lock_point(&log->dir, &log->lock, &need, error);
    if (class == WEIR_OK)
        class = segments_grow(log, error);
    if (class == WEIR_OK && buffer_grow(&log->pending, SEGMENT_FIRST_BYTES) != WEIR_OK)
        class = weir_fail(error, WEIR_FATAL, "log: no memory");
    if (class != WEIR_OK)
        return class;
    family_name(FAMILY_LOG, 1, name);
    dir_file(&log->dir, name, path);
    log->fd = sys_open(log->dir.sys, path, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_TRUNCATE);
    if (log->fd < 0)
        return file_fail(error, log->fd, "make", path);
    log->fresh = 1;
    log->segments[0].number = 1;
    log->n_segments = 1;
    segment_begin(log);
    class = pending_write(log, error);
    return class == WEIR_OK ? identity_write(&log->dir, &log->identity, error) : class;
}

/* Cuts what is torn, and makes durable what was found (rule 6). */
static int32_t tail_settle(struct log *log, const struct replay *r, struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    int rc = 0;

    family_name(FAMILY_LOG, r->end.segment, name);
    dir_file(&log->dir, name, path);
    log->fd = sys_open(log->dir.sys, path, SYS_READ | SYS_WRITE);
    if (log->fd < 0)
        return file_fail(error, log->fd, "open", path);
    if (planted(PLANTED_LOG_NO_CUT))
        log->offset += r->behind;
    else if (r->behind)
        rc = sys_truncate(log->dir.sys, log->fd, r->end.offset);
    if (rc >= 0 && !planted(PLANTED_LOG_CUT_SYNC))
        rc = sys_sync(log->dir.sys, log->fd);
    if (rc < 0)
        return file_final(error, rc, r->behind ? "cut" : "sync", path);
    return dir_sync(&log->dir, error);
}

/* Marks the cut; what was cut can then not be mistaken even if it comes back. Needs no room now. */
static int32_t tail_mark(struct log *log, const struct replay *r, struct weir_error *error)
{
    struct weir_error full = WEIR_ERROR_INIT;
    uint8_t payload[CUT_PAYLOAD];
    int32_t class;

    put_u64(payload, r->end.offset);
    put_u64(payload + 8, r->behind);
    class = log_append(log, LOG_CUT, 1, 0, (struct weir_bytes){payload, sizeof payload}, error);
    if (class == WEIR_OK)
        class = log_sync(log, &full);
    if (class == WEIR_RETRY)
        return WEIR_OK;
    if (class != WEIR_OK && error && error->error_class == WEIR_OK)
        weir_fail(error, class, "%s", full.text);
    return class;
}

static void log_adopt(struct log *log, struct replay *r, const struct listing *listing,
                      struct log_report *report)
{
    char name[NAME_BYTES];
    uint32_t i;

    log->segments = r->segments;
    log->n_segments = log->capacity = r->n_segments;
    r->segments = NULL;
    log->offset = r->end.offset;
    log->previous = r->previous;
    log->sequence = log->durable_sequence = r->sequence;
    log->durable = r->end;
    if (!r->end.offset) /* it holds nothing yet, and nothing before it may go for its sake */
        segment_current(log)->first_sequence = log->sequence + 1;
    for (i = 0; i < FAMILIES; i++)
        if (r->need.first[i] > log->extents.next[i])
            log->extents.next[i] = r->need.first[i];
    for (i = 0; i < listing->n; i++)
        if (listing->files[i].number >= log->extents.next[listing->files[i].family] &&
            listing->files[i].number < UINT32_MAX)
            log->extents.next[listing->files[i].family] = listing->files[i].number + 1;
    report->records = r->records;
    if (r->why && r->behind) {
        family_name(FAMILY_LOG, r->end.segment, name);
        report->cut_bytes = r->behind;
        snprintf(report->cut, sizeof report->cut, "%s: offset %llu: %llu bytes of a torn tail: %s",
                 name, (unsigned long long)r->end.offset, (unsigned long long)r->behind, r->why);
    }
}

static int32_t log_replay(struct log *log, log_record_fn fn, void *arg, struct log_report *report,
                          struct weir_error *error)
{
    struct listing listing;
    struct replay r = {
        .dir = &log->dir,
        .identity = &log->identity,
        .listing = &listing,
        .need = log->lock.need,
        .certain = log->lock.certain,
        .fn = fn,
        .arg = arg,
    };
    int32_t class = listing_read(&log->dir, &listing, error);

    if (class == WEIR_OK)
        class = replay_run(&r, error);
    if (class == WEIR_OK)
        log_adopt(log, &r, &listing, report);
    if (class != WEIR_OK || log->read_only)
        goto done;
    if (r.generation >= log->lock.generation)
        class = lock_raise(&log->dir, &log->lock, r.generation, error);
    if (class == WEIR_OK && !log->lock.certain)
        class = lock_point(&log->dir, &log->lock, &r.need, error);
    if (class == WEIR_OK)
        class = tail_settle(log, &r, error);
    if (class == WEIR_OK)
        class = files_remove(log, &r.need, error);
    if (class == WEIR_OK && r.behind)
        class = tail_mark(log, &r, error);
done:
    mem_free(r.segments);
    listing_free(&listing);
    return class;
}

static int32_t log_measure(struct log *log, struct weir_error *error)
{
    char name[NAME_BYTES], path[PATH_MAX_BYTES];
    struct listing listing;
    struct sys_stat st;
    int32_t class = listing_read(&log->dir, &listing, error);
    uint32_t i;

    log->bytes = 0;
    for (i = 0; class == WEIR_OK && i < listing.n; i++) {
        family_name(listing.files[i].family, listing.files[i].number, name);
        dir_file(&log->dir, name, path);
        if (sys_stat_path(log->dir.sys, path, &st) == 0)
            log->bytes += st.size;
    }
    listing_free(&listing);
    return class;
}

int32_t log_open(struct weir_sys *sys, const struct log_options *options, log_record_fn fn,
                 void *arg, struct log **out, struct log_report *report, struct weir_error *error)
{
    struct log *log = mem_alloc(sizeof *log);
    struct log_report unused;
    int32_t class;
    int found = 0;

    *out = NULL;
    if (!report)
        report = &unused;
    memset(report, 0, sizeof *report);
    if (!log)
        return weir_fail(error, WEIR_FATAL, "log: no memory");
    memset(log, 0, sizeof *log);
    log->fd = log->lock.fd = -1;
    log->read_only = options->read_only;
    log->segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    class = dir_init(&log->dir, sys, options->directory, error);
    extents_init(&log->extents, &log->dir, log->segment_bytes);
    if (class == WEIR_OK)
        class = log_identify(log, options, &found, error);
    if (class == WEIR_OK && !found && log->read_only) {
        log_close(log);
        return WEIR_OK;
    }
    if (class == WEIR_OK && !found)
        class = dir_make(&log->dir, error);
    if (class == WEIR_OK)
        class = log->read_only ? lock_look(&log->dir, &log->lock, error)
                               : lock_take(&log->dir, &log->lock, error);
    if (class == WEIR_OK && !found) /* another process may have made it in between */
        class = log_identify(log, options, &found, error);
    report->created = !found;
    if (class == WEIR_OK && !found)
        class = log_create(log, options->job_name, error);
    else if (class == WEIR_OK && !log->read_only)
        class = lock_raise(&log->dir, &log->lock, 0, error);
    if (class == WEIR_OK && found)
        class = log_replay(log, fn, arg, report, error);
    if (class == WEIR_OK)
        class = log_measure(log, error);
    if (class != WEIR_OK) {
        log_close(log);
        return class;
    }
    *out = log;
    return WEIR_OK;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    extents_fini(&log->extents);
    if (log->fd >= 0)
        sys_close(log->dir.sys, log->fd);
    lock_drop(&log->dir, &log->lock);
    identity_fini(&log->identity);
    mem_free(log->segments);
    mem_free(log->pending.data);
    mem_free(log);
}

const char *log_job_id(const struct log *log)
{
    return log->identity.id;
}

uint64_t log_last_sequence(const struct log *log)
{
    return log->sequence;
}

uint64_t log_bytes(const struct log *log)
{
    uint64_t bytes = log->bytes + log->extents.bytes;

    return bytes >> 63 ? 0 : bytes; /* parts of writes that found no room are not counted */
}
