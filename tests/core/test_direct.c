/*
 * test_direct.c - integer keys by their value: when the array is made, and what that costs.
 */
#include "tests/core/state_tables.h"

#include "core/state/direct.h"
#include "core/state/table.h"

#define CALL 8192u /* rows */

/* A table of a batch with one integer as key. */
struct world {
    struct shape shape;
    struct table table;
    int64_t values[CALL];
    uint32_t slots[CALL];
};

static struct world *world_of(void)
{
    struct weir_table_spec spec = { sizeof spec, WEIR_TABLE, NULL, NULL, 1, 0, NULL, 0, 0, NULL };
    struct world *w = calloc(1, sizeof *w);
    struct ArrowSchema schema;
    assert_non_null(w);
    assert_int_equal(weir_data_1.schema_parse("id int64", &schema, NULL), WEIR_OK);
    spec.key = &schema;
    assert_int_equal(shape_create(&spec, &w->shape, NULL), WEIR_OK);
    schema_release(&schema);
    table_init(&w->table, &w->shape, HASH_SEED, NULL);
    w->table.batch_only = 1;
    w->table.index.roomy = 1;
    return w;
}

static void drop(struct world *w)
{
    table_fini(&w->table);
    shape_fini(&w->shape);
    free(w);
}

/* Rows with values first, first + 1 … modulo `cycle`, from `base` on. */
static void call(struct world *w, int64_t first, int64_t cycle, int64_t base)
{
    const void *buffers[2] = { NULL, w->values };
    const struct ArrowArray key = { .length = CALL, .n_buffers = 2, .buffers = buffers };
    const struct ArrowArray *keys[1] = { &key };
    for (uint32_t i = 0; i < CALL; i++) w->values[i] = base + (first + i) % cycle;
    assert_int_equal(table_insert(&w->table, keys, NULL, NULL, CALL, w->slots), WEIR_OK);
}

static void few_values_have_an_array(void **state)
{
    struct world *w = world_of();
    (void)state;
    for (uint32_t k = 0; k < 4; k++) {
        call(w, 0, 1000, 5000);
        for (uint32_t i = 0; i < CALL; i++) assert_int_equal(w->slots[i], i % 1000);
    }
    assert_non_null(w->table.direct->slots);
    assert_int_equal(w->table.direct->left, 0);
    assert_int_equal(w->table.direct->strays, 0);
    assert_int_equal(w->table.direct->visits, 0); /* it was made before there were keys */
    drop(w);
}

static void an_array_follows_values_that_go_elsewhere(void **state)
{
    struct world *w = world_of();
    (void)state;
    call(w, 0, 1000, 0);
    call(w, 0, 1000, 1000000);
    assert_int_equal(w->table.direct->left, 1);
    call(w, 0, 1000, 1000000);
    assert_int_equal(w->table.direct->left, 0);
    assert_int_equal(w->table.direct->visits, 2000);
    for (uint32_t i = 0; i < CALL; i++) assert_int_equal(w->slots[i], 1000 + i % 1000);
    drop(w);
}

static void keys_that_rise_are_not_looked_at_again_and_again(void **state)
{
    struct world *w = world_of();
    const uint32_t calls = 64;
    (void)state;
    for (uint32_t k = 0; k < calls; k++) {
        call(w, (int64_t)k * CALL, INT64_MAX, 0);
        for (uint32_t i = 0; i < CALL; i++) assert_int_equal(w->slots[i], k * CALL + i);
        assert_in_range(w->table.direct->visits, 0, (k + 1) * CALL);
    }
    /* and once they stay where they are, the array comes back */
    for (uint32_t k = 0; k <= calls; k++) call(w, 0, 1000, 0);
    assert_int_equal(w->table.direct->left, 0);
    assert_in_range(w->table.direct->visits, calls * CALL, 2 * calls * CALL);
    drop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_values_have_an_array),
        cmocka_unit_test(an_array_follows_values_that_go_elsewhere),
        cmocka_unit_test(keys_that_rise_are_not_looked_at_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
