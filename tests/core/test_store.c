/*
 * test_store.c - capture and restore: random work against a model, migration, golden files, damage,
 * groups on two threads.
 *
 * WEIR_GOLDEN=write makes the golden files anew, from the top of the tree. WEIR_SEEDS=n runs that
 * many seeds of the random test (default 40); where it fails it says which, and WEIR_SEED=n runs
 * that one alone.
 */
#include "tests/core/state_tables.h"

#include <pthread.h>

#include "core/state/hash.h"

static struct weir_bytes bytes_of(struct weir_buffer b)
{
    struct weir_bytes bytes = { b.data, b.length };
    return bytes;
}

static void restore(struct fixture *f, int base, struct weir_buffer b)
{
    struct weir_error error = WEIR_ERROR_INIT;
    if (store_restore(f->op, f->table, 0, base, bytes_of(b), &error)) fail_msg("%s", error.text);
}

static struct fixture twin_of(const struct fixture *f)
{
    return fixture_of(f->kind, f->key, f->columns);
}

/* Everything that can be seen of two tables is the same. */
static void assert_same(struct fixture *a, struct fixture *b)
{
    struct weir_buffer x = { NULL, 0, 0 }, y = { NULL, 0, 0 };
    uint32_t slot, row, other;
    assert_int_equal(store_dump(a->op, 0, 0, &x), WEIR_OK);
    assert_int_equal(store_dump(b->op, 0, 0, &y), WEIR_OK);
    assert_int_equal(x.length, y.length);
    if (x.length) assert_memory_equal(x.data, y.data, x.length);
    for (slot = S->next(a->state, 0, 0); slot != WEIR_NO_SLOT;
         slot = S->next(a->state, 0, slot + 1)) {
        assert_true(S->next(b->state, 0, slot) == slot);
        if (a->kind != WEIR_ROWS) continue;
        other = S->row_first(b->state, 0, slot);
        for (row = S->row_first(a->state, 0, slot); row != WEIR_NO_ROW;
             row = S->row_next(a->state, 0, row)) {
            assert_int_equal(row, other);
            other = S->row_next(b->state, 0, other);
        }
        assert_int_equal(other, WEIR_NO_ROW);
    }
    assert_int_equal(store_group_due(a->op, 0, 0), store_group_due(b->op, 0, 0));
    mem_free(x.data);
    mem_free(y.data);
}

/* ---- random work beside a model ---- */

#define IDS 60
#define SLOTS 400
#define PIECES 64

enum { FREE, LIVE, GONE };

struct item {
    int state, id;     /* of a key: which; of a row: slot of its key */
    int64_t n, due, order;
    uint64_t arrival;
    char text[64];
};

struct model {
    struct fixture table;
    uint64_t seed, arrivals;
    int key_form;
    struct item keys[SLOTS], rows[SLOTS];
    struct weir_buffer pieces[PIECES];
    int bases[PIECES];
    uint32_t n_pieces;
};

static const struct { uint32_t kind; const char *key, *columns; } forms[] = {
    { WEIR_TABLE, "k int64", "n int64, t string, due timestamp" },
    { WEIR_TABLE, "k string", "n int64, t string, due timestamp" },
    { WEIR_TABLE, "a int32, b string, c float64, d bool", "n int64, t string, due timestamp" },
    { WEIR_ROWS, "k string", "n int64, t string, due timestamp" },
    { WEIR_ROWS, "k int32", "n int64, t string, due timestamp" },
};

static void key_json(const struct model *m, int id, char *out, size_t size)
{
    const int form = m->key_form;
    if (form == 0 || form == 4) snprintf(out, size, id ? "[[%d]]" : "[[null]]", id);
    else if (form != 2) snprintf(out, size, id ? "[[\"%.*s%d\"]]" : "[[null]]", id % 31,
                                 "abcdefghijklmnopqrstuvwxyzabcdefgh", id);
    else snprintf(out, size, "[[%d,%s,%s,%s]]", id % 3, id % 5 ? "\"x\"" : "null",
                  id % 7 == 6 ? "\"NaN\"" : id % 2 ? "1.5" : "0.0", id % 11 < 5 ? "true" : "null");
}

static int key_known(const struct model *m, int id)
{
    /* ids that give the same key in form 2 */
    char want[128], have[128];
    int i;
    key_json(m, id, want, sizeof want);
    for (i = 0; i < id; i++) {
        key_json(m, i, have, sizeof have);
        if (strcmp(want, have) == 0) return i;
    }
    return id;
}

static uint32_t lowest_free(const struct item *items)
{
    uint32_t i;
    for (i = 0; items[i].state != FREE; i++) assert_true(i + 1 < SLOTS);
    return i;
}

static struct item *fresh(struct item *items, uint32_t slot, int id)
{
    memset(&items[slot], 0, sizeof *items);
    items[slot].state = LIVE;
    items[slot].id = id;
    items[slot].due = INT64_MAX;
    return &items[slot];
}

/* The key's slot, made in both if need be. */
static uint32_t model_key(struct model *m, int id)
{
    char json[128];
    uint32_t slot, i;
    id = key_known(m, id);
    key_json(m, id, json, sizeof json);
    slot = insert_key(&m->table, json);
    for (i = 0; i < SLOTS; i++)
        if (m->keys[i].state == LIVE && m->keys[i].id == id) break;
    if (i == SLOTS) {
        i = lowest_free(m->keys);
        fresh(m->keys, i, id);
    }
    assert_int_equal(slot, i);
    return slot;
}

static void model_write(struct model *m, struct item *item, uint32_t slot)
{
    struct fixture *f = &m->table;
    const uint32_t length = (uint32_t)(chance(&m->seed) % 40);
    item->n = *int_cell(f, 0, slot) = (int64_t)chance(&m->seed);
    if (chance(&m->seed) % 2) {
        memset(item->text, 'a' + (int)(chance(&m->seed) % 26), length);
        item->text[length] = 0;
        assert_int_equal(S->put(f->state, 0, 1, slot, text_of(item->text)), WEIR_OK);
    }
    if (chance(&m->seed) % 3 == 0) {
        item->due = chance(&m->seed) % 4 ? (int64_t)(chance(&m->seed) % 1000) : INT64_MAX;
        assert_int_equal(S->set_timer(f->state, 0, 2, slot, item->due), WEIR_OK);
    }
}

static void drop_rows(struct model *m, uint32_t slot, int64_t before)
{
    uint32_t i;
    for (i = 0; i < SLOTS; i++)
        if (m->rows[i].state == LIVE && (uint32_t)m->rows[i].id == slot &&
            m->rows[i].order < before)
            m->rows[i].state = GONE;
}

static uint32_t count_rows(const struct model *m, uint32_t slot)
{
    uint32_t i, n = 0;
    for (i = 0; i < SLOTS; i++)
        n += m->rows[i].state == LIVE && (uint32_t)m->rows[i].id == slot;
    return n;
}

static void step_rows(struct model *m, uint32_t slot)
{
    struct fixture *f = &m->table;
    const int64_t order = (int64_t)(chance(&m->seed) % 20);
    uint32_t row, want;
    switch (chance(&m->seed) % 8) {
    case 0: /* old records go, and perhaps the key */
        if (!count_rows(m, slot)) break;
        drop_rows(m, slot, order);
        assert_true(S->row_remove_before(f->state, 0, slot, order) >= 0);
        if (!count_rows(m, slot)) m->keys[slot].state = GONE;
        break;
    case 1:
        row = S->row_first(f->state, 0, slot);
        if (row == WEIR_NO_ROW) break;
        assert_int_equal(S->row_remove(f->state, 0, &row, 1), WEIR_OK);
        m->rows[row].state = GONE;
        if (!count_rows(m, slot)) m->keys[slot].state = GONE;
        break;
    case 2:
        row = S->row_first(f->state, 0, slot);
        if (row == WEIR_NO_ROW) break;
        assert_int_equal(S->row_touch(f->state, 0, &row, 1), WEIR_OK);
        model_write(m, &m->rows[row], row);
        break;
    default:
        want = lowest_free(m->rows);
        assert_int_equal(S->row_append(f->state, 0, &slot, &order, 1, &row, NULL), WEIR_OK);
        assert_int_equal(row, want);
        fresh(m->rows, row, (int)slot)->order = order;
        m->rows[row].arrival = m->arrivals++;
        model_write(m, &m->rows[row], row);
    }
}

static void step(struct model *m)
{
    struct fixture *f = &m->table;
    const uint32_t slot = model_key(m, (int)(chance(&m->seed) % IDS));
    if (chance(&m->seed) % 6 == 0) {
        remove_slot(f, slot);
        m->keys[slot].state = GONE;
        drop_rows(m, slot, INT64_MAX);
    } else if (f->kind == WEIR_ROWS) {
        step_rows(m, slot);
    } else {
        model_write(m, &m->keys[slot], slot);
    }
}

static void assert_item(struct fixture *f, const struct item *item, uint32_t slot)
{
    assert_int_equal(*int_cell(f, 0, slot), item->n);
    assert_int_equal(*int_cell(f, 2, slot), item->due);
    assert_text(f, 1, slot, item->text);
}

static void assert_rows_of(struct model *m, uint32_t slot)
{
    struct fixture *f = &m->table;
    uint32_t row, n = 0;
    const struct item *last = NULL, *item;
    for (row = S->row_first(f->state, 0, slot); row != WEIR_NO_ROW;
         row = S->row_next(f->state, 0, row)) {
        item = &m->rows[row];
        assert_true(item->state == LIVE && (uint32_t)item->id == slot);
        assert_int_equal(S->row_order(f->state, 0, row), item->order);
        if (last)
            assert_true(last->order < item->order ||
                        (last->order == item->order && last->arrival < item->arrival));
        assert_item(f, item, row);
        last = item;
        n++;
    }
    assert_int_equal(n, count_rows(m, slot));
}

static void assert_model(struct model *m)
{
    struct fixture *f = &m->table;
    char json[128];
    uint32_t slot, i;
    int64_t least = INT64_MAX;
    const struct item *items = f->kind == WEIR_ROWS ? m->rows : m->keys;
    slot = S->next(f->state, 0, 0);
    for (i = 0; i < SLOTS; i++) {
        if (items[i].state == LIVE && items[i].due < least) least = items[i].due;
        if (m->keys[i].state != LIVE) continue;
        assert_int_equal(slot, i);
        slot = S->next(f->state, 0, slot + 1);
        key_json(m, m->keys[i].id, json, sizeof json);
        assert_int_equal(find_key(f, json), i);
        if (f->kind == WEIR_ROWS) assert_rows_of(m, i);
        else assert_item(f, &m->keys[i], i);
    }
    assert_int_equal(slot, WEIR_NO_SLOT);
    assert_int_equal(store_group_due(f->op, 0, 0), least);
}

static void batch_ends(struct model *m)
{
    int is_base, asked = chance(&m->seed) % 8 == 0 || m->n_pieces == PIECES;
    struct weir_buffer b = capture(&m->table, asked, &is_base);
    uint32_t i;
    assert_true(is_base || !asked);
    assert_int_equal(store_group_changed(m->table.op, 0), 0);
    for (i = 0; i < SLOTS; i++) {
        if (m->keys[i].state == GONE) m->keys[i].state = FREE;
        if (m->rows[i].state == GONE) m->rows[i].state = FREE;
    }
    if (is_base)
        while (m->n_pieces) mem_free(m->pieces[--m->n_pieces].data);
    if (b.length) {
        m->bases[m->n_pieces] = is_base;
        m->pieces[m->n_pieces++] = b;
    }
}

static void restart(struct model *m)
{
    struct fixture next = twin_of(&m->table);
    uint32_t i;
    for (i = 0; i < m->n_pieces; i++) restore(&next, m->bases[i], m->pieces[i]);
    assert_int_equal(store_group_changed(next.op, 0), 0);
    assert_same(&m->table, &next);
    if (chance(&m->seed) % 2) { /* go on with the restored one */
        fixture_drop(&m->table);
        m->table = next;
    } else {
        fixture_drop(&next);
    }
}

static void run_model(uint32_t form, uint64_t seed)
{
    struct model *m = calloc(1, sizeof *m);
    uint32_t batch, i, n;
    assert_non_null(m);
    m->key_form = (int)form;
    m->seed = seed;
    m->table = fixture_of(forms[form].kind, forms[form].key, forms[form].columns);
    for (batch = 0; batch < 30; batch++) {
        n = (uint32_t)(chance(&m->seed) % (chance(&m->seed) % 4 ? 6 : 60));
        for (i = 0; i < n; i++) step(m);
        batch_ends(m);
        assert_model(m);
        if (chance(&m->seed) % 3 == 0) restart(m);
    }
    while (m->n_pieces) mem_free(m->pieces[--m->n_pieces].data);
    fixture_drop(&m->table);
    free(m);
}

static uint64_t seed_under_way; /* 0: none */

static void restored_state_is_equal_in_everything(void **state)
{
    const char *seeds = getenv("WEIR_SEEDS"), *one = getenv("WEIR_SEED");
    const uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 40;
    uint32_t form;
    (void)state;
    seed_under_way = one ? strtoull(one, NULL, 10) : 1;
    for (;; seed_under_way++) {
        for (form = 0; form < sizeof forms / sizeof *forms; form++)
            run_model(form, seed_under_way * 1000 + form);
        if (one || seed_under_way >= n) break;
    }
    seed_under_way = 0;
}

static int say_seed(void **state)
{
    if (seed_under_way) print_error("WEIR_SEED=%llu\n", (unsigned long long)seed_under_way);
    seed_under_way = 0;
    return no_leak(state);
}

/* ---- capture ---- */

static void only_changes_are_captured(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64");
    struct weir_buffer all, one, none;
    uint32_t slots[10], slot;
    int is_base;
    (void)state;
    insert_keys(&f, "[[0],[1],[2],[3],[4],[5],[6],[7],[8],[9]]", slots);
    all = capture(&f, 0, &is_base);
    assert_int_equal(is_base, 1); /* over half are new */
    none = capture(&f, 0, &is_base);
    assert_int_equal(none.length, 0);
    insert_key(&f, "[[3]]");
    slot = 4;
    assert_int_equal(S->touch(f.state, 0, &slot, 1), WEIR_OK);
    assert_int_equal(S->touch(f.state, 0, &slot, 1), WEIR_OK);
    one = capture(&f, 0, &is_base);
    assert_int_equal(is_base, 0);
    /* head 8 + type 1 + column 3, four counts, two slots as bits, no keys (flag), two equal values */
    assert_int_equal(one.length, 12 + 16 + 10 + 1 + 1);
    mem_free(all.data);
    mem_free(one.data);
    fixture_drop(&f);
}

static void a_base_of_an_empty_group_empties_it(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64"), g = twin_of(&f);
    struct weir_buffer b = capture(&f, 1, NULL);
    (void)state;
    insert_key(&g, "[[1]]");
    restore(&g, 1, b);
    assert_int_equal(store_group_live(g.op, 0), 0);
    mem_free(b.data);
    fixture_drop(&f);
    fixture_drop(&g);
}

static void a_capture_without_memory_changes_nothing(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k string", "n int64, t string");
    struct weir_buffer out = { NULL, 0, 0 }, whole;
    const uint32_t slot = insert_key(&f, "[[\"a\"]]");
    const int64_t order = 1;
    uint32_t row, n;
    int is_base;
    (void)state;
    assert_int_equal(S->row_append(f.state, 0, &slot, &order, 1, &row, NULL), WEIR_OK);
    for (n = 1; ; n++) {
        struct weir_error error = WEIR_ERROR_INIT;
        int32_t rc;
        mem_fail_at(n, 0);
        rc = store_capture(f.op, 0, 0, 0, &out, &is_base, &error);
        mem_fail_at(0, 0);
        if (rc == WEIR_OK) break;
        assert_int_equal(rc, WEIR_FATAL);
        assert_int_equal(out.length, 0);
        assert_int_equal(store_group_changed(f.op, 0), 1);
    }
    assert_true(n > 2);
    whole = capture(&f, 1, NULL);
    assert_int_equal(out.length, whole.length);
    mem_free(out.data);
    mem_free(whole.data);
    fixture_drop(&f);
}

/* ---- other shapes ---- */

static int32_t try_restore(const struct fixture *from, struct fixture *to, struct weir_error *error)
{
    int is_base;
    struct weir_buffer b = { NULL, 0, 0 };
    int32_t rc;
    assert_int_equal(store_capture(from->op, 0, 0, 1, &b, &is_base, NULL), WEIR_OK);
    rc = store_restore(to->op, 0, 0, 1, bytes_of(b), error);
    mem_free(b.data);
    return rc;
}

static void added_columns_are_zero_and_int32_becomes_int64(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int32", "n int32, t string");
    struct fixture g = fixture_of(WEIR_TABLE, "k int64", "n int64, t string, x float64, due int64");
    uint32_t slots[2];
    (void)state;
    insert_keys(&f, "[[-7],[8]]", slots);
    *(int32_t *)(void *)int_cell(&f, 0, 0) = -5;
    assert_int_equal(S->put(f.state, 0, 1, 0, text_of("kept")), WEIR_OK);
    assert_int_equal(try_restore(&f, &g, NULL), WEIR_OK);
    assert_dump(&g, "{\"key\":[-7],\"columns\":{\"n\":-5,\"t\":\"kept\",\"x\":0.0,"
                    "\"due\":9223372036854775807}}\n"
                    "{\"key\":[8],\"columns\":{\"n\":0,\"t\":\"\",\"x\":0.0,"
                    "\"due\":9223372036854775807}}\n");
    assert_int_equal(find_key(&g, "[[-7]]"), 0);
    fixture_drop(&f);
    fixture_drop(&g);
}

static void shapes_that_do_not_fit_are_refused_with_the_reason(void **state)
{
    static const struct { uint32_t kind; const char *key, *columns, *reason; } others[] = {
        { WEIR_TABLE, "k string", "n int64, t string", "key column \"k\" has another type" },
        { WEIR_TABLE, "k int64, l int64", "n int64, t string", "1 key columns, the table 2" },
        { WEIR_TABLE, "k int64", "n float64, t string", "column \"n\" has another type" },
        { WEIR_TABLE, "k int64", "n int32, t string", "column \"n\" has another type" },
        { WEIR_TABLE, "k int64", "n int64", "column \"t\"" },
        { WEIR_ROWS, "k int64", "n int64, t string", "another kind" },
    };
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64, t string");
    uint32_t i;
    (void)state;
    insert_key(&f, "[[1]]");
    for (i = 0; i < sizeof others / sizeof *others; i++) {
        struct fixture g = fixture_of(others[i].kind, others[i].key, others[i].columns);
        struct weir_error error = WEIR_ERROR_INIT;
        assert_int_equal(try_restore(&f, &g, &error), WEIR_DATA);
        assert_non_null(strstr(error.text, others[i].reason));
        fixture_drop(&g);
    }
    fixture_drop(&f);
}

static void a_signature_names_the_shape(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string, day date", "n int64, due timestamp");
    struct fixture g = fixture_of(WEIR_ROWS, "k int64", "\"a b,c\" bool");
    char *a = store_signature(f.op, 0), *b = store_signature(g.op, 0);
    (void)state;
    assert_string_equal(a, "v1 key(k string, day date/1) n int64, due timestamp timer; test");
    assert_string_equal(b, "v1 rows key(k int64/1) a\\ b\\,c bool; test");
    mem_free(a);
    mem_free(b);
    fixture_drop(&f);
    fixture_drop(&g);
}

static void signatures_fit_that_differ_by_added_or_widened_columns(void **state)
{
    static const struct { const char *was, *is; int fits; } cases[] = {
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int32; s", 1 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int64; s", 1 },
        { "v1 key(k string/1) n int64; s", "v1 key(k string/1) n int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int64, m bool; s", 1 },
        { "v1 key(k string/1); s", "v1 key(k string/1) n int64; s", 1 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int32, m bool, o date; s", 1 },
        /* a timer that nobody set would never be due */
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int32, d timestamp timer; s", 0 },
        { "v1 key(k string/1) n int32; s",
          "v1 key(k string/1) n int32, m bool, d timestamp timer of event time; s", 0 },
        { "v1 key(k string/1); s", "v1 key(k string/1) d timestamp timer; s", 0 },
        { "v1 key(k string/1) d int64 timer; s", "v1 key(k string/1) d int64 timer, m bool; s", 1 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int32, a\\ timer bool; s", 1 },
        { "v1 key(k string/1) n int32, m bool; s", "v1 key(k string/1) n int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) m int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) m bool, n int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 key(k string/1) n int32; t", 0 },
        { "v1 key(k string/1) n int32; s", "v2 key(k string/1) n int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 key(k int64/1) n int32; s", 0 },
        { "v1 key(k string/1) n int32; s", "v1 rows key(k string/1) n int32; s", 0 },
        { "v1 key(k\\)x string/1) n\\,\\; int32; s", "v1 key(k\\)x string/1) n\\,\\; int64; s", 1 },
        { "", "", 0 },
        { "v1 key(k string/1),", "v1 key(k string/1),", 0 },
        { "v1 key(k string/1) x", "v1 key(k string/1) y", 0 },
    };
    uint32_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        if (store_signature_fits(cases[i].was, cases[i].is) != cases[i].fits)
            fail_msg("%s / %s", cases[i].was, cases[i].is);
}

/* ---- golden files ---- */

/* The bytes of a golden file; after WEIR_GOLDEN=write those of `now`, where it is not NULL. */
static struct weir_buffer golden(const char *name, const struct weir_buffer *now)
{
    const char *top = getenv("srcdir"), *mode = getenv("WEIR_GOLDEN");
    struct weir_buffer b = { NULL, 0, 0 };
    char path[4096];
    FILE *f;
    snprintf(path, sizeof path, "%s/tests/core/golden/%s", top ? top : ".", name);
    if (now && mode && strcmp(mode, "write") == 0) {
        assert_non_null(f = fopen(path, "wb"));
        assert_int_equal(fwrite(now->data, 1, now->length, f), now->length);
        assert_int_equal(fclose(f), 0);
    }
    assert_non_null(f = fopen(path, "rb"));
    assert_int_equal(buffer_grow(&b, 4096), WEIR_OK);
    b.length = fread(b.data, 1, 4096, f);
    fclose(f);
    return b;
}

static void check_golden(const char *name, struct weir_buffer b)
{
    struct weir_buffer was = golden(name, &b);
    assert_int_equal(was.length, b.length);
    assert_memory_equal(was.data, b.data, b.length);
    mem_free(was.data);
}

/* A base and a delta of version 1 give the same table. */
static void check_version_1(struct fixture *f, const char *base, const char *delta)
{
    struct fixture g = twin_of(f);
    struct weir_buffer b[2] = { golden(base, NULL), golden(delta, NULL) };
    restore(&g, 1, b[0]);
    restore(&g, 0, b[1]);
    assert_same(f, &g);
    mem_free(b[0].data);
    mem_free(b[1].data);
    fixture_drop(&g);
}

static const char all_columns[] = "b bool, i int32, l int64, f float64, s string, z binary, "
                                  "due timestamp, d date";

static void write_record(struct fixture *f, uint32_t slot, int64_t value)
{
    const double number = (double)value / 4;
    struct weir_view v = S->column(f->state, 0, 0);
    v.base[slot * v.stride] = value & 1;
    *(int32_t *)(void *)int_cell(f, 1, slot) = (int32_t)value;
    *int_cell(f, 2, slot) = value * (1ll << 33);
    memcpy(int_cell(f, 3, slot), &number, 8);
    *(int32_t *)(void *)int_cell(f, 7, slot) = 19000;
    assert_int_equal(S->put(f->state, 0, 4, slot, text_of("short")), WEIR_OK);
    assert_int_equal(S->put(f->state, 0, 5, slot, text_of("binary of more than 15 bytes")),
                     WEIR_OK);
    assert_int_equal(S->set_timer(f->state, 0, 6, slot, value * 1000), WEIR_OK);
}

static void pieces_are_those_of_the_golden_files(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string, m int64", all_columns);
    struct fixture g = fixture_of(WEIR_ROWS, "k int64", all_columns);
    struct fixture h = twin_of(&f), i = twin_of(&g);
    struct weir_buffer b[4];
    uint32_t slots[8], rows[8];
    const int64_t order[6] = { 5, 3, 5, 4, 2, 2 };
    (void)state;
    insert_keys(&f, "[[\"a\",1],[null,2],[\"a key that is somewhat longer\",null],[\"b\",3],"
                    "[\"c\",4],[\"e\",6],[\"f\",7]]", slots);
    write_record(&f, 0, 1);
    write_record(&f, 2, -2);
    b[0] = capture(&f, 1, NULL);
    write_record(&f, 0, 3);
    remove_slot(&f, 1);
    insert_key(&f, "[[\"d\",5]]");
    b[1] = capture(&f, 0, NULL);
    insert_keys(&g, "[[1],[2],[1],[3],[4],[5]]", slots);
    assert_int_equal(S->row_append(g.state, 0, slots, order, 6, rows, NULL), WEIR_OK);
    write_record(&g, 1, 7);
    b[2] = capture(&g, 1, NULL);
    insert_key(&g, "[[9]]");
    assert_int_equal(S->row_append(g.state, 0, slots, order, 1, rows, NULL), WEIR_OK);
    assert_int_equal(S->row_remove(g.state, 0, &slots[1], 1), WEIR_OK);
    b[3] = capture(&g, 0, NULL);
    check_golden("store_table_base_2.bin", b[0]);
    check_golden("store_table_delta_2.bin", b[1]);
    check_golden("store_rows_base_2.bin", b[2]);
    check_golden("store_rows_delta_2.bin", b[3]);
    restore(&h, 1, b[0]);
    restore(&h, 0, b[1]);
    assert_same(&f, &h);
    restore(&i, 1, b[2]);
    restore(&i, 0, b[3]);
    assert_same(&g, &i);
    check_version_1(&f, "store_table_base.bin", "store_table_delta.bin");
    check_version_1(&g, "store_rows_base.bin", "store_rows_delta.bin");
    for (slots[0] = 0; slots[0] < 4; slots[0]++) mem_free(b[slots[0]].data);
    fixture_drop(&f);
    fixture_drop(&g);
    fixture_drop(&h);
    fixture_drop(&i);
}

static void a_dump_shows_keys_and_columns(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string, m int64",
                                  "n int64, \"a \"\"b\" bool, t string");
    struct fixture g = fixture_of(WEIR_ROWS, "k int64", "n int64");
    uint32_t slots[3], rows[3];
    const int64_t order[3] = { 2, 1, 1 };
    (void)state;
    insert_keys(&f, "[[\"a\",1],[\"x\\ny\",null]]", slots);
    *int_cell(&f, 0, 0) = 7;
    assert_dump(&f, "{\"key\":[\"a\",1],\"columns\":{\"n\":7,\"a \\\"b\":false,\"t\":\"\"}}\n"
                    "{\"key\":[\"x\\ny\",null],"
                    "\"columns\":{\"n\":0,\"a \\\"b\":false,\"t\":\"\"}}\n");
    insert_keys(&g, "[[1],[1],[2]]", slots);
    assert_int_equal(S->row_append(g.state, 0, slots, order, 3, rows, NULL), WEIR_OK);
    assert_dump(&g, "{\"key\":[1],\"rows\":[{\"order\":1,\"columns\":{\"n\":0}},"
                    "{\"order\":2,\"columns\":{\"n\":0}}]}\n"
                    "{\"key\":[2],\"rows\":[{\"order\":1,\"columns\":{\"n\":0}}]}\n");
    fixture_drop(&f);
    fixture_drop(&g);
}

/* ---- bytes from outside ---- */

static struct weir_buffer piece_of(struct fixture *f, int base)
{
    uint32_t slots[8], rows[8];
    const int64_t order[6] = { 5, 3, 5, 4, 1, 1 };
    struct weir_buffer b;
    insert_keys(f, f->kind == WEIR_ROWS
                       ? "[[1],[2],[1],[3],[4],[5]]"
                       : "[[\"a\"],[\"a key that is somewhat longer\"],[null],[\"b\"],[\"c\"],"
                         "[\"d\"]]",
                slots);
    if (f->kind == WEIR_ROWS)
        assert_int_equal(S->row_append(f->state, 0, slots, order, 6, rows, NULL), WEIR_OK);
    write_record(f, 1, 7);
    if (base) return capture(f, 1, NULL);
    next_batch(f);
    write_record(f, 0, 8);
    if (f->kind == WEIR_TABLE) assert_int_equal(S->touch(f->state, 0, slots, 1), WEIR_OK);
    else assert_int_equal(S->row_append(f->state, 0, slots, order, 1, rows, NULL), WEIR_OK);
    remove_slot(f, 2);
    b = capture(f, 0, NULL);
    assert_true(b.data[2] == 0);
    return b;
}

/* Restores damaged bytes over a good base; whatever comes of it can be read. */
static void restore_damaged(const struct fixture *f, const struct weir_buffer *good, int base,
                            const uint8_t *bytes, uint64_t n)
{
    struct fixture g = twin_of(f);
    struct weir_error error = WEIR_ERROR_INIT;
    struct weir_bytes damaged;
    uint8_t *copy = malloc(n ? n : 1); /* its end is guarded by the sanitizer */
    struct weir_buffer out = { NULL, 0, 0 };
    int32_t rc;
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    damaged.data = copy;
    damaged.length = n;
    if (!base) restore(&g, 1, *good);
    rc = store_restore(g.op, 0, 0, base, damaged, &error);
    assert_true(rc == WEIR_OK || rc == WEIR_DATA || rc == WEIR_FATAL);
    assert_true(rc == WEIR_OK || error.text[0]);
    if (rc != WEIR_OK) {
        assert_int_equal(store_group_live(g.op, 0), 0);
        assert_int_equal(store_restore(g.op, 0, 0, 0, damaged, NULL), WEIR_DATA); /* needs a base */
    }
    assert_int_equal(store_dump(g.op, 0, 0, &out), WEIR_OK);
    store_group_due(g.op, 0, 0);
    mem_free(out.data);
    free(copy);
    fixture_drop(&g);
}

static void damage_piece(uint32_t kind, const char *key, int base)
{
    struct fixture f = fixture_of(kind, key, all_columns), start = twin_of(&f);
    struct weir_buffer good = piece_of(&start, 1), piece = piece_of(&f, base);
    uint64_t i, seed = 5;
    for (i = 0; i < piece.length; i++) restore_damaged(&f, &good, base, piece.data, i);
    for (i = 0; i < piece.length * 8; i++) {
        piece.data[i / 8] ^= (uint8_t)(1u << (i & 7));
        restore_damaged(&f, &good, base, piece.data, piece.length);
        piece.data[i / 8] ^= (uint8_t)(1u << (i & 7));
    }
    for (i = 0; i < 2000; i++) { /* several bytes at once */
        uint8_t bytes[2048];
        uint32_t k;
        assert_true(piece.length <= sizeof bytes);
        memcpy(bytes, piece.data, piece.length);
        for (k = 0; k < 4; k++)
            bytes[chance(&seed) % piece.length] =
                chance(&seed) % 2 ? (uint8_t)(chance(&seed) % 4) : 0xff;
        restore_damaged(&f, &good, base, bytes, piece.length);
    }
    mem_free(good.data);
    mem_free(piece.data);
    fixture_drop(&f);
    fixture_drop(&start);
}

static void damaged_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    damage_piece(WEIR_TABLE, "k string", 1);
    damage_piece(WEIR_TABLE, "k string", 0);
    damage_piece(WEIR_ROWS, "k int64", 1);
    damage_piece(WEIR_ROWS, "k int64", 0);
}

/* Changes bytes of a base in one place, and expects it refused. */
static void assert_refused(struct fixture *f, struct weir_buffer *b, uint64_t at, const char *bytes,
                           uint64_t n)
{
    struct fixture g = twin_of(f);
    uint8_t before[8];
    struct weir_error error = WEIR_ERROR_INIT;
    assert_true(at + n <= b->length && n <= sizeof before);
    memcpy(before, b->data + at, n);
    memcpy(b->data + at, bytes, n);
    assert_int_equal(store_restore(g.op, 0, 0, 1, bytes_of(*b), &error), WEIR_DATA);
    assert_true(store_bytes(g.store) < 4096);
    memcpy(b->data + at, before, n);
    fixture_drop(&g);
}

static void what_contradicts_itself_is_refused(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k string", "n int64"), g = twin_of(&f);
    struct weir_buffer b;
    uint32_t slots[3];
    (void)state;
    insert_keys(&f, "[[\"aa\"],[\"ab\"],[\"ac\"]]", slots);
    b = capture(&f, 1, NULL);
    /* head 8, types 1 + 3, counts 16, three slots as bits 10, no nulls 1, equal lengths 2, "aaabac" */
    assert_memory_equal(b.data + 28 + 10 + 1 + 2, "aaabac", 6);
    assert_refused(&f, &b, 28 + 10 + 1 + 2 + 3, "a", 1);          /* a key twice */
    assert_refused(&f, &b, 28 + 10 + 1 + 2 + 3, "\xff", 1);       /* not UTF-8 */
    assert_refused(&f, &b, 28 + 10 + 1, "\x13", 1);               /* no width */
    assert_refused(&f, &b, 28 + 10 + 1, "\x90", 1);               /* an integer of 9 bytes */
    assert_refused(&f, &b, 28 + 10 + 1 + 1, "\xff", 1);           /* a length below zero */
    assert_refused(&f, &b, 28, "\2", 1);                          /* an unknown list */
    assert_refused(&f, &b, 28 + 9, "\3", 1);                      /* a slot less */
    assert_refused(&f, &b, 28 + 9, "\xf", 1);                     /* a slot more */
    assert_refused(&f, &b, 28 + 9, "\xb", 1);                     /* another bound */
    assert_refused(&f, &b, 28 + 1, "\xff\xff\xff\x0f", 4);        /* a huge slot */
    assert_refused(&f, &b, 12 + 4, "\xff\xff\xff\x0f", 4);        /* a huge number of slots */
    assert_int_equal(buffer_add(&b, "", 1), WEIR_OK);
    assert_int_equal(store_restore(g.op, 0, 0, 1, bytes_of(b), NULL), WEIR_DATA); /* a byte more */
    mem_free(b.data);
    fixture_drop(&f);
    fixture_drop(&g);
}

static void a_key_that_went_without_its_records_is_refused(void **state)
{
    struct fixture f = fixture_of(WEIR_ROWS, "k int64", "n int64"), g = twin_of(&f);
    struct weir_buffer base, delta;
    const int64_t order[4] = { 1, 1, 1, 1 };
    uint32_t slots[4], rows[4];
    (void)state;
    insert_keys(&f, "[[1],[2],[3],[4]]", slots);
    assert_int_equal(S->row_append(f.state, 0, slots, order, 4, rows, NULL), WEIR_OK);
    base = capture(&f, 1, NULL);
    remove_slot(&f, 3);
    delta = capture(&f, 0, NULL);
    restore(&g, 1, base);
    /* head 8, types 1 + 3, keys 16 + 10 + 1, counts of rows 16, a list: the removed row */
    assert_memory_equal(delta.data + 12 + 27 + 16, "\1\3\0\0\0", 5);
    delta.data[12 + 27 + 16 + 1] = 2;
    delta.data[12 + 27 + 12] = 3; /* bound */
    assert_int_equal(store_restore(g.op, 0, 0, 0, bytes_of(delta), NULL), WEIR_DATA);
    mem_free(base.data);
    mem_free(delta.data);
    fixture_drop(&f);
    fixture_drop(&g);
}

/* Each delta is followed as it comes, and looked at in between. */
static void follow(uint32_t kind)
{
    struct fixture f = fixture_of(kind, "k string", "due int64, t string"), g = twin_of(&f);
    const int64_t order = 1;
    char json[256];
    uint32_t i, slot, row;
    int is_base;
    for (i = 0; i < 600; i++) {
        struct weir_buffer b;
        snprintf(json, sizeof json, "[[\"%0100u\"]]", i);
        row = slot = insert_key(&f, json);
        if (kind == WEIR_ROWS)
            assert_int_equal(S->row_append(f.state, 0, &slot, &order, 1, &row, NULL), WEIR_OK);
        assert_int_equal(S->set_timer(f.state, 0, 0, row, i), WEIR_OK);
        assert_int_equal(S->put(f.state, 0, 1, row, text_of(json)), WEIR_OK);
        snprintf(json, sizeof json, "[[\"%0100u\"]]", i - 8);
        b = capture(&f, 0, &is_base);
        restore(&g, is_base, b);
        mem_free(b.data);
        assert_int_equal(store_group_due(g.op, 0, 0), i >= 8 ? i - 8 : 0);
        if (i < 8) continue;
        remove_slot(&f, find_key(&f, json));
        b = capture(&f, 0, &is_base);
        restore(&g, is_base, b);
        mem_free(b.data);
        assert_int_equal(store_group_due(g.op, 0, 0), i - 7);
    }
    assert_same(&f, &g);
    assert_true(store_bytes(g.store) < 40000); /* 120,000 bytes came and went */
    fixture_drop(&f);
    fixture_drop(&g);
}

static void deltas_can_be_followed_as_they_come(void **state)
{
    (void)state;
    follow(WEIR_TABLE);
    follow(WEIR_ROWS);
}

static int work_restoring(void)
{
    struct fixture f, g;
    struct weir_buffer b = { NULL, 0, 0 };
    int done = 0, is_base;
    uint32_t slot;
    memset(&g, 0, sizeof g);
    if (fixture_try(&f, WEIR_TABLE, "k string", all_columns, NULL)) goto end;
    if (keys_run(&f, "[[\"a key that is somewhat longer\"]]", 1, &slot)) goto end;
    if (S->set_timer(f.state, 0, 6, slot, 5)) goto end;
    if (S->put(f.state, 0, 4, slot, text_of("a text that is somewhat longer"))) goto end;
    if (store_capture(f.op, 0, 0, 1, &b, &is_base, NULL)) goto end;
    if (fixture_try(&g, WEIR_TABLE, "k string", all_columns, NULL)) goto end;
    if (store_restore(g.op, 0, 0, 1, bytes_of(b), NULL)) goto end;
    done = 1;
end:
    mem_fail_at(0, 0);
    mem_free(b.data);
    fixture_drop(&f);
    if (g.key) fixture_drop(&g);
    return done;
}

static void failing_memory_fails_a_restore(void **state)
{
    (void)state;
    with_failing_memory(work_restoring);
}

/* ---- groups on threads ---- */

struct worker {
    struct store_operator *op;
    uint32_t first; /* group; then every second */
    struct weir_buffer out;
    int32_t rc;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct ArrowArray a;
    const struct ArrowArray *keys[1] = { &a };
    uint32_t slots[100], g, i, round;
    int is_base;
    w->rc = weir_data_1.column(WEIR_TYPE_INT64, 100, 0, 0, &a, NULL);
    for (round = 0; round < 20 && !w->rc; round++)
        for (g = w->first; g < 16 && !w->rc; g += 2) {
            struct weir_state *state = store_group(w->op, g);
            struct weir_view v;
            for (i = 0; i < 100; i++)
                ((int64_t *)(uintptr_t)a.buffers[1])[i] = round * 50 + i + g;
            w->rc = S->lookup_or_insert(state, 0, keys, NULL, NULL, 100, slots, NULL);
            v = S->column(state, 0, 0);
            for (i = 0; i < 100; i++) ++*(int64_t *)(void *)(v.base + slots[i] * v.stride);
            S->remove(state, 0, slots, 10);
            w->rc |= S->put(state, 0, 1, slots[20], text_of("some text that is long enough"));
            w->rc |= S->set_timer(state, 0, 2, slots[20], round);
            w->rc |= store_capture(w->op, 0, g, 0, &w->out, &is_base, NULL);
        }
    array_release(&a);
    return NULL;
}

static void different_groups_are_worked_on_at_the_same_time(void **state)
{
    struct fixture f = fixture_of(WEIR_TABLE, "k int64", "n int64, t string, due int64");
    struct worker w[2];
    struct store_figures figures;
    pthread_t threads[2];
    uint32_t i;
    (void)state;
    memset(w, 0, sizeof w);
    for (i = 0; i < 2; i++) {
        w[i].op = f.op;
        w[i].first = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &w[i]), 0);
    }
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].rc, WEIR_OK);
        mem_free(w[i].out.data);
    }
    store_figures(f.op, 0, &figures);
    assert_int_equal(figures.bytes, store_bytes(f.store));
    assert_int_equal(figures.keys, 16 * (1050 - 20 * 10));
    fixture_drop(&f);
}

#define TEST(name) cmocka_unit_test_teardown(name, no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(restored_state_is_equal_in_everything, say_seed),
        TEST(only_changes_are_captured),
        TEST(a_base_of_an_empty_group_empties_it),
        TEST(a_capture_without_memory_changes_nothing),
        TEST(added_columns_are_zero_and_int32_becomes_int64),
        TEST(shapes_that_do_not_fit_are_refused_with_the_reason),
        TEST(a_signature_names_the_shape),
        TEST(signatures_fit_that_differ_by_added_or_widened_columns),
        TEST(pieces_are_those_of_the_golden_files),
        TEST(a_dump_shows_keys_and_columns),
        TEST(damaged_bytes_are_refused_or_harmless),
        TEST(what_contradicts_itself_is_refused),
        TEST(a_key_that_went_without_its_records_is_refused),
        TEST(deltas_can_be_followed_as_they_come),
        TEST(failing_memory_fails_a_restore),
        TEST(different_groups_are_worked_on_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
