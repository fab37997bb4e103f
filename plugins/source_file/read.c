/*
 * read.c - rows of one file, up to its end, over rotation and truncation, and again on a replay.
 *
 *  1. What is read ends at the end of a record. At the end of a file the last record may lack its
 *     separator, unless the file is followed: then it waits for the rest.
 *  2. A batch never crosses from one file to another of the same name: at rotation and truncation
 *     the position goes to the start of the new content, with the inode and the end of the old, and
 *     the batch ends there for this partition. So a replay knows which file to read up to where.
 *  3. A window is at most max_record long (and 64 bytes more), so a record that does not fit is too
 *     long. The host rejects it, and the position remembers that the rest of it has still to be
 *     skipped.
 *  4. A replay reads up to the logged place and nothing else; if bytes are missing it says how
 *     many.
 *
 * A followed file that lost its name is read to its end before the new one is begun: the handle
 * stays open, and after a restart it is looked for by its inode beside the name. The writer is
 * given one poll to write its last lines.
 */
#include "plugins/source_file/file.h"

#include "plugins/share/option.h"
#include "plugins/share/run.h"
#include "plugins/share/text.h"

#define WINDOW (256u << 10)
#define WINDOW_LEAST 4096u
#define PRINT_BYTES 1024u
#define OPEN_MAX 64u
#define POLL_US 200000

static void say(struct source *source, int32_t level, const char *format, ...) WEIR_PRINTF(3, 4);

static void say(struct source *source, int32_t level, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    source->host->log(source->context, level, text);
}

void file_close(struct source *source, struct file *file)
{
    if (file->handle < 0) return;
    source->io->close(source->context, file->handle);
    file->handle = -1;
    __atomic_fetch_sub(&source->n_open, 1, __ATOMIC_RELAXED);
}

static int32_t file_open(struct source *source, struct file *file, const char *path,
                         struct weir_io_stat *stat, struct weir_error *error)
{
    int32_t status;
    file_close(source, file);
    status = source->io->open(source->context, path, WEIR_IO_READ, &file->handle, error);
    if (status != WEIR_OK) {
        file->handle = -1;
        return status;
    }
    __atomic_fetch_add(&source->n_open, 1, __ATOMIC_RELAXED);
    memset(stat, 0, sizeof *stat);
    stat->size = (uint32_t)sizeof *stat;
    status = source->io->stat_handle(source->context, file->handle, stat, error);
    if (status != WEIR_OK) {
        file_close(source, file);
        return status;
    }
    file->inode = stat->inode;
    file->head_known = 0;
    return WEIR_OK;
}

static int32_t fingerprint(struct source *source, struct file *file, uint32_t length,
                           uint64_t *print, uint32_t *covered, struct weir_error *error)
{
    uint8_t bytes[PRINT_BYTES];
    uint64_t got = 0;
    int32_t status = WEIR_OK;
    if (length > PRINT_BYTES) length = PRINT_BYTES;
    if (length)
        status = source->io->pread(source->context, file->handle, bytes, length, 0, &got, error);
    *print = fnv1a_of(bytes, got);
    *covered = (uint32_t)got;
    return status;
}

static int32_t begin_position(struct source *source, struct file *file,
                              const struct weir_io_stat *stat, struct position *p,
                              struct weir_error *error)
{
    memset(p, 0, sizeof *p);
    p->inode = stat->inode;
    p->mtime_us = stat->mtime_us;
    return fingerprint(source, file, PRINT_BYTES, &p->print, &p->print_length, error);
}

/* 1 if the open file begins as the one that the position is in. */
static int32_t same_content(struct source *source, struct file *file, const struct position *p,
                            int *same, struct weir_error *error)
{
    uint64_t print;
    uint32_t covered;
    int32_t status = fingerprint(source, file, p->print_length, &print, &covered, error);
    *same = print == p->print && covered == p->print_length;
    return status;
}

/* Opens the file that `p` is in: under its name, or where it was renamed to. UNSUPPORTED if it is
 * nowhere. */
static int32_t open_for(struct source *source, struct file *file, const struct position *p,
                        struct weir_io_stat *stat, struct weir_error *error)
{
    char path[4096];
    int same = 0;
    int32_t status;
    struct weir_error ignored;
    weir_error_init(&ignored);
    if (file->handle >= 0 && file->inode == p->inode) {
        memset(stat, 0, sizeof *stat);
        stat->size = (uint32_t)sizeof *stat;
        return source->io->stat_handle(source->context, file->handle, stat, error);
    }
    status = file_open(source, file, file->path, stat, &ignored);
    if (status == WEIR_OK && (stat->inode == p->inode || !source->follow)) {
        /* not followed: a copy with the same beginning (a restored backup) will do */
        status = same_content(source, file, p, &same, error);
        if (status != WEIR_OK || same) return status;
    }
    if (status != WEIR_OK && status != WEIR_UNSUPPORTED) {
        if (error->error_class == WEIR_OK) *error = ignored;
        return status;
    }
    if (listing_find_inode(source, file->path, p->inode, path, sizeof path)) {
        status = file_open(source, file, path, stat, error);
        if (status == WEIR_OK) status = same_content(source, file, p, &same, error);
        if (status != WEIR_OK || same) return status;
    }
    file_close(source, file);
    return WEIR_UNSUPPORTED;
}

static void give_position(struct file *file, const struct position *p,
                          struct weir_next_result *out)
{
    position_write(p, file->position);
    out->position.data = file->position;
    out->position.length = POSITION_SIZE;
}

/* The first bytes of the file, which every run of records needs to be decoded. */
static int32_t read_head(struct source *source, struct file *file, struct weir_error *error)
{
    uint64_t window = WINDOW_LEAST, got;
    struct weir_frame frame;
    struct ArrowArray run;
    struct weir_bytes bytes;
    uint8_t *memory;
    int32_t status;
    for (;; window *= 4) {
        if (window > source->max_record + 64) window = source->max_record + 64;
        status = run_begin(source->data, window, &run, &memory, error);
        if (status != WEIR_OK) return status;
        status = source->io->pread(source->context, file->handle, memory, window, 0, &got, error);
        bytes.data = memory;
        bytes.length = got;
        memset(&frame, 0, sizeof frame);
        frame.size = (uint32_t)sizeof frame;
        if (status == WEIR_OK)
            status = source->formats->frame(source->context, bytes,
                                            WEIR_FRAME_START | (got < window ? WEIR_FRAME_END : 0u),
                                            1, &frame, error);
        if (status != WEIR_OK || frame.end || got < window || window > source->max_record) break;
        run.release(&run);
    }
    if (status == WEIR_OK) {
        source->host->free(file->head);
        file->head = source->host->alloc(frame.head_end + 1);
        if (!file->head) status = no_memory(error);
        else memcpy(file->head, bytes.data, frame.head_end);
        file->head_length = frame.head_end;
        file->head_known = status == WEIR_OK;
    }
    run.release(&run);
    return status;
}

/* One window from p on: rows into `out`, p moved on. `limit` is the end of a replay (or
 * UINT64_MAX), `final` says that what lies before `end` is all that this file will ever have.
 * *at_end: everything was looked at. */
static int32_t read_window(struct source *source, struct file *file, struct position *p,
                           uint64_t end, int final, const struct weir_next *in,
                           struct weir_next_result *out, int *at_end, struct weir_error *error)
{
    uint64_t most = source->max_record + 64, window = WINDOW, got = 0, used;
    struct weir_bytes head = { NULL, 0 };
    struct weir_frame frame;
    struct ArrowArray run;
    uint8_t *memory;
    uint32_t flags;
    int32_t status;
    if (in->max_bytes < window)
        window = in->max_bytes < WINDOW_LEAST ? WINDOW_LEAST : in->max_bytes;
    if (window > most) window = most;
    for (;;) {
        struct weir_bytes bytes;
        uint64_t n = end - p->offset < window ? end - p->offset : window;
        status = run_begin(source->data, n, &run, &memory, error);
        if (status != WEIR_OK) return status;
        if (n)
            status = source->io->pread(source->context, file->handle, memory, n, p->offset, &got,
                                       error);
        if (status != WEIR_OK) goto fail;
        *at_end = got < n || p->offset + got >= end;
        flags = (p->offset == 0 ? WEIR_FRAME_START : 0) | (p->inside ? WEIR_FRAME_INSIDE : 0) |
                (*at_end && final ? WEIR_FRAME_END : 0);
        bytes.data = memory;
        bytes.length = got;
        memset(&frame, 0, sizeof frame);
        frame.size = (uint32_t)sizeof frame;
        status = got ? source->formats->frame(source->context, bytes, flags, in->max_rows, &frame,
                                              error)
                     : WEIR_OK;
        if (status != WEIR_OK) goto fail;
        if (frame.end || frame.skipped || *at_end || window >= most) break;
        run.release(&run);
        window = window * 4 > most ? most : window * 4;
    }
    used = frame.end + frame.skipped;
    if (used < got) *at_end = *at_end && used == 0 && !final;
    if (p->offset == 0 && used) {
        source->host->free(file->head);
        file->head = source->host->alloc(frame.head_end + 1);
        if (!file->head) {
            status = no_memory(error);
            goto fail;
        }
        memcpy(file->head, memory, frame.head_end);
        file->head_length = frame.head_end;
        file->head_known = 1;
    }
    place_write(p, frame.head_end, file->first);
    p->offset += used;
    p->inside = used ? (frame.flags & WEIR_FRAME_INSIDE) != 0 : p->inside;
    if (frame.end == frame.head_end) {
        run.release(&run);
        return WEIR_OK;
    }
    if (frame.head_end) memmove(memory, memory + frame.head_end, frame.end - frame.head_end);
    head.data = file->head;
    head.length = file->head_length;
    out->records = frame.records;
    out->first = (struct weir_bytes){ file->first, sizeof file->first };
    return run_end(source->host, source->data, &run, frame.end - frame.head_end, source->with_head,
                   head, &out->array, error);
fail:
    run.release(&run);
    return status;
}

/* ---- replay ---- */

static int32_t lost(struct source *source, const struct file *file, uint64_t from, uint64_t until,
                    uint64_t have, struct weir_error *error)
{
    uint64_t missing = until - (have > from ? (have < until ? have : until) : from);
    (void)source;
    return weir_fail(error, WEIR_FATAL,
                     "'%.200s' can't be read again: %llu bytes from byte %llu on are gone",
                     file->name, (unsigned long long)missing,
                     (unsigned long long)(until - missing));
}

static int32_t replay(struct source *source, struct file *file, struct position *p,
                      const struct weir_next *in, struct weir_next_result *out,
                      struct weir_error *error)
{
    struct position to;
    struct weir_io_stat stat;
    uint64_t end;
    int at_end, switched;
    int32_t status;
    if (!position_read(in->replay_to, &to))
        return weir_fail(error, WEIR_FATAL, "the log holds no position of a file for '%.200s'",
                         file->name);
    switched = to.before_inode != 0 && (p->inode == 0 || p->inode == to.before_inode) &&
               to.offset == 0;
    if (p->inode == 0) {
        *p = to;
        p->offset = 0;
        p->inside = 0;
        if (switched) {
            p->inode = to.before_inode;
            p->print_length = 0;
            p->print = fnv1a_of("", 0);
        }
    }
    end = switched ? to.before_end : to.offset;
    if (p->offset < end) {
        status = open_for(source, file, p, &stat, error);
        if (status == WEIR_UNSUPPORTED) return lost(source, file, p->offset, end, 0, error);
        if (status != WEIR_OK) return status;
        if (stat.length < end) return lost(source, file, p->offset, end, stat.length, error);
        if (source->with_head && p->offset && !file->head_known) {
            status = read_head(source, file, error);
            if (status != WEIR_OK) return status;
        }
        status = read_window(source, file, p, end, !to.inside, in, out, &at_end, error);
        if (status != WEIR_OK) return status;
    }
    if (p->offset < end) {
        give_position(file, p, out);
        out->flags = WEIR_NEXT_MORE;
        return WEIR_OK;
    }
    file->known = 1;
    if (switched) file_close(source, file);
    give_position(file, &to, out);
    return WEIR_OK;
}

/* ---- following ---- */

/* The position at the start of what has the name now, remembering where the old content was left. */
static int32_t switch_file(struct source *source, struct file *file, const struct position *p,
                           struct weir_next_result *out, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct position fresh;
    int32_t status = file_open(source, file, file->path, &stat, error);
    if (status != WEIR_OK) return status == WEIR_UNSUPPORTED ? WEIR_PENDING : status;
    status = begin_position(source, file, &stat, &fresh, error);
    if (status != WEIR_OK) return status;
    fresh.before_inode = p->inode;
    fresh.before_end = p->offset;
    file->rotated = 0;
    give_position(file, &fresh, out);
    out->flags = WEIR_NEXT_BATCH_END;
    source->host->count(source->context, "rotations", 1);
    return WEIR_OK;
}

static int32_t wait_for_more(struct source *source)
{
    source->host->wake_after(source->context, POLL_US);
    return WEIR_PENDING;
}

/* A followed file at its end: is it still the one of that name? */
static int32_t followed_end(struct source *source, struct file *file, struct position *p,
                            uint64_t length, const struct weir_next *in,
                            struct weir_next_result *out, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct weir_error ignored;
    int at_end;
    int32_t status;
    weir_error_init(&ignored);
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    status = source->io->stat(source->context, file->path, &stat, &ignored);
    if (status != WEIR_OK || stat.inode == p->inode) {
        file->rotated = 0;
        return wait_for_more(source);
    }
    if (file->rotated++ == 0) return wait_for_more(source);
    say(source, WEIR_LOG_INFO, "'%.200s' was rotated: left the old file at byte %llu", file->name,
        (unsigned long long)length);
    if (p->offset < length) { /* its last line lacks an end, and will never get one */
        status = read_window(source, file, p, length, 1, in, out, &at_end, error);
        if (status != WEIR_OK) return status;
        if (out->array.release || p->offset < length) {
            file->rotated = 1;
            give_position(file, p, out);
            out->flags = WEIR_NEXT_MORE;
            return WEIR_OK;
        }
    }
    return switch_file(source, file, p, out, error);
}

/* Content that the position was in is no longer there. */
static int32_t replaced(struct source *source, struct file *file, const struct position *p,
                        const char *what, struct weir_next_result *out, struct weir_error *error)
{
    say(source, WEIR_LOG_WARN, "'%.200s' %s at byte %llu: reading it from its start", file->name,
        what, (unsigned long long)p->offset);
    source->host->count(source->context, "truncations", 1);
    file_close(source, file);
    return switch_file(source, file, p, out, error);
}

/* ---- reading on ---- */

static int32_t read_on(struct source *source, struct file *file, struct position *p,
                       const struct weir_io_stat *stat, const struct weir_next *in,
                       struct weir_next_result *out, struct weir_error *error)
{
    uint64_t before = p->offset;
    int at_end = 0;
    int32_t status;
    if (source->with_head && p->offset && !file->head_known) {
        status = read_head(source, file, error);
        if (status != WEIR_OK) return status;
    }
    status = read_window(source, file, p, stat->length, !source->follow, in, out, &at_end, error);
    if (status != WEIR_OK) return status;
    if (source->follow && p->offset == before && at_end)
        return followed_end(source, file, p, stat->length, in, out, error);
    if (p->offset == before && p->offset < stat->length)
        return weir_fail(error, WEIR_FATAL, "the format finds no end of a record in '%.200s' at "
                         "byte %llu", file->name, (unsigned long long)before);
    if (p->print_length < PRINT_BYTES && stat->length > p->print_length) { /* it grew since */
        status = fingerprint(source, file, PRINT_BYTES, &p->print, &p->print_length, error);
        if (status != WEIR_OK) {
            if (out->array.release) out->array.release(&out->array);
            return status;
        }
    }
    give_position(file, p, out);
    if (!source->follow && p->offset >= stat->length) {
        out->flags = WEIR_NEXT_END;
        file_close(source, file);
    } else {
        out->flags = WEIR_NEXT_MORE;
    }
    return WEIR_OK;
}

/* The end of a file without a position of its own: nothing of it is read. */
static int32_t nothing(struct weir_next_result *out)
{
    out->flags = WEIR_NEXT_END;
    return WEIR_OK;
}

static int32_t first_read(struct source *source, struct file *file, struct position *p,
                          struct weir_io_stat *stat, struct weir_error *error)
{
    int32_t status = file_open(source, file, file->path, stat, error);
    if (status != WEIR_OK) return status;
    return begin_position(source, file, stat, p, error);
}

int32_t source_read(struct source *source, struct file *file, const struct weir_next *in,
                    struct weir_next_result *out, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct position p;
    int32_t status;
    memset(&p, 0, sizeof p);
    if (in->from.length && !position_read(in->from, &p))
        return weir_fail(error, WEIR_FATAL, "the log holds no position of a file for '%.200s'",
                         file->name);
    if (in->replay_to.data) return replay(source, file, &p, in, out, error);
    if (in->from.length == 0) {
        status = first_read(source, file, &p, &stat, error);
        if (status == WEIR_UNSUPPORTED) { /* it went before it was begun */
            weir_error_init(error);
            say(source, WEIR_LOG_WARN, "'%.200s' was gone before it was read", file->name);
            return nothing(out);
        }
    } else {
        status = open_for(source, file, &p, &stat, error);
        if (status == WEIR_UNSUPPORTED && !source->follow) {
            weir_error_init(error);
            if (!file->warned)
                say(source, WEIR_LOG_WARN, "'%.200s' is gone, or another file now; it was read to "
                    "byte %llu", file->name, (unsigned long long)p.offset);
            file->warned = 1;
            return nothing(out);
        }
        if (status == WEIR_UNSUPPORTED) {
            weir_error_init(error);
            status = replaced(source, file, &p, "is another file now, and the old one is gone", out,
                              error);
            return status == WEIR_PENDING ? wait_for_more(source) : status;
        }
    }
    if (status != WEIR_OK) return status;
    p.inode = file->inode;
    if (stat.length < p.offset && source->follow) {
        status = replaced(source, file, &p, "was truncated", out, error);
        return status == WEIR_PENDING ? wait_for_more(source) : status;
    }
    if (p.offset >= stat.length && !source->follow) {
        give_position(file, &p, out);
        out->flags = WEIR_NEXT_END;
        file_close(source, file);
        return WEIR_OK;
    }
    status = read_on(source, file, &p, &stat, in, out, error);
    if (__atomic_load_n(&source->n_open, __ATOMIC_RELAXED) > OPEN_MAX && !source->follow)
        file_close(source, file);
    return status;
}
