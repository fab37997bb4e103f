/*
 * dead.c - dead letters, found in the files themselves.
 *
 * A dead-<n> file is extents one behind the other; each is the dead letters of one run of one
 * batch:
 *
 *      0  8  "WERDEAD1"
 *      8  8  batch
 *     16  8  L, bytes of what follows
 *     24  L  blocks (weir.block/1) with the columns of dead_letters_ddl
 *
 * The segment of the log that named an extent may be gone while its file stays (files have limits
 * of size and age, segments go when nothing needs them). So the files are read from their
 * beginning:
 *
 *  1. An extent is whole if its blocks fill it exactly, are valid, have the right columns, and each
 *     letter tells the batch of the head. Whatever is not whole is skipped up to the next place
 *     where a whole one stands; a magic inside of a whole extent is never looked at. A file of
 *     nothing but false beginnings is given up when it has been read several times over.
 *  2. A batch that the log knows (its STATE is there) has exactly the extents that STATE names: a
 *     run before a crash may have left others, even where the run that counted had none.
 *  3. A batch older than that has its last whole extent, by file and offset.
 *  4. A batch at or above the first without STATE has none yet: it will run again. If the log can't
 *     be read to its end, nobody knows which that is, and all are shown.
 */
#include "core/control/dead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/data/block.h"
#include "core/log/record.h"

#define BLOCK_LIMIT (UINT64_C(1) << 30)
#define SCAN_BYTES (1u << 20)

const char dead_letters_ddl[] = "instance string, code int32, reason string, partition string, "
                                  "position binary, batch int64, row string, bytes binary";

struct named { /* by a STATE */
    uint64_t batch, offset;
    uint32_t file;
};

struct dead {
    struct weir_sys *sys;
    char *directory;
    struct ArrowSchema schema;
    struct dead_part *parts; uint32_t n_parts, parts_capacity;
    uint32_t *files; uint32_t n_files, files_capacity;
    struct named *named; uint32_t n_named, named_capacity;
    char *job;
    uint64_t first_state, next_batch; /* those between them have their STATE in the log */
    int asked;                        /* the log was read to its end */
    struct weir_error doubt;
    uint64_t skipped;
};

static int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

/* Room for one more. */
static int32_t grow(void *items, uint32_t n, uint32_t *capacity, size_t size)
{
    void *grown, **at = items;
    if (n < *capacity) return WEIR_OK;
    if (n > UINT32_MAX / 2) return WEIR_FATAL;
    grown = realloc(*at, ((size_t)n * 2 + 16) * size);
    if (!grown) return WEIR_FATAL;
    *at = grown;
    *capacity = n * 2 + 16;
    return WEIR_OK;
}

/* ---- the log ---- */

static int32_t take_job(struct dead *dead, const struct log_record *record,
                        struct weir_error *error)
{
    struct record_job job;
    struct record_arena *arena = NULL;
    int32_t class = record_job_decode(record->payload, &job, &arena, error);
    if (class == WEIR_OK) {
        free(dead->job);
        dead->job = strdup(job.text);
        if (!dead->job) class = no_memory(error);
    }
    record_free(arena);
    return class;
}

static int32_t take_state(struct dead *dead, const struct log_record *record,
                          struct weir_error *error)
{
    struct record_state state;
    struct record_arena *arena = NULL;
    int32_t class = record_state_decode(record->payload, &state, &arena, error);
    for (uint32_t i = 0; class == WEIR_OK && i < state.n_dead; i++) {
        if (grow(&dead->named, dead->n_named, &dead->named_capacity, sizeof *dead->named)) {
            class = no_memory(error);
            break;
        }
        dead->named[dead->n_named++] =
            (struct named){ record->batch, state.dead[i].offset, state.dead[i].file };
    }
    if (class == WEIR_OK) {
        if (record->batch < dead->first_state) dead->first_state = record->batch;
        if (record->batch >= dead->next_batch) dead->next_batch = record->batch + 1;
    }
    record_free(arena);
    return class;
}

static int32_t take_record(void *arg, const struct log_record *record, struct weir_error *error)
{
    if (record->version != RECORD_VERSION) return WEIR_OK;
    if (record->type == LOG_JOB) return take_job(arg, record, error);
    return record->type == LOG_STATE ? take_state(arg, record, error) : WEIR_OK;
}

static int named_order(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* A running job may drop a segment between our listing and our reading: asked again then. */
static int32_t ask_log(struct dead *dead, struct weir_error *error)
{
    struct log_options options = { .directory = dead->directory, .read_only = 1 };
    int32_t class = WEIR_DATA;
    for (int i = 0; i < 3 && class == WEIR_DATA; i++) {
        struct log *log;
        weir_error_init(&dead->doubt);
        dead->n_named = 0;
        dead->first_state = UINT64_MAX;
        dead->next_batch = 0;
        class = log_open(dead->sys, &options, take_record, dead, &log, NULL, &dead->doubt);
        log_close(log);
    }
    dead->asked = class == WEIR_OK;
    if (dead->n_named) qsort(dead->named, dead->n_named, sizeof *dead->named, named_order);
    return class == WEIR_FATAL ? weir_fail(error, class, "%s", dead->doubt.text) : WEIR_OK;
}

/* ---- extents ---- */

static uint64_t get_u64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 8; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static struct weir_bytes cell(const struct ArrowArray *rows, int column, uint32_t row)
{
    const struct ArrowArray *array = rows->children[column];
    if (weir_is_null(array, row)) return (struct weir_bytes){ NULL, 0 };
    struct weir_bytes bytes = weir_get_bytes(array, row);
    if (!bytes.data) bytes.data = (const uint8_t *)"";
    return bytes;
}

static int32_t read_rows(const struct ArrowArray *rows, uint64_t batch, dead_letter_fn fn,
                         void *arg, struct weir_error *error)
{
    for (uint32_t row = 0; row < rows->length; row++) {
        struct dead_letter letter = {
            .batch = batch,
            .instance = cell(rows, 0, row),
            .reason = cell(rows, 2, row),
            .partition = cell(rows, 3, row),
            .position = cell(rows, 4, row),
            .row = cell(rows, 6, row),
            .bytes = cell(rows, 7, row),
        };
        if (!weir_is_null(rows->children[1], row))
            letter.code = weir_get_int32(rows->children[1], row);
        if (weir_is_null(rows->children[5], row) ||
            weir_get_int64(rows->children[5], row) != (int64_t)batch)
            return weir_fail(error, WEIR_DATA, "a dead letter of another batch");
        int32_t class = fn(arg, &letter, error);
        if (class != WEIR_OK) return class;
    }
    return WEIR_OK;
}

/* All letters of the blocks behind a head; DATA if they are not whole. */
static int32_t read_blocks(const struct dead *dead, struct weir_bytes bytes, uint64_t batch,
                           dead_letter_fn fn, void *arg, struct weir_error *error)
{
    while (bytes.length) {
        struct ArrowSchema schema = { 0 };
        struct ArrowArray rows = { 0 };
        uint64_t used = 0;
        int32_t class = block_decode(bytes, BLOCK_LIMIT, &schema, &rows, &used, error);
        if (class != WEIR_OK) return class;
        if (schema_equal(&schema, &dead->schema))
            class = read_rows(&rows, batch, fn, arg, error);
        else
            class = weir_fail(error, WEIR_DATA, "a block with other columns");
        array_release(&rows);
        schema_release(&schema);
        if (class != WEIR_OK) return class;
        bytes.data += used;
        bytes.length -= used;
    }
    return WEIR_OK;
}

static int32_t count_letter(void *arg, const struct dead_letter *letter, struct weir_error *error)
{
    (void)letter;
    (void)error;
    ++*(uint64_t *)arg;
    return WEIR_OK;
}

/* ---- files ---- */

struct file {
    int fd;
    uint64_t size;
    char path[4096];
};

static int32_t io_fail(const char *path, int64_t rc, struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "%.300s: %s", path, strerror((int)-rc));
}

/* fd -1 with OK: it is gone. */
static int32_t file_open(const struct dead *dead, uint32_t number, struct file *file,
                         struct weir_error *error)
{
    struct sys_stat st;
    snprintf(file->path, sizeof file->path, "%s/dead-%08u", dead->directory, number);
    file->fd = sys_open(dead->sys, file->path, SYS_READ);
    if (file->fd == -ENOENT) {
        file->fd = -1;
        return WEIR_OK;
    }
    if (file->fd < 0) return io_fail(file->path, file->fd, error);
    int rc = sys_fstat(dead->sys, file->fd, &st);
    file->size = st.size;
    if (rc == 0) return WEIR_OK;
    sys_close(dead->sys, file->fd);
    return io_fail(file->path, rc, error);
}

/* n bytes, or DATA where the file has become shorter. */
static int32_t file_bytes(const struct dead *dead, const struct file *file, uint64_t offset,
                          uint8_t *to, uint64_t n, struct weir_error *error)
{
    while (n) {
        int64_t got = sys_pread(dead->sys, file->fd, to, (size_t)n, offset);
        if (got < 0) return io_fail(file->path, got, error);
        if (got == 0) return weir_fail(error, WEIR_DATA, "%.300s: it ends early", file->path);
        to += got;
        offset += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return WEIR_OK;
}

/* The extent at an offset; DATA if none stands there whole. */
static int32_t extent_look(const struct dead *dead, const struct file *file, uint64_t offset,
                           struct dead_part *out, dead_letter_fn fn, void *arg,
                           struct weir_error *error)
{
    uint8_t head[DEAD_HEAD], *bytes;
    int32_t class;
    if (file->size - offset < DEAD_HEAD) return weir_fail(error, WEIR_DATA, "no whole head");
    if ((class = file_bytes(dead, file, offset, head, sizeof head, error)) != WEIR_OK) return class;
    out->batch = get_u64(head + 8);
    out->bytes = get_u64(head + 16);
    out->offset = offset;
    if (get_u64(head) != DEAD_MAGIC || out->batch > INT64_MAX ||
        out->bytes > file->size - offset - DEAD_HEAD) {
        out->bytes = 0;
        return weir_fail(error, WEIR_DATA, "no head of dead letters");
    }
    bytes = mem_alloc(out->bytes + 1);
    if (!bytes) return no_memory(error);
    class = file_bytes(dead, file, offset + DEAD_HEAD, bytes, out->bytes, error);
    if (class == WEIR_OK)
        class = read_blocks(dead, (struct weir_bytes){ bytes, out->bytes }, out->batch, fn, arg,
                            error);
    out->bytes += DEAD_HEAD;
    mem_free(bytes);
    return class;
}

/* The next place from `offset` on that has the magic, or the end. */
static int32_t find_magic(const struct dead *dead, const struct file *file, uint64_t *offset,
                          struct weir_error *error)
{
    static const char magic[] = "WERDEAD1";
    const uint64_t size = sizeof magic - 1;
    uint8_t *window = mem_alloc(SCAN_BYTES);
    int32_t class = WEIR_OK;
    if (!window) return no_memory(error);
    while (file->size - *offset >= size) {
        uint64_t n = file->size - *offset < SCAN_BYTES ? file->size - *offset : SCAN_BYTES;
        if ((class = file_bytes(dead, file, *offset, window, n, error)) != WEIR_OK) break;
        for (uint64_t i = 0; i + size <= n; i++) {
            const uint8_t *p = memchr(window + i, magic[0], (size_t)(n - size + 1 - i));
            if (!p) break;
            i = (uint64_t)(p - window);
            if (memcmp(p, magic, size) != 0) continue;
            *offset += i;
            goto done;
        }
        *offset += n - size + 1;
    }
    *offset = file->size;
done:
    mem_free(window);
    return class == WEIR_DATA ? WEIR_OK : class; /* it was cut meanwhile */
}

static int32_t scan_file(struct dead *dead, uint32_t number, struct weir_error *error)
{
    struct file file;
    int32_t class = file_open(dead, number, &file, error);
    if (class != WEIR_OK || file.fd < 0) return class;
    uint64_t patience = 8 * file.size; /* bytes that may be read in vain */
    for (uint64_t offset = 0; class == WEIR_OK && offset < file.size;) {
        struct weir_error why = WEIR_ERROR_INIT;
        struct dead_part part = { .file = number };
        class = extent_look(dead, &file, offset, &part, count_letter, &part.letters, &why);
        if (class == WEIR_OK) {
            if (grow(&dead->parts, dead->n_parts, &dead->parts_capacity, sizeof part))
                class = no_memory(error);
            else
                dead->parts[dead->n_parts++] = part;
            offset += part.bytes;
        } else if (class == WEIR_DATA) {
            uint64_t next = offset + 1;
            patience -= part.bytes < patience ? part.bytes : patience;
            if (patience == 0) next = file.size;
            class = find_magic(dead, &file, &next, error);
            dead->skipped += next - offset;
            offset = next;
        } else {
            weir_fail(error, class, "%s", why.text);
        }
    }
    sys_close(dead->sys, file.fd);
    return class;
}

static int take_name(void *arg, const char *name)
{
    struct dead *dead = arg;
    char again[32];
    char *end;
    if (strncmp(name, "dead-", 5) != 0 || name[5] < '0' || name[5] > '9') return 0;
    unsigned long long number = strtoull(name + 5, &end, 10);
    snprintf(again, sizeof again, "dead-%08llu", number);
    if (*end || number > UINT32_MAX || strcmp(name, again) != 0) return 0;
    if (grow(&dead->files, dead->n_files, &dead->files_capacity, sizeof *dead->files))
        return -ENOMEM;
    dead->files[dead->n_files++] = (uint32_t)number;
    return 0;
}

/* ---- what counts ---- */

static int part_order(const void *a, const void *b)
{
    const struct dead_part *x = a, *y = b;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int counts(const struct dead *dead, uint32_t i)
{
    const struct dead_part *part = &dead->parts[i];
    if (part->named) return 1;
    if (dead->asked && part->batch >= dead->next_batch) return 0;
    if (part->batch >= dead->first_state && part->batch < dead->next_batch) return 0;
    return i + 1 == dead->n_parts || dead->parts[i + 1].batch != part->batch;
}

static void choose(struct dead *dead)
{
    uint32_t kept = 0;
    if (dead->n_parts == 0) return;
    qsort(dead->parts, dead->n_parts, sizeof *dead->parts, part_order);
    for (uint32_t i = 0; i < dead->n_parts; i++) {
        struct named key = { dead->parts[i].batch, dead->parts[i].offset, dead->parts[i].file };
        dead->parts[i].named =
            dead->n_named &&
            bsearch(&key, dead->named, dead->n_named, sizeof key, named_order) != NULL;
    }
    for (uint32_t i = 0; i < dead->n_parts; i++)
        if (counts(dead, i)) dead->parts[kept++] = dead->parts[i];
    dead->n_parts = kept;
}

/* ---- calls ---- */

int32_t dead_open(struct weir_sys *sys, const char *directory, struct dead **out,
                  struct weir_error *error)
{
    struct dead *dead = calloc(1, sizeof *dead);
    *out = dead;
    if (!dead) return no_memory(error);
    dead->sys = sys;
    dead->directory = strdup(directory);
    weir_error_init(&dead->doubt);
    if (!dead->directory) return no_memory(error);
    int32_t class = weir_data_1.schema_parse(dead_letters_ddl, &dead->schema, error);
    if (class != WEIR_OK) return class;
    int rc = sys_list(sys, directory, take_name, dead);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return weir_fail(error, WEIR_CONFIG, "%.300s: no checkpoint here", directory);
    if (rc < 0) return io_fail(directory, rc, error);
    class = ask_log(dead, error);
    for (uint32_t i = 0; class == WEIR_OK && i < dead->n_files; i++)
        class = scan_file(dead, dead->files[i], error);
    choose(dead);
    if (class == WEIR_OK && dead->doubt.error_class == WEIR_CONFIG && dead->n_parts == 0)
        class = weir_fail(error, WEIR_CONFIG, "%s", dead->doubt.text);
    return class;
}

void dead_close(struct dead *dead)
{
    if (!dead) return;
    schema_release(&dead->schema);
    free(dead->directory);
    free(dead->parts);
    free(dead->files);
    free(dead->named);
    free(dead->job);
    free(dead);
}

uint32_t dead_parts(const struct dead *dead)
{
    return dead->n_parts;
}

const struct dead_part *dead_part(const struct dead *dead, uint32_t i)
{
    return &dead->parts[i];
}

const char *dead_job(const struct dead *dead)
{
    return dead->job;
}

const char *dead_doubt(const struct dead *dead)
{
    return dead->asked ? "" : dead->doubt.text;
}

uint64_t dead_skipped(const struct dead *dead)
{
    return dead->skipped;
}

int32_t dead_read(const struct dead *dead, uint32_t i, dead_letter_fn fn, void *arg,
                  struct weir_error *error)
{
    struct file file;
    struct dead_part part;
    int32_t class = file_open(dead, dead->parts[i].file, &file, error);
    if (class != WEIR_OK) return class;
    if (file.fd < 0)
        return weir_fail(error, WEIR_DATA, "%.300s: it is gone: a limit of dead letters was passed",
                         file.path);
    class = extent_look(dead, &file, dead->parts[i].offset, &part, fn, arg, error);
    sys_close(dead->sys, file.fd);
    return class;
}
