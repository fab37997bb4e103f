/*
 * direct.c - see direct.h.
 */
#include "core/state/direct.h"

#include "core/state/table.h"

#define ROWS_LEAST 512u /* of a call, to judge by them */
#define ROOM_LEAST 32u  /* entries beside the values of the call, where these are few */
#define WAIT_MOST 256u  /* calls */

/* What a column has in the rows of a call. */
struct spread {
    uint64_t least, most; /* as signed numbers */
    uint32_t same;        /* rows with the value of the first */
};

static struct spread spread_of(const uint64_t *column, const uint32_t *selection, uint32_t n)
{
    const uint64_t first = column[selection ? selection[0] : 0];
    int64_t least = (int64_t)first, most = least;
    uint64_t same = 0;
    for (uint32_t i = 0; i < n; i++) {
        const int64_t value = (int64_t)column[selection ? selection[i] : i];
        least = value < least ? value : least;
        most = value > most ? value : most;
        same += (uint64_t)value == first;
    }
    return (struct spread){ (uint64_t)least, (uint64_t)most, (uint32_t)same };
}

/* The array's place for the rows of a call; 0: they are not of that kind. */
static int fit(struct direct *d, const struct words *words, const uint32_t *selection, uint32_t n)
{
    uint32_t moving = 0;
    uint64_t range = 0;
    d->column = 0;
    for (uint32_t k = 0; k < words->n; k++) {
        const struct spread s = spread_of(words->columns[k], selection, n);
        d->rest[k] = words->columns[k][selection ? selection[0] : 0];
        if (words->n > 1 && s.same >= n - n / 4) continue; /* three quarters */
        moving++;
        d->column = k;
        d->base = s.least;
        range = s.most - s.least;
    }
    if (moving == 0) d->base = d->rest[0];
    if (moving > 1 || range >= DIRECT_RANGE || range / DIRECT_SPREAD >= n) return 0;
    /* room on both sides, a quarter at least, as a call need not have shown all values */
    uint32_t size = 2 * ROOM_LEAST;
    while (size < range + range / 2 + ROOM_LEAST) size *= 2;
    d->base -= (size - range) / 2;
    d->size = size;
    return 1;
}

/* The keys that are in the table already. */
static void fill(struct table *t, struct direct *d, uint32_t n_words)
{
    const uint32_t head = n_words == 1 ? 0 : 8;
    d->visits += t->keys.count;
    for (uint32_t slot = 0; slot < t->keys.count; slot++) {
        const uint8_t *record = slab_record(&t->keys, slot);
        uint64_t differ = 0;
        for (uint32_t k = 0; k < n_words; k++)
            if (k != d->column) differ |= load_u64(record + head + 8 * k) ^ d->rest[k];
        const uint64_t at = load_u64(record + head + 8 * d->column) - d->base;
        for (uint32_t k = 0; k < n_words; k++) differ |= (uint64_t)table_key_is_null(t, slot, k);
        if (!differ && at < d->size) d->slots[at] = slot;
    }
}

static void drop(struct table *t, struct direct *d)
{
    memory_resize(&t->memory, d->slots, d->slots ? (d->size + 1) * sizeof *d->slots : 0, 0);
    d->slots = NULL;
    d->size = 0;
}

static void make(struct table *t, struct direct *d, const struct words *words,
                 const uint32_t *selection, uint32_t n)
{
    struct direct next = { .visits = d->visits };
    if (!fit(&next, words, selection, n)) {
        drop(t, d);
        d->wait = 1u << d->tries;
        if (d->wait < WAIT_MOST) d->tries++;
        return;
    }
    if (d->slots && d->size == next.size) next.slots = d->slots;
    else drop(t, d);
    if (!next.slots)
        next.slots = memory_resize(&t->memory, NULL, 0, (next.size + 1) * sizeof *next.slots);
    if (!next.slots) next.size = 0;
    *d = next;
    if (!d->slots) return;
    direct_empty(d);
    fill(t, d, words->n);
}

void direct_prepare(struct table *t, const struct words *words, const uint32_t *selection,
                    uint32_t n)
{
    struct direct *d = t->direct;
    if (d) d->rows += n;
    if (n < ROWS_LEAST || (d && d->slots && !d->left)) return;
    if (!d) {
        d = t->direct = memory_resize(&t->memory, NULL, 0, sizeof *d);
        if (!d) return;
        memset(d, 0, sizeof *d);
        d->rows = n;
    }
    if (d->wait && d->wait--) return;
    if (t->keys.count > d->rows) return;
    make(t, d, words, selection, n);
}

void direct_note(struct direct *d, const struct words *words, uint32_t row, uint32_t slot)
{
    const uint64_t at = words->columns[d->column][row] - d->base;
    uint64_t differ = 0;
    for (uint32_t k = 0; k < words->n; k++)
        if (k != d->column) differ |= words->columns[k][row] ^ d->rest[k];
    if (!differ && at < d->size) d->slots[at] = slot;
    else d->strays++;
}

void direct_empty(struct direct *d)
{
    if (d && d->slots) memset(d->slots, 0xff, (d->size + 1) * sizeof *d->slots);
}

void direct_free(struct table *t)
{
    if (!t->direct) return;
    drop(t, t->direct);
    memory_resize(&t->memory, t->direct, sizeof *t->direct, 0);
    t->direct = NULL;
}
