/*
 * state_tables.h - a store with one table, for tests of core/state.
 */
#ifndef WEIR_TEST_STATE_TABLES_H
#define WEIR_TEST_STATE_TABLES_H

#include "tests/core/data_rows.h"

#include <stdio.h>

#include "core/state/store.h"

#define HASH_SEED 42u

static const struct weir_state_table *const S = &weir_state_1;

/* A table is described by the DDL of its key and its columns; names of timers begin with "due". */
struct fixture {
    const char *key, *columns;
    uint32_t kind;
    struct ArrowSchema schema;
    struct store *store;
    struct store_operator *op;
    struct weir_state *state; /* of group 0 */
    uint32_t table;
};

static inline int32_t fixture_try(struct fixture *f, uint32_t kind, const char *key,
                                  const char *columns, struct weir_error *error)
{
    struct weir_table_column list[16];
    struct weir_table_spec spec = { sizeof spec, kind, "t", &f->schema, 1, 0, list, 1, 0, "test" };
    struct ArrowSchema schema;
    uint32_t i;
    int32_t rc;
    memset(f, 0, sizeof *f);
    f->key = key;
    f->columns = columns;
    f->kind = kind;
    rc = weir_data_1.schema_parse(key, &f->schema, error);
    if (!rc) rc = weir_data_1.schema_parse(columns, &schema, error);
    if (rc) return rc;
    spec.n_columns = (uint32_t)schema.n_children;
    for (i = 0; i < spec.n_columns; i++) {
        list[i].name = schema.children[i]->name;
        list[i].type = weir_type_of(schema.children[i]);
        list[i].flags = strncmp(list[i].name, "due", 3) == 0 ? WEIR_COLUMN_TIMER : 0;
    }
    f->store = store_create(HASH_SEED);
    f->op = f->store ? store_operator(f->store, "it") : NULL;
    rc = f->op ? store_declare(f->op, &spec, &f->table, error) : WEIR_FATAL;
    f->state = rc ? NULL : store_group(f->op, 0);
    schema_release(&schema);
    return f->state ? WEIR_OK : rc ? rc : WEIR_FATAL;
}

static inline struct fixture fixture_of(uint32_t kind, const char *key, const char *columns)
{
    struct fixture f;
    struct weir_error error = WEIR_ERROR_INIT;
    if (fixture_try(&f, kind, key, columns, &error)) fail_msg("%s", error.text);
    return f;
}

static inline void fixture_drop(struct fixture *f)
{
    store_destroy(f->store);
    schema_release(&f->schema);
}

/* Slots of keys given as JSON; what `make` says is looked up or inserted. */
static inline int32_t keys_run(struct fixture *f, const char *json, int make, uint32_t *slots)
{
    struct rows r;
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t rc = WEIR_OK;
    if (weir_data_1.schema_parse(f->key, &r.schema, &error)) return WEIR_FATAL;
    rc = weir_data_1.rows_parse(&r.schema, json, strlen(json), &r.array, &error);
    if (!rc) {
        const struct ArrowArray *const *keys = (const struct ArrowArray *const *)r.array.children;
        const uint32_t n = (uint32_t)r.array.length;
        if (!make) S->lookup(f->state, f->table, keys, NULL, NULL, n, slots);
        else rc = S->lookup_or_insert(f->state, f->table, keys, NULL, NULL, n, slots, &error);
    }
    rows_drop(&r);
    return rc;
}

static inline void insert_keys(struct fixture *f, const char *json, uint32_t *slots)
{
    assert_int_equal(keys_run(f, json, 1, slots), WEIR_OK);
}

static inline uint32_t insert_key(struct fixture *f, const char *json)
{
    uint32_t slot;
    insert_keys(f, json, &slot);
    return slot;
}

static inline uint32_t find_key(struct fixture *f, const char *json)
{
    uint32_t slot;
    assert_int_equal(keys_run(f, json, 0, &slot), WEIR_OK);
    return slot;
}

static inline int64_t *int_cell(struct fixture *f, uint32_t column, uint32_t slot)
{
    const struct weir_view v = S->column(f->state, f->table, column);
    return (int64_t *)(void *)(v.base + slot * v.stride);
}

static inline struct weir_bytes text_of(const char *text)
{
    struct weir_bytes b = { (const uint8_t *)text, strlen(text) };
    return b;
}

static inline void assert_text(struct fixture *f, uint32_t column, uint32_t slot, const char *text)
{
    const struct weir_bytes b = S->get(f->state, f->table, column, slot);
    assert_int_equal(b.length, strlen(text));
    assert_memory_equal(b.data, text, b.length);
}

static inline void remove_slot(struct fixture *f, uint32_t slot)
{
    assert_int_equal(S->remove(f->state, f->table, &slot, 1), WEIR_OK);
}

/* Captures group 0; `base` as store_capture. */
static inline struct weir_buffer capture(struct fixture *f, int base, int *is_base)
{
    struct weir_buffer out = { NULL, 0, 0 };
    int dummy;
    if (!is_base) is_base = &dummy;
    assert_int_equal(store_capture(f->op, f->table, 0, base, &out, is_base, NULL), WEIR_OK);
    return out;
}

/* The batch ends: changes are forgotten. */
static inline void next_batch(struct fixture *f)
{
    int is_base;
    assert_int_equal(store_capture(f->op, f->table, 0, 0, NULL, &is_base, NULL), WEIR_OK);
}

static inline void assert_dump(struct fixture *f, const char *lines)
{
    struct weir_buffer out = { NULL, 0, 0 };
    assert_int_equal(store_dump(f->op, f->table, 0, &out), WEIR_OK);
    assert_int_equal(buffer_add(&out, "", 1), WEIR_OK);
    assert_string_equal((char *)out.data, lines);
    mem_free(out.data);
}

#endif
