/*
 * spooled.c - the output spool.
 *
 * The rows of a batch for one sink are one or more extents of kind OUTPUT, little-endian:
 *
 *      0  8  "WEROUT01"
 *      8  8  batch
 *     16  8  T of the batch, µs
 *     24  4  partitions of the batch
 *     28  4  chunks in this extent
 *     32     per chunk: u32 partition, u32 zero, one weir.block/1
 *
 * A batch without rows has one extent without chunks. Chunks keep their bounds and their order, so a sink
 * that is given them again sees what it saw before. An extent is closed once it holds EXTENT_TARGET bytes: that,
 * and one chunk, is all the memory that writing or reading takes.
 *
 * On disk it holds the rows of one batch for each such sink: no batch is planned before the one before it is
 * delivered (the sink holds the job), and a batch ends at its share of the memory limit. Files of batches that are
 * through go with the map of positions, or as soon as the checkpoint has grown by RETAIN_BYTES (checkpoint.c).
 */
#include "core/run/spooled.h"

#include <stdlib.h>

#include "core/data/block.h"

#ifdef WEIR_SMALL_LOG /* crash sweeps */
#define EXTENT_TARGET 128u
#else
#define EXTENT_TARGET (4u << 20)
#endif
#define HEAD_BYTES 32u
#define CHUNK_LIMIT (1ull << 31) /* what one chunk may take when it is read */

static const char magic[8] = { 'W', 'E', 'R', 'O', 'U', 'T', '0', '1' };

struct head {
    char magic[8];
    uint64_t batch;
    int64_t time_us;
    uint32_t partitions, chunks;
};

/* ---- writing ---- */

static int32_t add_chunk(const struct weir_chunk *chunk, struct weir_buffer *out,
                         struct weir_error *error)
{
    uint32_t front[2] = { chunk->partition, 0 };
    if (buffer_add(out, front, sizeof front) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    return block_encode(chunk, BLOCK_COMPRESS, out, error);
}

static int32_t add_extent(struct spooled *output, const struct extent *extent,
                          struct weir_error *error)
{
    struct extent *extents = realloc(output->extents, (output->n + 1) * sizeof *extents);
    if (!extents) return weir_fail(error, WEIR_FATAL, "out of memory");
    output->extents = extents;
    extents[output->n++] = *extent;
    output->bytes += extent->length;
    return WEIR_OK;
}

static int32_t write_some(struct sink *sink, struct log *log, struct weir_error *error)
{
    struct spooled *output = &sink->output;
    struct head head = { .batch = output->batch, .time_us = output->time_us,
                         .partitions = output->partitions };
    struct weir_buffer bytes = { 0 };
    struct extent extent;
    uint32_t next = sink->n_logged;
    memcpy(head.magic, magic, sizeof magic);
    int32_t result = buffer_add(&bytes, &head, sizeof head);
    while (result == WEIR_OK && next < sink->n_chunks && bytes.length < EXTENT_TARGET) {
        result = add_chunk(sink->chunks[next++], &bytes, error);
        head.chunks++;
    }
    if (result == WEIR_OK) {
        memcpy(bytes.data, &head, sizeof head);
        result = log_extent_write(log, EXTENT_OUTPUT,
                                  (struct weir_bytes){ bytes.data, bytes.length }, &extent, error);
    } else {
        weir_fail(error, result, "out of memory");
    }
    if (result == WEIR_OK) result = add_extent(output, &extent, error);
    if (result == WEIR_OK) sink->n_logged = next;
    mem_free(bytes.data);
    return result;
}

int32_t spooled_write(struct sink *sink, struct log *log, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    while (result == WEIR_OK && (sink->n_logged < sink->n_chunks || sink->output.n == 0))
        result = write_some(sink, log, error);
    return result;
}

/* ---- reading ---- */

static int32_t read_head(struct weir_bytes bytes, struct head *head, struct weir_error *error)
{
    if (bytes.length < HEAD_BYTES || memcmp(bytes.data, magic, sizeof magic) != 0)
        return weir_fail(error, WEIR_DATA, "an extent of the output spool has no head");
    memcpy(head, bytes.data, sizeof *head);
    return WEIR_OK;
}

static int same_columns(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    if (a->n_children != b->n_children) return 0;
    for (int64_t i = 0; i < a->n_children; i++)
        if (strcmp(a->children[i]->name, b->children[i]->name) != 0 ||
            !schema_same_type(a->children[i], b->children[i]))
            return 0;
    return 1;
}

/* The chunk at the beginning of `bytes`, which is left behind it. */
static int32_t read_chunk(struct weir_bytes *bytes, const struct ArrowSchema *schema,
                          const struct head *head, struct weir_chunk **out,
                          struct weir_error *error)
{
    struct ArrowSchema logged = { 0 };
    struct ArrowArray array = { 0 };
    uint32_t front[2];
    uint64_t used = 0;
    *out = NULL;
    if (bytes->length < sizeof front)
        return weir_fail(error, WEIR_DATA, "an extent of the output spool ends too early");
    memcpy(front, bytes->data, sizeof front);
    struct weir_bytes block = { bytes->data + sizeof front, bytes->length - sizeof front };
    int32_t result = block_decode(block, CHUNK_LIMIT, &logged, &array, &used, error);
    if (result != WEIR_OK) return result;
    int same = same_columns(&logged, schema);
    schema_release(&logged);
    if (!same) {
        array_release(&array);
        return weir_fail(error, WEIR_CONFIG, "rows of batch %llu that were not delivered yet have other "
                         "columns: run the job once as it was", (unsigned long long)head->batch);
    }
    struct weir_chunk *chunk = chunk_create(schema, &array, NULL, 0);
    if (!chunk) return weir_fail(error, WEIR_FATAL, "out of memory");
    chunk->batch = head->batch;
    chunk->partition = front[0];
    *out = chunk;
    *bytes = (struct weir_bytes){ block.data + used, block.length - used };
    return WEIR_OK;
}

int32_t spooled_read(struct log *log, const struct extent *extent, const struct ArrowSchema *schema,
                    int32_t (*take)(void *arg, struct weir_chunk *chunk, struct weir_error *error),
                    void *arg, struct weir_error *error)
{
    struct head head;
    uint8_t *read = NULL;
    int32_t result = log_extent_read(log, extent, &read, error);
    if (result != WEIR_OK) return result;
    struct weir_bytes bytes = { read, extent->length };
    result = read_head(bytes, &head, error);
    if (result == WEIR_OK)
        bytes = (struct weir_bytes){ read + HEAD_BYTES, extent->length - HEAD_BYTES };
    for (uint32_t i = 0; result == WEIR_OK && i < head.chunks; i++) {
        struct weir_chunk *chunk;
        result = read_chunk(&bytes, schema, &head, &chunk, error);
        if (result == WEIR_OK) result = take(arg, chunk, error);
        chunk_release(chunk);
    }
    mem_free(read);
    return result;
}

int32_t spooled_describe(struct log *log, struct spooled *output, struct weir_error *error)
{
    struct head head;
    uint8_t *read = NULL;
    int32_t result = log_extent_read(log, &output->extents[0], &read, error);
    if (result != WEIR_OK) return result;
    result = read_head((struct weir_bytes){ read, output->extents[0].length }, &head, error);
    if (result == WEIR_OK) {
        output->time_us = head.time_us;
        output->partitions = head.partitions;
    }
    mem_free(read);
    return result;
}

void spooled_fini(struct spooled *output)
{
    free(output->extents);
    memset(output, 0, sizeof *output);
}
