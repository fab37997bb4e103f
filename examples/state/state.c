/*
 * state.c - three ways to keep state, in C: `idle_totals` looks at every key in every batch, `running`
 * gives a row for each row and forgets keys that fall silent, `visits` gives a row for each key
 * that had rows. Build it like any plugin:
 *     mkdir plugins && cc -std=c11 -shared -fPIC -fvisibility=hidden $(pkg-config --cflags weir) state.c -o plugins/state.so
 *     weir list --plugin-path plugins
 */
#include <weir/stateful.h>

/* A cell that nothing is put into is null. */
static int32_t give(struct weir_stateful_row *r, int64_t n, struct weir_error *error)
{
    if (!weir_stateful_key_null(r, 0)) weir_row_put_text(&r->row, 0, weir_stateful_key_text(r, 0));
    weir_row_put_int(&r->row, 1, n);
    return weir_row_emit(&r->row, error);
}

/* ---- idle_totals: a key without rows for two batches goes ---- */

static int32_t add(struct weir_stateful_row *r, struct weir_error *error)
{
    if (weir_row_null(&r->row, 1)) return weir_fail(error, WEIR_DATA, "amount is null");
    *weir_stateful_int(r, 0) += weir_row_int(&r->row, 1);
    return WEIR_OK;
}

static int32_t every_key(struct weir_stateful_row *r, struct weir_error *error)
{
    int64_t *idle = weir_stateful_int(r, 1);
    *idle = weir_stateful_rows(r) ? 0 : *idle + 1;
    if (*idle == 2) return weir_stateful_remove(r);
    return give(r, *weir_stateful_int(r, 0), error);
}

static const struct weir_stateful idle_totals = {
    { "user string, amount bigint", "user string, total bigint", 0, 0 },
    1, "total bigint, idle bigint", add, 1
};
static const struct weir_stateful_more idle_totals_more = {
    sizeof idle_totals_more, WEIR_STATEFUL_EVERY_KEY, WEIR_CLOCK_NONE, 0, every_key, NULL
};
WEIR_STATEFUL_WITH(idle_totals_table, idle_totals, idle_totals_more)

/* ---- running: a total after each row; 2 seconds of silence end it ---- */

static int32_t add_and_give(struct weir_stateful_row *r, struct weir_error *error)
{
    int32_t result = add(r, error);
    if (result != WEIR_OK) return result;
    if (weir_stateful_timer(r, r->row.time_us + 2000000) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    if (!weir_row_null(&r->row, 0)) weir_row_put_text(&r->row, 0, weir_row_text(&r->row, 0));
    weir_row_put_int(&r->row, 1, *weir_stateful_int(r, 0));
    return weir_row_emit(&r->row, error);
}

static int32_t end_of_key(struct weir_stateful_row *r, struct weir_error *error)
{
    int32_t result = give(r, -1, error);
    return result == WEIR_OK ? weir_stateful_remove(r) : result;
}

static const struct weir_stateful running = {
    { "user string, amount bigint", "user string, total bigint", 0, 0 },
    1, "total bigint", add_and_give, 1
};
static const struct weir_stateful_more running_more = {
    sizeof running_more, 0, WEIR_CLOCK_BATCH, 0, NULL, end_of_key
};
WEIR_STATEFUL_WITH(running_table, running, running_more)

/* ---- visits: how many rows a key has had, once in each batch in which it has some ---- */

static int32_t count(struct weir_stateful_row *r, struct weir_error *error)
{
    (void)error;
    *weir_stateful_int(r, 0) += 1;
    return WEIR_OK;
}

static int32_t keys_with_rows(struct weir_stateful_row *r, struct weir_error *error)
{
    if (weir_stateful_timer(r, r->row.time_us + 1000000) != WEIR_OK)
        return weir_fail(error, WEIR_FATAL, "out of memory");
    return give(r, *weir_stateful_int(r, 0), error);
}

static const struct weir_stateful visits = {
    { "user string, amount bigint", "user string, n bigint", 0, 0 }, 1, "n bigint", count, 1
};
static const struct weir_stateful_more visits_more = {
    sizeof visits_more, WEIR_STATEFUL_ROW_KEYS, WEIR_CLOCK_BATCH, 0, keys_with_rows, end_of_key
};
WEIR_STATEFUL_WITH(visits_table, visits, visits_more)

/* ---- the module ---- */

#define OPERATOR(operator_name, help)                                                              \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = #operator_name,   \
      .summary = help, .state_reads = 1, .state_writes = 1,                                        \
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_DETERMINISTIC,                                 \
      .table = &operator_name##_table }

static const struct weir_component components[] = {
    OPERATOR(idle_totals, "the total of every user in every batch, until they are idle"),
    OPERATOR(running, "the total of a user after each row, until they are silent"),
    OPERATOR(visits, "rows of a user so far, in each batch in which they have some"),
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "example.state",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components,
                                           sizeof components / sizeof *components };
WEIR_PLUGIN(plugin)
