/*
 * out.c - files that are being written.
 *
 * Rows are encoded into a buffer per file and written in blocks; with compression each block is a
 * frame (zstd) or member (gzip) of its own, of which any number may stand behind each other in a
 * file. So a hidden file can be appended to in the next batch, and cut back to where a batch ended,
 * without a compressor that outlives either.
 *
 * The number of open handles and the bytes in buffers are bounded; a file that was closed is opened
 * again to be synced, which makes all its bytes durable, whoever wrote them.
 */
#include "plugins/sink_file/sink.h"

#include <errno.h>
#include <zstd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "plugins/share/option.h"
#include "plugins/share/render.h"
#include "plugins/share/text.h"

#define BLOCK (256u << 10)
#define BUFFERED_MOST (32u << 20)
#define OPEN_MOST 64u
#define MADE_MOST (1u << 20)

int32_t sink_full_path(const struct sink *sink, const char *path, char out[PATH_ROOM],
                       struct weir_error *error)
{
    int n = snprintf(out, PATH_ROOM, "%s%s%s", sink->path, *path ? "/" : "", path);
    return n < 0 || n >= (int)PATH_ROOM
               ? weir_fail(error, WEIR_FATAL, "a path below '%s' is too long", sink->path)
               : WEIR_OK;
}

/* ---- directories ---- */

static int is_made(const struct sink *sink, const char *full)
{
    uint64_t at = 0;
    while (at < sink->made.length) {
        const char *known = (const char *)sink->made.data + at;
        if (strcmp(known, full) == 0) return 1;
        at += strlen(known) + 1;
    }
    return 0;
}

/* The entry of a directory may be there and still not durable, after a kill: the first time that a
 * process meets one it syncs the parent, whoever made it. Above the sink's own directory that may
 * be forbidden, and is the business of whoever made those. */
int32_t sink_make_directory(struct sink *sink, const char *full, struct weir_error *error)
{
    struct weir_io_stat stat;
    struct weir_error own;
    char parent[PATH_ROOM];
    const char *slash = strrchr(full, '/');
    int32_t status = WEIR_OK, there;
    if (is_made(sink, full)) return WEIR_OK;
    snprintf(parent, sizeof parent, "%.*s", slash && slash > full ? (int)(slash - full) : 1,
             slash ? full : ".");
    if (strcmp(parent, ".") && strcmp(parent, "/"))
        status = sink_make_directory(sink, parent, error);
    if (status != WEIR_OK) return status;
    memset(&stat, 0, sizeof stat);
    stat.size = (uint32_t)sizeof stat;
    weir_error_init(&own);
    status = sink->io->stat(sink->context, full, &stat, &own);
    there = status == WEIR_OK;
    if (there && stat.kind != WEIR_IO_DIRECTORY)
        return weir_fail(error, WEIR_CONFIG, "'%s' is no directory", full);
    if (status == WEIR_UNSUPPORTED) {
        weir_error_init(&own);
        status = sink->io->mkdir(sink->context, full, &own);
    }
    if (status == WEIR_OK) status = sink->io->sync_dir(sink->context, parent, &own);
    if (there && status == WEIR_FATAL && strlen(full) <= strlen(sink->path)) status = WEIR_OK;
    if (status != WEIR_OK) {
        if (error->error_class == WEIR_OK) *error = own;
        return status;
    }
    if (sink->made.length > MADE_MOST) sink->made.length = 0;
    return render_bytes(sink->host, full, strlen(full) + 1, &sink->made) == WEIR_OK
               ? WEIR_OK
               : no_memory(error);
}

/* ---- lists ---- */

int32_t outs_add(struct sink *sink, struct outs *outs, struct out *out, struct weir_error *error)
{
    if (outs->n == outs->room) {
        uint32_t room = outs->room ? outs->room * 2 : 16;
        struct out **p = sink->host->realloc(outs->list, room * sizeof *p);
        if (!p) return no_memory(error);
        outs->list = p;
        outs->room = room;
    }
    outs->list[outs->n++] = out;
    return WEIR_OK;
}

void out_close(struct sink *sink, struct out *out)
{
    if (out->handle < 0) return;
    sink->io->close(sink->context, out->handle);
    out->handle = -1;
    sink->n_open--;
}

void out_free(struct sink *sink, struct out *out)
{
    if (!out) return;
    out_close(sink, out);
    sink->buffered -= out->buffer.length;
    sink->host->free(out->buffer.data);
    sink->host->free(out->rows);
    sink->host->free(out);
}

static struct out *out_create(struct sink *sink, const char *key, const char *hidden,
                              const char *final_name)
{
    size_t a = strlen(key) + 1, b = strlen(hidden) + 1, c = strlen(final_name) + 1;
    struct out *out = sink->host->alloc(sizeof *out + a + b + c);
    if (!out) return NULL;
    memset(out, 0, sizeof *out);
    out->key = memcpy(out + 1, key, a);
    out->hidden = memcpy(out->key + a, hidden, b);
    out->final_name = memcpy(out->hidden + b, final_name, c);
    out->handle = -1;
    return out;
}

/* ---- names ---- */

/* The template with its words filled in. Numbers have leading zeros: names sort as numbers do. */
static int expand(const struct sink *sink, char *out, size_t size)
{
    const char *p = sink->name;
    size_t n = 0;
    while (*p && n + 24 < size) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        size_t word = end ? (size_t)(end - p) + 1 : 0;
        unsigned long long value = sink->seq;
        int digits = 5;
        if (!word) {
            out[n++] = *p++;
            continue;
        }
        if (strncmp(p, "{batch}", word) == 0) {
            value = sink->batch;
            digits = 10;
        } else if (strncmp(p, "{time_ms}", word) == 0) {
            value = (unsigned long long)(sink->time_us / 1000);
            digits = 13;
        } else if (strncmp(p, "{partition}", word) == 0) {
            value = sink->partition;
        }
        n += (size_t)snprintf(out + n, size - n, "%0*llu", digits, value);
        p += word;
    }
    out[n] = 0;
    return *p == 0;
}

const char *compression_extension(int compression)
{
    return compression == COMPRESS_ZSTD ? ".zst" : compression == COMPRESS_GZIP ? ".gz" : "";
}

static int32_t begin_file(struct sink *sink, const char *key, const char *directory,
                          struct out **found, struct weir_error *error)
{
    char name[512], hidden[PATH_ROOM], final_name[PATH_ROOM], full[PATH_ROOM];
    const char *extension = sink->formats->extension(sink->context);
    const char *slash = *directory ? "/" : "";
    int32_t status;
    struct out *out;
    int n = expand(sink, name, sizeof name - 32)
                ? snprintf(final_name, sizeof final_name, "%s%s%s%s%s%s", directory, slash, name,
                           *extension ? "." : "", extension,
                           compression_extension(sink->compression))
                : -1;
    if (n < 0 || n >= (int)(PATH_ROOM / 2) || strlen(final_name) - strlen(directory) > NAME_MOST)
        return weir_fail(error, WEIR_FATAL, "the name of a file is too long");
    snprintf(hidden, sizeof hidden, "%.2000s%s.part-%llu-%u", directory, slash,
             (unsigned long long)sink->batch, sink->seq);
    status = sink_full_path(sink, directory, full, error);
    if (status == WEIR_OK) status = sink_make_directory(sink, full, error);
    if (status != WEIR_OK) return status;
    out = out_create(sink, key, hidden, final_name);
    if (!out) return no_memory(error);
    out->batch = sink->batch;
    out->since_us = sink->time_us;
    status = outs_add(sink, &sink->active, out, error);
    if (status != WEIR_OK) {
        out_free(sink, out);
        return status;
    }
    sink->seq++;
    *found = out;
    return out_encode(sink, out, NULL, WEIR_ENCODE_HEAD, error);
}

int32_t out_get(struct sink *sink, const char *key, const char *directory, struct out **found,
                struct weir_error *error)
{
    struct out **recent = &sink->recent[fnv1a_of(key, strlen(key)) & 255];
    uint32_t i;
    int32_t status;
    if (*recent && strcmp((*recent)->key, key) == 0) {
        *found = *recent;
        return WEIR_OK;
    }
    for (i = sink->active.n; i-- > 0;)
        if (strcmp(sink->active.list[i]->key, key) == 0) {
            *found = *recent = sink->active.list[i];
            return WEIR_OK;
        }
    status = begin_file(sink, key, directory, found, error);
    if (status == WEIR_OK) *recent = *found;
    return status;
}

int32_t out_adopt(struct sink *sink, const struct entry *entry, struct weir_error *error)
{
    const char *slash = strrchr(entry->final_name, '/');
    char key[PATH_ROOM];
    struct out *out;
    int32_t status;
    snprintf(key, sizeof key, "%.*s", slash ? (int)(slash - entry->final_name) : 0,
             entry->final_name);
    out = out_create(sink, key, entry->hidden, entry->final_name);
    if (!out) return no_memory(error);
    out->length = out->base = entry->bytes;
    out->batch = UINT64_MAX; /* of an earlier batch than any that can be undone */
    out->since_us = entry->since_us;
    status = outs_add(sink, &sink->active, out, error);
    if (status != WEIR_OK) out_free(sink, out);
    return status;
}

/* ---- bytes ---- */

int32_t compressor_check(int compression, struct weir_error *error)
{
#ifndef HAVE_ZLIB
    if (compression == COMPRESS_GZIP)
        return weir_fail_option(error, "compression", -1,
                                "gzip needs zlib, which this build lacks; take zstd");
#endif
    (void)compression;
    (void)error;
    return WEIR_OK;
}

void compressor_free(struct sink *sink)
{
    if (sink->compressor) ZSTD_freeCCtx(sink->compressor);
    sink->compressor = NULL;
}

static int32_t pack_zstd(struct sink *sink, struct weir_bytes in, struct weir_error *error)
{
    size_t bound = ZSTD_compressBound(in.length), n;
    if (!sink->compressor && !(sink->compressor = ZSTD_createCCtx())) return no_memory(error);
    if (sink->packed.capacity < bound && sink->host->buffer_grow(&sink->packed, bound) != WEIR_OK)
        return no_memory(error);
    n = ZSTD_compressCCtx(sink->compressor, sink->packed.data, bound, in.data, in.length, 3);
    if (ZSTD_isError(n))
        return weir_fail(error, WEIR_FATAL, "zstd: %s", ZSTD_getErrorName(n));
    sink->packed.length = n;
    return WEIR_OK;
}

#ifdef HAVE_ZLIB
static int32_t pack_gzip(struct sink *sink, struct weir_bytes in, struct weir_error *error)
{
    z_stream stream;
    uint64_t bound;
    int result;
    memset(&stream, 0, sizeof stream);
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return no_memory(error);
    bound = deflateBound(&stream, in.length);
    if (sink->packed.capacity < bound && sink->host->buffer_grow(&sink->packed, bound) != WEIR_OK) {
        deflateEnd(&stream);
        return no_memory(error);
    }
    stream.next_in = (Bytef *)(uintptr_t)in.data;
    stream.avail_in = (uInt)in.length;
    stream.next_out = sink->packed.data;
    stream.avail_out = (uInt)bound;
    result = deflate(&stream, Z_FINISH);
    sink->packed.length = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? WEIR_OK : weir_fail(error, WEIR_FATAL, "gzip failed");
}
#endif

static int32_t pack(struct sink *sink, struct weir_bytes *bytes, struct weir_error *error)
{
    int32_t status = WEIR_OK;
    sink->packed.length = 0;
    if (sink->compression == COMPRESS_NONE) return WEIR_OK;
    if (sink->compression == COMPRESS_ZSTD) status = pack_zstd(sink, *bytes, error);
#ifdef HAVE_ZLIB
    if (sink->compression == COMPRESS_GZIP) status = pack_gzip(sink, *bytes, error);
#endif
    bytes->data = sink->packed.data;
    bytes->length = sink->packed.length;
    return status;
}

static int32_t out_open(struct sink *sink, struct out *out, struct weir_error *error)
{
    char full[PATH_ROOM];
    uint32_t flags = WEIR_IO_READ | WEIR_IO_WRITE, i;
    int32_t status;
    if (out->handle >= 0) return WEIR_OK;
    for (i = 0; sink->n_open >= OPEN_MOST && i < sink->active.n; i++)
        out_close(sink, sink->active.list[i]);
    for (i = 0; sink->n_open >= OPEN_MOST && i < sink->done.n; i++)
        out_close(sink, sink->done.list[i]);
    /* what an earlier try of this batch left there is overwritten */
    if (out->length == 0) flags |= WEIR_IO_CREATE | WEIR_IO_TRUNCATE;
    status = sink_full_path(sink, out->hidden, full, error);
    if (status == WEIR_OK)
        status = sink->io->open(sink->context, full, flags, &out->handle, error);
    if (status != WEIR_OK) {
        out->handle = -1;
        return status == WEIR_UNSUPPORTED ? WEIR_FATAL : status;
    }
    sink->n_open++;
    return WEIR_OK;
}

int32_t out_flush(struct sink *sink, struct out *out, struct weir_error *error)
{
    struct weir_bytes bytes = { out->buffer.data, out->buffer.length };
    int32_t status;
    if (bytes.length == 0 && (out->length || out->handle >= 0)) return WEIR_OK;
    status = out_open(sink, out, error);
    if (status == WEIR_OK && bytes.length) status = pack(sink, &bytes, error);
    if (status == WEIR_OK && bytes.length)
        status = sink->io->pwrite(sink->context, out->handle, bytes.data, bytes.length,
                                  out->length, error);
    if (status != WEIR_OK) return status;
    out->length += bytes.length;
    out->dirty = 1;
    sink->buffered -= out->buffer.length;
    out->buffer.length = 0;
    return WEIR_OK;
}

static int32_t flush_all(struct sink *sink, struct weir_error *error)
{
    uint32_t i;
    int32_t status = WEIR_OK;
    for (i = 0; i < sink->active.n && status == WEIR_OK; i++) {
        struct out *out = sink->active.list[i];
        if (out->buffer.length) status = out_flush(sink, out, error);
        sink->host->free(out->buffer.data);
        memset(&out->buffer, 0, sizeof out->buffer);
    }
    return status;
}

int32_t out_encode(struct sink *sink, struct out *out, const struct weir_chunk *chunk,
                   uint32_t flags, struct weir_error *error)
{
    uint64_t before = out->buffer.length;
    int32_t status = sink->formats->encode(sink->context, chunk, flags, &out->buffer, error);
    if (status != WEIR_OK) {
        out->buffer.length = before;
        return status;
    }
    out->touched = 1;
    sink->buffered += out->buffer.length - before;
    if (out->buffer.length >= BLOCK) status = out_flush(sink, out, error);
    if (status == WEIR_OK && sink->buffered > BUFFERED_MOST) status = flush_all(sink, error);
    return status;
}

int32_t out_finish(struct sink *sink, struct out *out, struct weir_error *error)
{
    int32_t status = out_encode(sink, out, NULL, WEIR_ENCODE_TAIL, error);
    if (status == WEIR_OK) status = out_flush(sink, out, error);
    if (status != WEIR_OK) return status;
    sink->host->free(out->buffer.data);
    memset(&out->buffer, 0, sizeof out->buffer);
    return WEIR_OK;
}

int32_t out_sync(struct sink *sink, struct out *out, struct weir_error *error)
{
    int32_t status;
    if (!out->dirty || planted(sink, skip_part_sync)) return WEIR_OK;
    status = out_open(sink, out, error);
    if (status == WEIR_OK) status = sink->io->sync(sink->context, out->handle, error);
    if (status == WEIR_OK) out->dirty = 0;
    else out_close(sink, out); /* a handle of no use; what the batch wrote is taken back */
    return status;
}

int32_t out_undo(struct sink *sink, struct out *out, int *gone, struct weir_error *error)
{
    char full[PATH_ROOM];
    int32_t status = sink_full_path(sink, out->hidden, full, error);
    sink->buffered -= out->buffer.length;
    out->buffer.length = 0;
    out->touched = out->rolled = 0;
    *gone = 0;
    if (status != WEIR_OK) return status;
    if (out->batch == sink->batch) {
        struct weir_error absent;
        weir_error_init(&absent);
        out_close(sink, out);
        status = sink->io->unlink(sink->context, full, &absent);
        if (status == WEIR_UNSUPPORTED) status = WEIR_OK;
        if (status != WEIR_OK && error->error_class == WEIR_OK) *error = absent;
        *gone = status == WEIR_OK;
        return status;
    }
    if (out->length == out->base) return WEIR_OK;
    status = out_open(sink, out, error);
    if (status == WEIR_OK)
        status = sink->io->truncate(sink->context, out->handle, out->base, error);
    if (status == WEIR_OK) out->length = out->base;
    return status;
}
