/*
 * record.c - payloads of JOB, PLAN, STATE, DONE and DROP, version 1.
 *
 * Primitives:
 *
 *   u      unsigned number: little-endian base 128, seven bits a byte, the shortest form only
 *   s      signed number: zigzag, then u
 *   bytes  u length, then the bytes
 *   text   as bytes; no zero byte inside
 *   flag   u, 0 or 1
 *   x[]    u count, then that many x
 *   extent u kind (1 to 4), u file, u offset, u length, then CRC-32C as four bytes, little-endian
 *
 * Payloads:
 *
 *   JOB    text job, u hash seed, s zero_us, s started_us, text weir version, module[], table[]
 *            module: text name, text hash      table: text name, text signature
 *   PLAN   s time_us, s late_us, text absent[], move[] moves, move[] forgotten
 *            move: text source, text partition, bytes from, bytes until, u rows, u bytes,
 *                  flag ended, extent[] spool
 *   STATE  s watermark_us, s late_us, watermark[], sink[], piece[], flag has_map,
 *          move[] map (none without has_map), u dead letters, extent[] dead
 *            watermark: text node, s us
 *            sink:      text name, u outcome (1 to 4), u rows, bytes committable, extent[] output
 *            piece:     text table, u group (0 to 255), flag base, flag apart,
 *                       then extent if apart, else bytes
 *   DONE   text sink
 *   DROP   text name
 *
 * Decoding trusts nothing: each length and count is compared with the bytes that are left, where
 * every element takes at least its smallest form. So the arena is never larger than a fixed
 * multiple of the payload. Nothing may follow the last field. Each value has one form: decoding
 * and encoding gives the same bytes.
 */
#include "core/log/record.h"

#include "core/log/file.h"

/* Memory of a decoded record: blocks, each filled from its beginning. */
struct record_arena {
    struct record_arena *next;
    uint64_t used, capacity;
    max_align_t memory[];
};

#define ARENA_BLOCK 4000u

/* Encoding */

struct writer {
    struct weir_buffer *out;
    int32_t class;
};

static void write_raw(struct writer *w, const void *bytes, uint64_t n)
{
    if (w->class == WEIR_OK && n)
        w->class = buffer_add(w->out, bytes, n);
}

static void write_u(struct writer *w, uint64_t v)
{
    uint8_t b[10];
    uint32_t n = 0;

    while (v >= 0x80) {
        b[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (uint8_t)v;
    write_raw(w, b, n);
}

static void write_s(struct writer *w, int64_t v)
{
    write_u(w, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

static void write_bytes(struct writer *w, struct weir_bytes bytes)
{
    write_u(w, bytes.length);
    write_raw(w, bytes.data, bytes.length);
}

static void write_text(struct writer *w, const char *text)
{
    uint64_t n = text ? strlen(text) : 0;

    write_u(w, n);
    write_raw(w, text, n);
}

static void write_extent(struct writer *w, const struct extent *extent)
{
    uint8_t crc[4];

    write_u(w, extent->kind);
    write_u(w, extent->file);
    write_u(w, extent->offset);
    write_u(w, extent->length);
    put_u32(crc, extent->crc);
    write_raw(w, crc, 4);
}

static void write_extents(struct writer *w, const struct extent *extents, uint32_t n)
{
    uint32_t i;

    write_u(w, n);
    for (i = 0; i < n; i++)
        write_extent(w, &extents[i]);
}

static void write_moves(struct writer *w, const struct record_move *moves, uint32_t n)
{
    uint32_t i;

    write_u(w, n);
    for (i = 0; i < n; i++) {
        const struct record_move *m = &moves[i];

        write_text(w, m->source);
        write_text(w, m->partition);
        write_bytes(w, m->from);
        write_bytes(w, m->until);
        write_u(w, m->rows);
        write_u(w, m->bytes);
        write_u(w, m->ended != 0);
        write_extents(w, m->spool, m->n_spool);
    }
}

int32_t record_job_encode(const struct record_job *job, struct weir_buffer *out)
{
    struct writer w = {out, WEIR_OK};
    uint32_t i;

    write_text(&w, job->text);
    write_u(&w, job->hash_seed);
    write_s(&w, job->zero_us);
    write_s(&w, job->started_us);
    write_text(&w, job->weir_version);
    write_u(&w, job->n_modules);
    for (i = 0; i < job->n_modules; i++) {
        write_text(&w, job->modules[i].name);
        write_text(&w, job->modules[i].hash);
    }
    write_u(&w, job->n_tables);
    for (i = 0; i < job->n_tables; i++) {
        write_text(&w, job->tables[i].name);
        write_text(&w, job->tables[i].signature);
    }
    return w.class;
}

int32_t record_plan_encode(const struct record_plan *plan, struct weir_buffer *out)
{
    struct writer w = {out, WEIR_OK};
    uint32_t i;

    write_s(&w, plan->time_us);
    write_s(&w, plan->late_us);
    write_u(&w, plan->n_absent);
    for (i = 0; i < plan->n_absent; i++)
        write_text(&w, plan->absent[i]);
    write_moves(&w, plan->moves, plan->n_moves);
    write_moves(&w, plan->forgotten, plan->n_forgotten);
    return w.class;
}

static void write_piece(struct writer *w, const struct record_piece *piece)
{
    int apart = !piece->bytes.data;

    write_text(w, piece->table);
    write_u(w, piece->group);
    write_u(w, piece->base != 0);
    write_u(w, (uint64_t)apart);
    if (apart)
        write_extent(w, &piece->extent);
    else
        write_bytes(w, piece->bytes);
}

int32_t record_state_encode(const struct record_state *state, struct weir_buffer *out)
{
    struct writer w = {out, WEIR_OK};
    uint32_t i;

    write_s(&w, state->watermark_us);
    write_s(&w, state->late_us);
    write_u(&w, state->n_watermarks);
    for (i = 0; i < state->n_watermarks; i++) {
        write_text(&w, state->watermarks[i].node);
        write_s(&w, state->watermarks[i].us);
    }
    write_u(&w, state->n_sinks);
    for (i = 0; i < state->n_sinks; i++) {
        const struct record_sink *sink = &state->sinks[i];

        write_text(&w, sink->name);
        write_u(&w, sink->outcome);
        write_u(&w, sink->rows);
        write_bytes(&w, sink->committable);
        write_extents(&w, sink->output, sink->n_output);
    }
    write_u(&w, state->n_pieces);
    for (i = 0; i < state->n_pieces; i++)
        write_piece(&w, &state->pieces[i]);
    write_u(&w, state->has_map != 0);
    write_moves(&w, state->map, state->has_map ? state->n_map : 0);
    write_u(&w, state->dead_letters);
    write_extents(&w, state->dead, state->n_dead);
    return w.class;
}

int32_t record_done_encode(const struct record_done *done, struct weir_buffer *out)
{
    struct writer w = {out, WEIR_OK};

    write_text(&w, done->sink);
    return w.class;
}

int32_t record_drop_encode(const struct record_drop *drop, struct weir_buffer *out)
{
    struct writer w = {out, WEIR_OK};

    write_text(&w, drop->name);
    return w.class;
}

/* Decoding. After the first fault nothing more is read: counts are 0, pointers NULL. */

struct cursor {
    const uint8_t *begin, *at, *end;
    struct record_arena **arena;
    const char *why;
    int no_memory;
};

static void read_fault(struct cursor *c, const char *why)
{
    if (!c->why)
        c->why = why;
}

static void *read_memory(struct cursor *c, uint64_t bytes)
{
    struct record_arena *block = *c->arena;
    uint64_t room = (bytes + 15) & ~UINT64_C(15);
    void *memory;

    if (c->why)
        return NULL;
    if (!block || block->capacity - block->used < room) {
        uint64_t capacity = room > ARENA_BLOCK ? room : ARENA_BLOCK;

        block = mem_alloc(sizeof *block + capacity);
        if (!block) {
            c->no_memory = 1;
            read_fault(c, "no memory");
            return NULL;
        }
        block->next = *c->arena;
        block->used = 0;
        block->capacity = capacity;
        *c->arena = block;
    }
    memory = (uint8_t *)block->memory + block->used;
    block->used += room;
    memset(memory, 0, bytes);
    return memory;
}

static uint64_t read_u(struct cursor *c)
{
    uint64_t v = 0;
    uint32_t shift;

    for (shift = 0; !c->why && shift < 64; shift += 7) {
        uint8_t b;

        if (c->at == c->end) {
            read_fault(c, "it ends inside a number");
            return 0;
        }
        b = *c->at++;
        if ((shift == 63 && b > 1) || (shift && !b))
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    read_fault(c, "a number is too long");
    return 0;
}

static int64_t read_s(struct cursor *c)
{
    uint64_t v = read_u(c);

    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static uint32_t read_range(struct cursor *c, uint64_t least, uint64_t most, const char *why)
{
    uint64_t v = read_u(c);

    if (!c->why && (v < least || v > most))
        read_fault(c, why);
    return c->why ? 0 : (uint32_t)v;
}

static uint32_t read_flag(struct cursor *c)
{
    return read_range(c, 0, 1, "a flag is neither 0 nor 1");
}

static struct weir_bytes read_bytes(struct cursor *c)
{
    uint64_t n = read_u(c);
    struct weir_bytes bytes = {c->at, n};

    if (!c->why && n > (uint64_t)(c->end - c->at))
        read_fault(c, "a length goes beyond its end");
    if (c->why)
        return (struct weir_bytes){NULL, 0};
    c->at += n;
    return bytes;
}

static const char *read_text(struct cursor *c)
{
    struct weir_bytes bytes = read_bytes(c);
    char *text;

    if (!c->why && bytes.length && memchr(bytes.data, 0, bytes.length))
        read_fault(c, "a text holds a zero byte");
    text = read_memory(c, bytes.length + 1);
    if (text && bytes.length)
        memcpy(text, bytes.data, bytes.length);
    return text;
}

/* A count of elements that take at least `least` bytes each, and zeroed memory for them. */
static uint32_t read_array(struct cursor *c, uint64_t least, uint64_t size, void **out)
{
    uint64_t n = read_u(c);

    *out = NULL;
    if (!c->why && (n > UINT32_MAX || n > (uint64_t)(c->end - c->at) / least))
        read_fault(c, "a count goes beyond its end");
    if (c->why || !n)
        return 0;
    *out = read_memory(c, n * size);
    return *out ? (uint32_t)n : 0;
}

static void read_extent(struct cursor *c, struct extent *extent)
{
    extent->kind = read_range(c, 1, FAMILIES - 1, "an extent has an unknown kind");
    extent->file = read_range(c, 1, UINT32_MAX, "an extent has no file");
    extent->offset = read_u(c);
    extent->length = read_u(c);
    if (!c->why && c->end - c->at < 4)
        read_fault(c, "it ends inside an extent");
    if (c->why)
        return;
    extent->crc = get_u32(c->at);
    c->at += 4;
}

static uint32_t read_extents(struct cursor *c, struct extent **out)
{
    void *memory;
    uint32_t n = read_array(c, 8, sizeof **out, &memory), i;

    *out = memory;
    for (i = 0; i < n && !c->why; i++)
        read_extent(c, &(*out)[i]);
    return n;
}

static uint32_t read_moves(struct cursor *c, struct record_move **out)
{
    void *memory;
    uint32_t n = read_array(c, 8, sizeof **out, &memory), i;

    *out = memory;
    for (i = 0; i < n && !c->why; i++) {
        struct record_move *m = &(*out)[i];

        m->source = read_text(c);
        m->partition = read_text(c);
        m->from = read_bytes(c);
        m->until = read_bytes(c);
        m->rows = read_u(c);
        m->bytes = read_u(c);
        m->ended = read_flag(c);
        m->n_spool = read_extents(c, &m->spool);
    }
    return n;
}

static struct cursor cursor_of(struct weir_bytes payload, struct record_arena **arena)
{
    static const uint8_t none[1];
    const uint8_t *data = payload.length ? payload.data : none;

    *arena = NULL;
    return (struct cursor){data, data, data + payload.length, arena, NULL, 0};
}

static int32_t read_end(struct cursor *c, const char *what, void *out, size_t size,
                        struct weir_error *error)
{
    unsigned long long at = (unsigned long long)(c->at - c->begin);
    int32_t class;

    if (!c->why && c->at != c->end)
        read_fault(c, "something follows its end");
    if (!c->why)
        return WEIR_OK;
    record_free(*c->arena);
    *c->arena = NULL;
    memset(out, 0, size);
    class = c->no_memory ? WEIR_FATAL : WEIR_DATA;
    return weir_fail(error, class, "%s record: byte %llu: %s", what, at, c->why);
}

int32_t record_job_decode(struct weir_bytes payload, struct record_job *out,
                          struct record_arena **arena, struct weir_error *error)
{
    struct cursor c = cursor_of(payload, arena);
    void *memory;
    uint32_t i;

    memset(out, 0, sizeof *out);
    out->text = read_text(&c);
    out->hash_seed = read_u(&c);
    out->zero_us = read_s(&c);
    out->started_us = read_s(&c);
    out->weir_version = read_text(&c);
    out->n_modules = read_array(&c, 2, sizeof *out->modules, &memory);
    out->modules = memory;
    for (i = 0; i < out->n_modules && !c.why; i++) {
        out->modules[i].name = read_text(&c);
        out->modules[i].hash = read_text(&c);
    }
    out->n_tables = read_array(&c, 2, sizeof *out->tables, &memory);
    out->tables = memory;
    for (i = 0; i < out->n_tables && !c.why; i++) {
        out->tables[i].name = read_text(&c);
        out->tables[i].signature = read_text(&c);
    }
    return read_end(&c, "JOB", out, sizeof *out, error);
}

int32_t record_plan_decode(struct weir_bytes payload, struct record_plan *out,
                           struct record_arena **arena, struct weir_error *error)
{
    struct cursor c = cursor_of(payload, arena);
    void *memory;
    uint32_t i;

    memset(out, 0, sizeof *out);
    out->time_us = read_s(&c);
    out->late_us = read_s(&c);
    out->n_absent = read_array(&c, 1, sizeof *out->absent, &memory);
    out->absent = memory;
    for (i = 0; i < out->n_absent && !c.why; i++)
        out->absent[i] = read_text(&c);
    out->n_moves = read_moves(&c, &out->moves);
    out->n_forgotten = read_moves(&c, &out->forgotten);
    return read_end(&c, "PLAN", out, sizeof *out, error);
}

static void read_sinks(struct cursor *c, struct record_state *out)
{
    void *memory;
    uint32_t i;

    out->n_sinks = read_array(c, 5, sizeof *out->sinks, &memory);
    out->sinks = memory;
    for (i = 0; i < out->n_sinks && !c->why; i++) {
        struct record_sink *sink = &out->sinks[i];

        sink->name = read_text(c);
        sink->outcome =
            read_range(c, SINK_FINISHED, SINK_DETACHED, "a sink has an unknown outcome");
        sink->rows = read_u(c);
        sink->committable = read_bytes(c);
        sink->n_output = read_extents(c, &sink->output);
    }
}

static void read_pieces(struct cursor *c, struct record_state *out)
{
    void *memory;
    uint32_t i;

    out->n_pieces = read_array(c, 5, sizeof *out->pieces, &memory);
    out->pieces = memory;
    for (i = 0; i < out->n_pieces && !c->why; i++) {
        struct record_piece *piece = &out->pieces[i];

        piece->table = read_text(c);
        piece->group = read_range(c, 0, 255, "a group is above 255");
        piece->base = read_flag(c);
        if (read_flag(c))
            read_extent(c, &piece->extent);
        else
            piece->bytes = read_bytes(c);
    }
}

int32_t record_state_decode(struct weir_bytes payload, struct record_state *out,
                            struct record_arena **arena, struct weir_error *error)
{
    struct cursor c = cursor_of(payload, arena);
    void *memory;
    uint32_t i;

    memset(out, 0, sizeof *out);
    out->watermark_us = read_s(&c);
    out->late_us = read_s(&c);
    out->n_watermarks = read_array(&c, 2, sizeof *out->watermarks, &memory);
    out->watermarks = memory;
    for (i = 0; i < out->n_watermarks && !c.why; i++) {
        out->watermarks[i].node = read_text(&c);
        out->watermarks[i].us = read_s(&c);
    }
    read_sinks(&c, out);
    read_pieces(&c, out);
    out->has_map = read_flag(&c);
    out->n_map = read_moves(&c, &out->map);
    if (out->n_map && !out->has_map)
        read_fault(&c, "a map without its flag");
    out->dead_letters = read_u(&c);
    out->n_dead = read_extents(&c, &out->dead);
    return read_end(&c, "STATE", out, sizeof *out, error);
}

int32_t record_done_decode(struct weir_bytes payload, struct record_done *out,
                           struct record_arena **arena, struct weir_error *error)
{
    struct cursor c = cursor_of(payload, arena);

    memset(out, 0, sizeof *out);
    out->sink = read_text(&c);
    return read_end(&c, "DONE", out, sizeof *out, error);
}

int32_t record_drop_decode(struct weir_bytes payload, struct record_drop *out,
                           struct record_arena **arena, struct weir_error *error)
{
    struct cursor c = cursor_of(payload, arena);

    memset(out, 0, sizeof *out);
    out->name = read_text(&c);
    return read_end(&c, "DROP", out, sizeof *out, error);
}

void record_free(struct record_arena *arena)
{
    while (arena) {
        struct record_arena *next = arena->next;

        mem_free(arena);
        arena = next;
    }
}
