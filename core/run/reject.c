/*
 * reject.c - rows that could not be used: counted, and kept as dead letters of their batch.
 *
 * Dead letters belong to the batch: they are collected per pipe in the order of the rows, brought together in the
 * order of segments and units, and written with STATE(n), so a batch that runs again has the same ones.
 *
 * The position of a record that could not be decoded is its own; that of a row which an operator before the first
 * exchange could not use is where the block that it came in begins: the row itself is in the letter.
 */
#include "core/run/reject.h"

#include <stdlib.h>

#include "core/control/dead.h"
#include "core/data/block.h"

#define KEPT_BYTES 1024u

struct letter {
    const struct plan_node *node;
    int32_t code;
    char *reason;
    char *partition;
    uint8_t *position; uint64_t position_length;
    char *row; uint64_t row_length;
    uint8_t *bytes; uint64_t bytes_length;
};

struct tally {
    const struct plan_node *node;
    uint64_t n, kept; /* kept: dead letters, of which only the first few are there without a checkpoint */
};

#define REASONS 16u /* of an instance; more are counted together */
#define FIRST_FEW 8u
static const char other_reasons[] = "other reasons";

struct reason {
    const struct plan_node *node;
    char *text;
    uint64_t n;
};

struct reasons {
    struct reason *list;
    uint32_t n;
};

struct rejects {
    struct letter *letters;
    uint32_t n, capacity;
    uint64_t bytes;
    struct tally *tallies;
    uint32_t n_tallies;
    struct reasons reasons;
};

static void reasons_fini(struct reasons *reasons)
{
    for (uint32_t i = 0; i < reasons->n; i++) free(reasons->list[i].text);
    free(reasons->list);
}

void reasons_free(struct reasons *reasons)
{
    if (reasons) reasons_fini(reasons);
    free(reasons);
}

static int32_t reason_add(struct reasons *reasons, const struct plan_node *node, const char *text,
                          uint64_t n)
{
    uint32_t of_node = 0;
    for (uint32_t i = 0; i < reasons->n; i++) {
        if (reasons->list[i].node != node) continue;
        if (strcmp(reasons->list[i].text, text) == 0) {
            reasons->list[i].n += n;
            return WEIR_OK;
        }
        of_node++;
    }
    if (of_node == REASONS && text != other_reasons)
        return reason_add(reasons, node, other_reasons, n);
    struct reason *list = realloc(reasons->list, (reasons->n + 1) * sizeof *list);
    if (!list) return WEIR_FATAL;
    reasons->list = list;
    list[reasons->n] = (struct reason){ node, strdup(text), n };
    if (!list[reasons->n].text) return WEIR_FATAL;
    reasons->n++;
    return WEIR_OK;
}

static int32_t reasons_join(struct reasons *to, const struct reasons *from)
{
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < from->n && result == WEIR_OK; i++)
        result = reason_add(to, from->list[i].node,
                            strcmp(from->list[i].text, other_reasons) == 0 ? other_reasons
                                                                           : from->list[i].text,
                            from->list[i].n);
    return result;
}

int32_t reasons_add(struct reasons **to, const struct rejects *from)
{
    if (!from) return WEIR_OK;
    if (!*to) *to = calloc(1, sizeof **to);
    return *to ? reasons_join(*to, &from->reasons) : WEIR_FATAL;
}

json_t *reasons_json(const struct reasons *reasons, const struct plan_node *node)
{
    json_t *all = NULL;
    for (uint32_t i = 0; reasons && i < reasons->n; i++) {
        if (reasons->list[i].node != node) continue;
        if (!all) all = json_object();
        json_object_set_new(all, reasons->list[i].text,
                            json_integer((json_int_t)reasons->list[i].n));
    }
    return all;
}

static void letter_fini(struct letter *letter)
{
    free(letter->reason);
    free(letter->partition);
    free(letter->position);
    mem_free(letter->row);
    free(letter->bytes);
}

void rejects_free(struct rejects *rejects)
{
    if (!rejects) return;
    for (uint32_t i = 0; i < rejects->n; i++) letter_fini(&rejects->letters[i]);
    free(rejects->letters);
    free(rejects->tallies);
    reasons_fini(&rejects->reasons);
    free(rejects);
}

static int32_t tally_add(struct rejects *rejects, const struct plan_node *node, uint64_t n,
                         uint64_t kept)
{
    for (uint32_t i = 0; i < rejects->n_tallies; i++)
        if (rejects->tallies[i].node == node) {
            rejects->tallies[i].n += n;
            rejects->tallies[i].kept += kept;
            return WEIR_OK;
        }
    struct tally *tallies =
        realloc(rejects->tallies, (rejects->n_tallies + 1) * sizeof *tallies);
    if (!tallies) return WEIR_FATAL;
    rejects->tallies = tallies;
    tallies[rejects->n_tallies++] = (struct tally){ node, n, kept };
    return WEIR_OK;
}

static struct letter *letter_add(struct rejects *rejects)
{
    if (rejects->n == rejects->capacity) {
        uint32_t capacity = rejects->capacity ? rejects->capacity * 2 : 16;
        struct letter *letters = realloc(rejects->letters, capacity * sizeof *letters);
        if (!letters) return NULL;
        rejects->letters = letters;
        rejects->capacity = capacity;
    }
    struct letter *letter = &rejects->letters[rejects->n++];
    memset(letter, 0, sizeof *letter);
    return letter;
}

int32_t rejects_merge(struct rejects **to, struct rejects **from)
{
    if (!*from) return WEIR_OK;
    if (!*to) {
        *to = *from;
        *from = NULL;
        return WEIR_OK;
    }
    for (uint32_t i = 0; i < (*from)->n_tallies; i++)
        if (tally_add(*to, (*from)->tallies[i].node, (*from)->tallies[i].n,
                      (*from)->tallies[i].kept) != WEIR_OK)
            return WEIR_FATAL;
    if (reasons_join(&(*to)->reasons, &(*from)->reasons) != WEIR_OK) return WEIR_FATAL;
    for (uint32_t i = 0; i < (*from)->n; i++) {
        struct letter *letter = letter_add(*to);
        if (!letter) return WEIR_FATAL;
        *letter = (*from)->letters[i];
        memset(&(*from)->letters[i], 0, sizeof *letter);
    }
    rejects_free(*from);
    *from = NULL;
    return WEIR_OK;
}

uint64_t rejects_count(const struct rejects *rejects)
{
    uint64_t n = 0;
    for (uint32_t i = 0; rejects && i < rejects->n_tallies; i++) n += rejects->tallies[i].kept;
    return n;
}

uint64_t rejects_bytes(const struct rejects *rejects)
{
    return rejects ? rejects->bytes : 0;
}

uint64_t rejects_kept_of(const struct rejects *rejects, uint32_t node_index)
{
    for (uint32_t i = 0; rejects && i < rejects->n_tallies; i++)
        if (rejects->tallies[i].node->index == node_index) return rejects->tallies[i].kept;
    return 0;
}

void rejects_log(const struct rejects *rejects, struct run *run, uint64_t batch)
{
    for (uint32_t i = 0; i < rejects->n && i < FIRST_FEW; i++) {
        const struct letter *letter = &rejects->letters[i];
        const char *row = letter->row ? letter->row : (const char *)letter->bytes;
        uint64_t length = letter->row ? letter->row_length : letter->bytes_length;
        journal_add(run->journal, WEIR_LOG_WARN, letter->node->name, (int64_t)batch,
                    "a row of partition \"%s\" was rejected: %s: %.*s", letter->partition,
                    letter->reason, (int)(row ? length < 200 ? length : 200 : 0), row ? row : "");
    }
    for (uint32_t i = 0; i < rejects->reasons.n; i++)
        journal_add(run->journal, WEIR_LOG_WARN, rejects->reasons.list[i].node->name,
                    (int64_t)batch, "%llu rows: %s",
                    (unsigned long long)rejects->reasons.list[i].n, rejects->reasons.list[i].text);
}

uint64_t rejects_of(const struct rejects *rejects, uint32_t node_index)
{
    for (uint32_t i = 0; rejects && i < rejects->n_tallies; i++)
        if (rejects->tallies[i].node->index == node_index) return rejects->tallies[i].n;
    return 0;
}

/* ---- from lanes ---- */

#define MODE_DEAD_LETTER 0
#define MODE_FAIL 1
#define MODE_SKIP 2

static int mode_of(const struct plan_node *node)
{
    struct weir_value value = { .size = sizeof value };
    if (!node->options || options_get(node->options, "on_error", &value) != WEIR_OK) return 0;
    if (strcmp(value.text, "fail") == 0) return MODE_FAIL;
    if (strcmp(value.text, "skip") == 0) return MODE_SKIP;
    return MODE_DEAD_LETTER;
}

/* The place of a record of the block that is being decoded, into `out`. 0: it is none, or not known. */
static uint32_t place_of(const struct pipe *pipe, const uint8_t *record,
                         uint8_t out[WEIR_POSITION_MAX])
{
    const struct plan_node *node = pipe->origin;
    const struct weir_source *table = node->component->table;
    if (!record || !pipe->raw || node->kind != JOB_SOURCE) return 0;
    if (!table->place) return 0;
    const struct ArrowArray *column = pipe->raw->children[node->bytes_column];
    const int32_t *offsets = column->buffers[1];
    const uint8_t *bytes = column->buffers[2];
    uint32_t length = 0;
    int64_t row = 0;
    if ((uintptr_t)record < (uintptr_t)(bytes + offsets[0]) ||
        (uintptr_t)record >= (uintptr_t)(bytes + offsets[column->length]))
        return 0;
    while (row + 1 < column->length && bytes + offsets[row + 1] <= record) row++;
    if (table->place(node->self, pipe->position, (uint64_t)(record - (bytes + offsets[0])),
                     (uint64_t)row, out, &length) != WEIR_OK)
        return 0;
    return length;
}

/* `record`: its bytes, where they lie in the block, or NULL. */
static struct letter *letter_new(struct lane *lane, int32_t code, const char *text,
                                 const uint8_t *record)
{
    uint8_t place[WEIR_POSITION_MAX];
    struct pipe *pipe = lane->pipe;
    struct letter *letter = letter_add(pipe->rejects);
    if (!letter) return NULL;
    letter->node = lane->node;
    letter->code = code;
    letter->reason = strdup(text ? text : "");
    letter->partition = strdup(pipe->partition_name ? pipe->partition_name : "");
    struct weir_bytes position = { place, place_of(pipe, record, place) };
    if (position.length == 0) position = pipe->position;
    letter->position = malloc(position.length + 1);
    if (!letter->reason || !letter->partition || !letter->position) return NULL;
    if (position.length) memcpy(letter->position, position.data, position.length);
    letter->position_length = position.length;
    pipe->rejects->bytes += sizeof *letter + position.length + strlen(letter->reason) + KEPT_BYTES / 8;
    return letter;
}

/* Counts the row and says what to do with it: 0 keep it as a letter, 1 done, < 0: the batch fails. */
static int count_bad(struct lane *lane, const char *text, struct weir_error *error)
{
    struct pipe *pipe = lane->pipe;
    int mode = mode_of(lane->node);
    pipe->rows_bad++;
    if (!pipe->rejects) pipe->rejects = calloc(1, sizeof *pipe->rejects);
    if (!pipe->rejects || tally_add(pipe->rejects, lane->node, 1, mode == MODE_DEAD_LETTER) != WEIR_OK ||
        reason_add(&pipe->rejects->reasons, lane->node, text ? text : "", 1) != WEIR_OK) {
        weir_fail(error, WEIR_FATAL, "out of memory");
        return -1;
    }
    if (mode == MODE_FAIL) {
        weir_fail(error, WEIR_DATA,
                  "\"%s\" met a row that it can't use (on_error is fail): %s; partition \"%s\"",
                  lane->node->name, text, pipe->partition_name ? pipe->partition_name : "");
        return -1;
    }
    if (!pipe->run->checkpoint && pipe->rejects->n >= FIRST_FEW) return 1; /* nobody will read it */
    return mode == MODE_SKIP;
}

int32_t lane_reject(struct weir_context *context, const struct weir_chunk *chunk, uint32_t row,
                    int32_t code, const char *text, struct weir_error *error)
{
    struct lane *lane = context->owner;
    int done = count_bad(lane, text, error);
    if (done) return done > 0 ? WEIR_OK : (error ? error->error_class : WEIR_DATA);
    struct letter *letter = letter_new(lane, code, text, NULL);
    if (!letter) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (!chunk || row >= chunk->rows) return WEIR_OK;
    struct weir_buffer json = { 0 };
    if (rows_json(chunk->schema, chunk->array, &row, 1, &json) != WEIR_OK) {
        mem_free(json.data);
        return weir_fail(error, WEIR_FATAL, "out of memory");
    }
    letter->row = (char *)json.data;
    letter->row_length = json.length;
    lane->pipe->rejects->bytes += json.length;
    return WEIR_OK;
}

int32_t lane_reject_bytes(struct weir_context *context, struct weir_bytes record, int32_t code,
                          const char *text, struct weir_error *error)
{
    struct lane *lane = context->owner;
    int done = count_bad(lane, text, error);
    lane->pipe->rows_in++;
    if (done) return done > 0 ? WEIR_OK : (error ? error->error_class : WEIR_DATA);
    struct letter *letter = letter_new(lane, code, text, record.data);
    if (!letter) return weir_fail(error, WEIR_FATAL, "out of memory");
    letter->bytes_length = record.length < KEPT_BYTES ? record.length : KEPT_BYTES;
    letter->bytes = malloc(letter->bytes_length + 1);
    if (!letter->bytes) return weir_fail(error, WEIR_FATAL, "out of memory");
    if (letter->bytes_length) memcpy(letter->bytes, record.data, letter->bytes_length);
    return WEIR_OK;
}

/* ---- as a block ---- */

static int32_t letter_append(struct weir_builder *builder, const struct letter *letter,
                             uint64_t batch)
{
    const struct weir_data *d = &weir_data_1;
    struct weir_builder *c[8];
    int32_t bad = 0;
    for (uint32_t k = 0; k < 8; k++) c[k] = d->builder_child(builder, k);
    bad |= d->append_bytes(c[0], letter->node->name, strlen(letter->node->name));
    bad |= d->append_int(c[1], letter->code);
    bad |= d->append_bytes(c[2], letter->reason, strlen(letter->reason));
    bad |= d->append_bytes(c[3], letter->partition, strlen(letter->partition));
    bad |= d->append_bytes(c[4], letter->position, letter->position_length);
    bad |= d->append_int(c[5], (int64_t)batch);
    bad |= letter->row ? d->append_bytes(c[6], letter->row, letter->row_length)
                       : d->append_null(c[6]);
    bad |= letter->bytes ? d->append_bytes(c[7], letter->bytes, letter->bytes_length)
                         : d->append_null(c[7]);
    return bad ? WEIR_FATAL : WEIR_OK;
}

static int32_t block_of(const struct rejects *rejects, uint32_t from, uint32_t n, uint64_t batch,
                        struct weir_builder *builder, const struct ArrowSchema *schema,
                        struct weir_buffer *out, struct weir_error *error)
{
    struct ArrowArray array = { 0 };
    for (uint32_t i = from; i < from + n; i++)
        if (letter_append(builder, &rejects->letters[i], batch) != WEIR_OK)
            return weir_fail(error, WEIR_FATAL, "out of memory");
    if (weir_data_1.builder_finish(builder, &array, error) != WEIR_OK) return WEIR_FATAL;
    struct weir_chunk *chunk = chunk_create(schema, &array, NULL, 0);
    if (!chunk) return weir_fail(error, WEIR_FATAL, "out of memory");
    int32_t result = block_encode(chunk, BLOCK_COMPRESS, out, error);
    chunk_release(chunk);
    return result;
}

int32_t rejects_block(const struct rejects *rejects, uint64_t batch, struct weir_buffer *out,
                      struct weir_error *error)
{
    struct ArrowSchema schema = { 0 };
    struct weir_builder *builder = NULL;
    if (rejects_count(rejects) == 0) return WEIR_OK;
    int32_t result = weir_data_1.schema_parse(dead_letters_ddl, &schema, error);
    if (result == WEIR_OK) result = weir_data_1.builder_create(&schema, &builder, error);
    for (uint32_t i = 0; result == WEIR_OK && i < rejects->n; i += 8192) {
        uint32_t n = rejects->n - i < 8192 ? rejects->n - i : 8192;
        result = block_of(rejects, i, n, batch, builder, &schema, out, error);
    }
    weir_data_1.builder_destroy(builder);
    schema_release(&schema);
    return result;
}
