/*
 * sessions.c - sessions of a batch merged with stored ones.
 *
 * Every row is a session of its own, [time, time + gap), before the exchange; equal ones are one
 * partial. Behind it the partials of a batch wait in the table of the batch. At its end they are
 * sorted by key and start and walked along together with the stored sessions of that key:
 *
 *     the next of both begins before or at the end of the current session → it is part of it
 *     else                                                                → it begins another
 *
 * Stored sessions of a key neither overlap nor touch and hang on it by start (weir.state/1 rows),
 * so one walk finds all that become one. A session that begins with a stored one goes on in its
 * record; one that begins earlier gets a new record, since records are sorted by start. Other
 * stored ones that it swallowed are merged into it and removed.
 *
 * Order. Into a session go first what was stored, by start, then the partials in order of arrival:
 * as rows came, whatever the batches were (but for stored sessions that a later row joined).
 */
#include "plugins/operator_aggregate/lane.h"

#include <stdlib.h>

#define NO_SESSION UINT32_MAX
#define BLOCK WEIR_CHUNK_TARGET_ROWS

/* A session of the batch. */
struct piece {
    uint32_t slot;  /* of the key in state */
    uint32_t index; /* in the table of the batch */
    int64_t start, end;
};

/* A session that takes in pieces. */
struct session {
    uint32_t slot, row; /* WEIR_NO_ROW: new */
    int64_t start, end;
};

/* A stored session that becomes part of another one. */
struct move {
    uint32_t row, session;
};

struct merging {
    const struct aggregation *a;
    struct lane *lane;
    struct piece *pieces;
    uint32_t n;
    uint32_t *targets;        /* by index of the piece: session, later its row */
    struct session *sessions; /* at most one per piece */
    uint32_t n_sessions;
    struct move *moves;
    uint32_t n_moves, room;
    struct weir_view ends;    /* of the stored ones */
};

static int by_key_and_start(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->slot != y->slot) return x->slot < y->slot ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* ---- the pieces ---- */

/* Keys of n pieces from `from` on are looked up in state, and made there. */
static int32_t read_pieces(struct merging *m, uint32_t from, uint32_t n, struct weir_error *error)
{
    const struct aggregation *a = m->a;
    struct lane *lane = m->lane;
    struct ArrowArray *keys = lane->expanded;
    int32_t result = WEIR_OK;
    for (uint32_t k = 0; k < a->n_keys && result == WEIR_OK; k++)
        result = a->combine->keys(lane->groups, k, from, n, &keys[k], error);
    if (result == WEIR_OK)
        result = a->state->lookup_or_insert(lane->state, a->table, lane->expanded_keys, NULL, NULL,
                                            n, lane->slots, error);
    for (uint32_t i = 0; i < n && result == WEIR_OK; i++)
        m->pieces[from + i] = (struct piece){ lane->slots[i], from + i,
                                              weir_get_int64(&keys[a->n_flat], i),
                                              weir_get_int64(&keys[a->n_flat + 1], i) };
    for (uint32_t k = 0; k < a->n_keys; k++)
        if (keys[k].release) keys[k].release(&keys[k]);
    return result;
}

static int32_t collect(struct merging *m, struct weir_error *error)
{
    const struct weir_host *host = m->a->host;
    int32_t result = WEIR_OK;
    m->pieces = host->alloc(m->n * sizeof *m->pieces);
    m->targets = host->alloc(m->n * sizeof *m->targets);
    m->sessions = host->alloc(m->n * sizeof *m->sessions);
    if (!m->pieces || !m->targets || !m->sessions) return no_memory(error);
    for (uint32_t from = 0; from < m->n && result == WEIR_OK; from += BLOCK)
        result = read_pieces(m, from, m->n - from < BLOCK ? m->n - from : BLOCK, error);
    if (result == WEIR_OK) qsort(m->pieces, m->n, sizeof *m->pieces, by_key_and_start);
    return result;
}

/* ---- the walk ---- */

/* The session that the walk is in; `number` once a piece is part of it. */
struct current {
    struct session session;
    uint32_t number, there;
};

static void give_number(struct merging *m, struct current *current)
{
    if (current->number != NO_SESSION) return;
    current->number = m->n_sessions;
    m->sessions[m->n_sessions++] = current->session;
}

static int32_t add_move(struct merging *m, uint32_t row, uint32_t session, struct weir_error *error)
{
    if (m->n_moves == m->room) {
        uint32_t room = m->room ? 2 * m->room : 256;
        struct move *moves = m->a->host->realloc(m->moves, room * sizeof *moves);
        if (!moves) return no_memory(error);
        m->moves = moves;
        m->room = room;
    }
    m->moves[m->n_moves++] = (struct move){ row, session };
    return WEIR_OK;
}

/* The next part by start: a stored session (row) or a piece (row NO_ROW). */
static int32_t walk_on(struct merging *m, struct current *current, uint32_t row,
                       const struct piece *piece, const struct session *part,
                       struct weir_error *error)
{
    int32_t result = WEIR_OK;
    const int joins = current->there && part->start <= current->session.end;
    if (!joins) *current = (struct current){ *part, NO_SESSION, 1 };
    if (joins || piece) give_number(m, current);
    if (joins && part->end > current->session.end) current->session.end = part->end;
    if (joins) m->sessions[current->number].end = current->session.end;
    if (piece) m->targets[piece->index] = current->number;
    else if (joins) result = add_move(m, row, current->number, error);
    return result;
}

/* Pieces [from, until) are those of one key. */
static int32_t walk_key(struct merging *m, uint32_t from, uint32_t until, struct weir_error *error)
{
    const struct weir_state_table *state = m->a->state;
    struct weir_state *s = m->lane->state;
    const uint32_t table = m->a->table, slot = m->pieces[from].slot;
    struct current current = { .there = 0 };
    uint32_t row = state->row_first(s, table, slot);
    int32_t result = WEIR_OK;
    while (result == WEIR_OK && (from < until || row != WEIR_NO_ROW)) {
        const struct piece *piece = from < until ? &m->pieces[from] : NULL;
        if (row != WEIR_NO_ROW && (!piece || state->row_order(s, table, row) <= piece->start)) {
            const int64_t end = *(int64_t *)(void *)(m->ends.base + row * m->ends.stride);
            const struct session part = { slot, row, state->row_order(s, table, row), end };
            if (!piece && part.start > current.session.end) break; /* none of the rest changes */
            result = walk_on(m, &current, row, NULL, &part, error);
            row = state->row_next(s, table, row);
        } else {
            const struct session part = { slot, WEIR_NO_ROW, piece->start, piece->end };
            result = walk_on(m, &current, WEIR_NO_ROW, piece, &part, error);
            from++;
        }
    }
    return result;
}

static int32_t walk(struct merging *m, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    m->ends = m->a->state->column(m->lane->state, m->a->table, m->a->expiry);
    for (uint32_t from = 0, until; from < m->n && result == WEIR_OK; from = until) {
        until = from + 1;
        while (until < m->n && m->pieces[until].slot == m->pieces[from].slot) until++;
        result = walk_key(m, from, until, error);
    }
    return result;
}

/* ---- records ---- */

/* Every session has a record, announced for writing. */
static int32_t make_rows(struct merging *m, struct weir_error *error)
{
    const struct weir_state_table *state = m->a->state;
    struct weir_state *s = m->lane->state;
    int32_t result = WEIR_OK;
    for (uint32_t i = 0; i < m->n_sessions && result == WEIR_OK; i++) {
        struct session *session = &m->sessions[i];
        if (session->row != WEIR_NO_ROW) {
            result = state->row_touch(s, m->a->table, &session->row, 1);
            if (result != WEIR_OK) return no_memory(error);
        } else {
            result = state->row_append(s, m->a->table, &session->slot, &session->start, 1,
                                       &session->row, error);
        }
    }
    return result;
}

static int32_t set_ends(struct merging *m, struct weir_error *error)
{
    const struct aggregation *a = m->a;
    const struct weir_view ends = a->state->column(m->lane->state, a->table, a->expiry);
    for (uint32_t i = 0; i < m->n_sessions; i++) {
        const struct session *session = &m->sessions[i];
        if (!a->time.bounded)
            *(int64_t *)(void *)(ends.base + session->row * ends.stride) = session->end;
        else if (a->state->set_timer(m->lane->state, a->table, a->expiry, session->row,
                                     session->end) != WEIR_OK)
            return no_memory(error);
    }
    return WEIR_OK;
}

static int32_t merge_moves(struct merging *m, uint32_t from, uint32_t n, struct weir_error *error)
{
    const struct aggregation *a = m->a;
    struct lane *lane = m->lane;
    int32_t result = WEIR_OK;
    uint32_t made = 0;
    for (uint32_t i = 0; i < n; i++) {
        lane->few[i] = m->moves[from + i].row;
        lane->slots[i] = m->sessions[m->moves[from + i].session].row;
    }
    for (; made < a->n_columns && result == WEIR_OK; made++)
        result = a->state->values(lane->state, a->table, made, lane->few, n, &lane->arrays[made],
                                  error);
    if (result == WEIR_OK) return lane_merge(a, lane, lane->arrays, n, error);
    for (uint32_t i = 0; i + 1 < made; i++) lane->arrays[i].release(&lane->arrays[i]);
    return result;
}

static int32_t merge_pieces(struct merging *m, uint32_t from, uint32_t n, struct weir_error *error)
{
    const struct aggregation *a = m->a;
    struct lane *lane = m->lane;
    int32_t result = WEIR_OK;
    uint32_t made = 0;
    for (uint32_t i = 0; i < n; i++) lane->slots[i] = m->sessions[m->targets[from + i]].row;
    for (; made < a->n_columns && result == WEIR_OK; made++)
        result = a->combine->values(lane->groups, made, from, n, &lane->arrays[made], error);
    if (result == WEIR_OK) return lane_merge(a, lane, lane->arrays, n, error);
    for (uint32_t i = 0; i + 1 < made; i++) lane->arrays[i].release(&lane->arrays[i]);
    return result;
}

static int32_t remove_moved(struct merging *m, struct weir_error *error)
{
    for (uint32_t i = 0; i < m->n_moves; i++)
        if (m->a->state->row_remove(m->lane->state, m->a->table, &m->moves[i].row, 1) != WEIR_OK)
            return no_memory(error);
    return WEIR_OK;
}

static int32_t write_sessions(struct merging *m, struct weir_error *error)
{
    int32_t result = make_rows(m, error);
    m->lane->in_state = 1;
    for (uint32_t at = 0; at < m->n_moves && result == WEIR_OK; at += BLOCK)
        result = merge_moves(m, at, m->n_moves - at < BLOCK ? m->n_moves - at : BLOCK, error);
    for (uint32_t at = 0; at < m->n && result == WEIR_OK; at += BLOCK)
        result = merge_pieces(m, at, m->n - at < BLOCK ? m->n - at : BLOCK, error);
    if (result == WEIR_OK) result = set_ends(m, error);
    if (result == WEIR_OK) result = remove_moved(m, error);
    lane_count(m->a, m->lane, "updated", m->n_sessions);
    return result;
}

static int32_t merge_batch(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    struct merging m = { .a = a, .lane = lane,
                         .n = lane->groups ? a->combine->count(lane->groups) : 0 };
    if (m.n == 0) return WEIR_OK;
    int32_t result = collect(&m, error);
    if (result == WEIR_OK) result = walk(&m, error);
    if (result == WEIR_OK) result = write_sessions(&m, error);
    a->host->free(m.pieces);
    a->host->free(m.targets);
    a->host->free(m.sessions);
    a->host->free(m.moves);
    return result;
}

/* ---- results ---- */

static int32_t emit_final(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    const int64_t until = lane->begin.evict_us;
    int32_t result = WEIR_OK;
    uint32_t n = BLOCK;
    if (until == WEIR_WATERMARK_NONE) return WEIR_OK;
    while (n == BLOCK && result == WEIR_OK) {
        n = a->state->due(lane->state, a->table, a->expiry, until, lane->slots, n);
        result = lane_emit_slots(a, lane, lane->slots, n, error);
        if (result == WEIR_OK && n)
            result = a->state->row_remove(lane->state, a->table, lane->slots, n);
        lane_count(a, lane, "removed", n);
    }
    return result;
}

static int32_t emit_all(const struct aggregation *a, struct lane *lane, struct weir_error *error)
{
    uint32_t n = 0, slot = a->state->next(lane->state, a->table, 0);
    int32_t result = WEIR_OK;
    for (; slot != WEIR_NO_SLOT; slot = a->state->next(lane->state, a->table, slot + 1)) {
        uint32_t row = a->state->row_first(lane->state, a->table, slot);
        for (; row != WEIR_NO_ROW && result == WEIR_OK;
             row = a->state->row_next(lane->state, a->table, row)) {
            lane->slots[n++] = row;
            if (n < BLOCK) continue;
            result = lane_emit_slots(a, lane, lane->slots, n, error);
            n = 0;
        }
    }
    return result == WEIR_OK ? lane_emit_slots(a, lane, lane->slots, n, error) : result;
}

int32_t lane_advance_sessions(const struct aggregation *a, struct lane *lane,
                              struct weir_error *error)
{
    int32_t result = merge_batch(a, lane, error);
    if (result != WEIR_OK) return result;
    return a->time.bounded ? emit_final(a, lane, error) : emit_all(a, lane, error);
}
