/*
 * verify.c - checkpoint verify and repair.
 *
 * verify reads everything and changes nothing: weir.json, pointers, all records, and each extent
 * that a PLAN or STATE names, unless its file is below the pointer of its kind (then retention
 * has let it go).
 *
 * repair cuts at the first damage in a segment. Nothing is thrown away: the segments behind go
 * by rename to log-<n>.cut, the last one first, then the rest of the damaged one is copied to
 * log-<n>.cut and cut off. A crash in between leaves a log that is as damaged as before or ends
 * in a torn tail at the same place; repairing again ends the same. Extents can't be mended:
 * repair says which are damaged, and whose state they are.
 */
#include "core/log/extent.h"
#include "core/log/record.h"
#include "core/log/replay.h"

#include <errno.h>
#include <stdarg.h>

struct verify {
    struct log_dir dir;
    struct identity identity;
    struct lock lock;
    struct listing listing;
    struct replay replay;
    log_say_fn say;
    void *arg;
    const char *state; /* whose the extent is that is looked at; NULL: no table's */
    uint64_t extents, gone, faults;
    struct weir_error found; /* the first finding */
};

WEIR_PRINTF(2, 3)
static void say(const struct verify *v, const char *format, ...)
{
    char line[768];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (v->say)
        v->say(v->arg, line);
}

static int32_t verify_extent(struct verify *v, const struct log_record *record,
                             const struct extent *extent, struct weir_error *error)
{
    struct weir_error why = WEIR_ERROR_INIT;
    uint8_t *bytes;
    int32_t class;

    if (extent->file < v->replay.need.first[extent->kind]) {
        v->gone++;
        return WEIR_OK;
    }
    v->extents++;
    class = extent_read(&v->dir, extent, &bytes, &why);
    mem_free(bytes);
    if (class == WEIR_DATA) {
        v->faults++;
        say(v, "%s (%llu bytes%s%s, named in batch %llu by log-%08u at offset %llu)", why.text,
            (unsigned long long)extent->length, v->state ? " of the state " : "",
            v->state ? v->state : "", (unsigned long long)record->batch, record->segment,
            (unsigned long long)record->offset);
        weir_fail(&v->found, WEIR_DATA, "%s", why.text);
        return WEIR_OK;
    }
    return class == WEIR_OK ? WEIR_OK : weir_fail(error, class, "%s", why.text);
}

static int32_t verify_extents(struct verify *v, const struct log_record *record,
                              const struct extent *extents, uint32_t n, struct weir_error *error)
{
    uint32_t i;
    int32_t class = WEIR_OK;

    for (i = 0; i < n && class == WEIR_OK; i++)
        class = verify_extent(v, record, &extents[i], error);
    return class;
}

static int32_t verify_plan(struct verify *v, const struct log_record *record,
                           struct record_arena **arena, struct weir_error *why,
                           struct weir_error *error)
{
    struct record_plan plan;
    int32_t class = record_plan_decode(record->payload, &plan, arena, why);
    uint32_t i;

    for (i = 0; i < plan.n_moves && class == WEIR_OK; i++)
        class = verify_extents(v, record, plan.moves[i].spool, plan.moves[i].n_spool, error);
    return class;
}

static int32_t verify_state(struct verify *v, const struct log_record *record,
                            struct record_arena **arena, struct weir_error *why,
                            struct weir_error *error)
{
    struct record_state state;
    int32_t class = record_state_decode(record->payload, &state, arena, why);
    uint32_t i;

    for (i = 0; i < state.n_sinks && class == WEIR_OK; i++)
        class = verify_extents(v, record, state.sinks[i].output, state.sinks[i].n_output, error);
    for (i = 0; i < state.n_pieces && class == WEIR_OK; i++) {
        v->state = state.pieces[i].table;
        if (!state.pieces[i].bytes.data)
            class = verify_extent(v, record, &state.pieces[i].extent, error);
    }
    v->state = NULL;
    return class == WEIR_OK ? verify_extents(v, record, state.dead, state.n_dead, error) : class;
}

static int32_t verify_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct verify *v = arg;
    struct weir_error why = WEIR_ERROR_INIT;
    struct record_arena *arena = NULL;
    struct record_job job;
    struct record_done done;
    int32_t class = WEIR_OK;

    if (record->version != RECORD_VERSION)
        say(v, "log-%08u: offset %llu: a record of type %u and version %u is unknown to this weir",
            record->segment, (unsigned long long)record->offset, record->type, record->version);
    else if (record->type == LOG_JOB)
        class = record_job_decode(record->payload, &job, &arena, &why);
    else if (record->type == LOG_PLAN)
        class = verify_plan(v, record, &arena, &why, error);
    else if (record->type == LOG_STATE)
        class = verify_state(v, record, &arena, &why, error);
    else if (record->type == LOG_DONE)
        class = record_done_decode(record->payload, &done, &arena, &why);
    record_free(arena);
    if (class != WEIR_DATA)
        return class == WEIR_OK ? class : weir_fail(error, class, "%s", why.text);
    v->faults++;
    say(v, "log-%08u: offset %llu: damaged: %s", record->segment,
        (unsigned long long)record->offset, why.text);
    weir_fail(&v->found, WEIR_DATA, "log-%08u: offset %llu: damaged: %s", record->segment,
              (unsigned long long)record->offset, why.text);
    return WEIR_OK;
}

static void verify_fini(struct verify *v)
{
    mem_free(v->replay.segments);
    listing_free(&v->listing);
    lock_drop(&v->dir, &v->lock);
    identity_fini(&v->identity);
}

/* Reads all; what is damaged is said, and left in v->replay and v->found. OK, or why it can't be
 * read. */
static int32_t verify_run(struct verify *v, struct weir_error *error)
{
    struct replay *r = &v->replay;
    struct weir_error why = WEIR_ERROR_INIT;
    int32_t class = listing_read(&v->dir, &v->listing, error);

    if (class != WEIR_OK)
        return class;
    r->dir = &v->dir;
    r->identity = &v->identity;
    r->listing = &v->listing;
    r->need = v->lock.need;
    r->certain = v->lock.certain;
    r->fn = verify_record;
    r->arg = v;
    weir_error_init(&v->found);
    say(v, "job \"%.200s\", id %s", v->identity.job, v->identity.id);
    if (!r->certain)
        say(v, "lock: damaged or new; the first file of each kind is taken for the first needed");
    class = replay_run(r, &why);
    if (class == WEIR_DATA) {
        v->faults++;
        say(v, "%s", why.text);
        weir_fail(&v->found, WEIR_DATA, "%s", why.text);
    } else if (class != WEIR_OK) {
        return weir_fail(error, class, "%s", why.text);
    } else if (r->why && r->behind) {
        say(v, "log-%08u: offset %llu: %llu bytes of a torn tail: %s; the next start cuts them",
            r->end.segment, (unsigned long long)r->end.offset, (unsigned long long)r->behind,
            r->why);
    }
    say(v, "%llu records read, %llu extents sound or named above, %llu no longer kept",
        (unsigned long long)r->records, (unsigned long long)v->extents,
        (unsigned long long)v->gone);
    return WEIR_OK;
}

/* weir.json, which both need. */
static int32_t verify_begin(struct verify *v, struct weir_sys *sys, const char *directory,
                            log_say_fn fn, void *arg, struct weir_error *error)
{
    int32_t class;
    int found = 0;

    memset(v, 0, sizeof *v);
    v->lock.fd = -1;
    v->say = fn;
    v->arg = arg;
    class = dir_init(&v->dir, sys, directory, error);
    if (class == WEIR_OK)
        class = identity_read(&v->dir, &v->identity, &found, error);
    if (class == WEIR_OK && !found)
        class = weir_fail(error, WEIR_CONFIG, "%.300s: no checkpoint here (weir.json is missing)",
                          v->dir.path);
    if (class == WEIR_DATA && error)
        say(v, "%s", error->text);
    return class;
}

int32_t log_verify(struct weir_sys *sys, const char *directory, log_say_fn fn, void *arg,
                   struct weir_error *error)
{
    struct verify v;
    int32_t class = verify_begin(&v, sys, directory, fn, arg, error);

    if (class == WEIR_OK)
        class = lock_look(&v.dir, &v.lock, error);
    if (class == WEIR_OK)
        class = verify_run(&v, error);
    if (class == WEIR_OK && v.faults)
        class = weir_fail(error, WEIR_DATA, "%s", v.found.text);
    else if (class == WEIR_OK)
        say(&v, "sound");
    verify_fini(&v);
    return class;
}

/* Repair */

/* Copies what is behind `from` in a segment to log-<n>.cut, durably. */
static int32_t copy_aside(const struct verify *v, struct reader *reader, uint64_t from,
                          struct weir_error *error)
{
    char name[NAME_BYTES + 8], path[PATH_MAX_BYTES];
    uint8_t block[4096];
    uint64_t done = 0;
    int64_t n = 0;
    int fd, rc = 0;

    snprintf(name, sizeof name, "%s.cut", reader->name);
    dir_file(&v->dir, name, path);
    fd = sys_open(v->dir.sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE);
    if (fd < 0)
        return file_fail(error, fd, "make", path);
    while (rc >= 0) {
        n = file_read(v->dir.sys, reader->fd, block, sizeof block, from + done);
        if (n <= 0)
            break;
        rc = file_write(v->dir.sys, fd, block, (uint64_t)n, done);
        done += (uint64_t)n;
    }
    if (n < 0)
        rc = (int)n;
    if (rc >= 0)
        rc = sys_sync(v->dir.sys, fd);
    sys_close(v->dir.sys, fd);
    return rc < 0 ? file_fail(error, rc, "write", path) : dir_sync(&v->dir, error);
}

/* Counts what is readable in a segment behind `from`. */
static int32_t count_lost(const struct verify *v, uint32_t number, uint64_t from,
                          struct survey *lost, struct weir_error *error)
{
    struct reader reader;
    int32_t class = reader_open(&reader, &v->dir, number, error);

    if (class == WEIR_OK)
        class = segment_survey(&reader, v->identity.salt, from, v->replay.sequence,
                               v->replay.generation, lost, error);
    reader_close(&reader);
    return class;
}

/* Sets aside all segments behind the damaged one, the last one first. */
static int32_t segments_aside(const struct verify *v, struct survey *lost, struct weir_error *error)
{
    char name[NAME_BYTES], from[PATH_MAX_BYTES], to[PATH_MAX_BYTES + 8];
    uint32_t first, n = listing_of(&v->listing, FAMILY_LOG, &first), i;

    for (i = first + n; i-- > first;) {
        uint32_t number = v->listing.files[i].number;
        int32_t class;
        int rc;

        if (number <= v->replay.end.segment)
            break;
        class = count_lost(v, number, 0, lost, error);
        if (class != WEIR_OK)
            return class;
        family_name(FAMILY_LOG, number, name);
        dir_file(&v->dir, name, from);
        snprintf(to, sizeof to, "%s.cut", from);
        rc = sys_rename(v->dir.sys, from, to);
        if (rc < 0)
            return file_fail(error, rc, "rename", from);
        say(v, "%s: set aside as %s.cut", name, name);
        class = dir_sync(&v->dir, error);
        if (class != WEIR_OK)
            return class;
    }
    return WEIR_OK;
}

static int32_t segment_cut(const struct verify *v, struct survey *lost, struct weir_error *error)
{
    const struct replay *r = &v->replay;
    char path[PATH_MAX_BYTES];
    struct reader reader;
    int32_t class = count_lost(v, r->end.segment, r->end.offset, lost, error);
    int fd, rc;

    if (class != WEIR_OK)
        return class;
    class = reader_open(&reader, &v->dir, r->end.segment, error);
    if (class != WEIR_OK)
        return class;
    class = copy_aside(v, &reader, r->end.offset, error);
    dir_file(&v->dir, reader.name, path);
    if (class == WEIR_OK) {
        fd = sys_open(v->dir.sys, path, SYS_READ | SYS_WRITE);
        rc = fd < 0 ? fd : sys_truncate(v->dir.sys, fd, r->end.offset);
        if (rc >= 0)
            rc = sys_sync(v->dir.sys, fd);
        if (fd >= 0)
            sys_close(v->dir.sys, fd);
        if (rc < 0)
            class = file_fail(error, rc, "cut", path);
        else
            say(v, "%s: cut at offset %llu; the %llu bytes behind it are in %s.cut", reader.name,
                (unsigned long long)r->end.offset,
                (unsigned long long)(reader.size - r->end.offset), reader.name);
    }
    reader_close(&reader);
    return class;
}

static int32_t repair_cut(struct verify *v, struct weir_error *error)
{
    const struct replay *r = &v->replay;
    struct survey lost = {0};
    int32_t class;

    if (!r->why || (!r->damaged && !r->behind)) {
        say(v, "no segment is damaged; nothing was changed");
        return WEIR_OK;
    }
    if (!r->sequence)
        return weir_fail(error, WEIR_DATA, "%.300s: nothing sound stands before the damage; "
                         "the checkpoint can't be repaired", v->dir.path);
    class = lock_raise(&v->dir, &v->lock, r->generation, error);
    if (class == WEIR_OK)
        class = segments_aside(v, &lost, error);
    if (class == WEIR_OK && !r->missing)
        class = segment_cut(v, &lost, error);
    if (class != WEIR_OK)
        return class;
    if (lost.records)
        say(v, "lost: %llu records that could still be read, of batches %llu to %llu, and what "
            "was damaged", (unsigned long long)lost.records, (unsigned long long)lost.first_batch,
            (unsigned long long)lost.last_batch);
    else
        say(v, "lost: what was damaged; no record behind it could be read");
    return WEIR_OK;
}

int32_t log_repair(struct weir_sys *sys, const char *directory, log_say_fn fn, void *arg,
                   struct weir_error *error)
{
    struct verify v;
    uint64_t damaged;
    int32_t class = verify_begin(&v, sys, directory, fn, arg, error);

    if (class == WEIR_OK)
        class = lock_take(&v.dir, &v.lock, error);
    if (class == WEIR_OK)
        class = verify_run(&v, error);
    damaged = v.faults - (uint64_t)(v.replay.damaged != 0);
    if (class == WEIR_OK)
        class = repair_cut(&v, error);
    if (class == WEIR_OK && damaged)
        class = weir_fail(error, WEIR_DATA, "%.200s: %llu damaged extents or payloads can't be "
                          "repaired: put back a copy of the checkpoint; state can be let go of "
                          "with `weir run --drop NAME`, it begins empty",
                          v.dir.path, (unsigned long long)damaged);
    verify_fini(&v);
    return class;
}
