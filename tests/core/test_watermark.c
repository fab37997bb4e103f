/* What each operator of a graph takes for late, and when a batch without rows is worth it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/run/watermark.h"

#define NODES 7

/* clicks → marked ┬→ hourly → daily
 *                 └→ joined ←─ plain (no event time)          (daily lags by 100 behind hourly) */
enum { CLICKS, PLAIN, MARKED, HOURLY, DAILY, JOINED, SINK };

struct world {
    struct plan_node nodes[NODES];
    struct plan_node *list[NODES];
    struct plan plan;
    struct job job;
    struct run run;
    int64_t of_node[2 * NODES], spread[4 * NODES], watermarks[NODES];
};

static int64_t propose(void *self, void *lane)
{
    (void)self, (void)lane;
    return 0;
}

static int64_t lag(void *self, const int64_t *inputs, uint32_t n)
{
    (void)self;
    assert_int_equal(n, 1);
    return inputs[0] - 100;
}

static const struct weir_operator plain_table = { .size = sizeof plain_table };
static const struct weir_operator marking_table = { .size = sizeof marking_table,
                                                    .lane_watermark = propose };
static const struct weir_operator lagging_table = { .size = sizeof lagging_table,
                                                    .output_watermark = lag };
static const struct weir_component plain = { .table = &plain_table };
static const struct weir_component marking = { .table = &marking_table };
static const struct weir_component lagging = { .table = &lagging_table };

static void node(struct world *w, uint32_t i, uint32_t kind, const struct weir_component *component)
{
    w->list[i] = &w->nodes[i];
    w->nodes[i].index = i;
    w->nodes[i].kind = kind;
    w->nodes[i].component = component;
    w->nodes[i].reached = 1;
    w->nodes[i].outputs[0].node = &w->nodes[i];
    w->nodes[i].outputs[0].time_column = -1;
}

static void reads(struct world *w, uint32_t i, uint32_t from)
{
    w->nodes[i].inputs[w->nodes[i].n_inputs++] = &w->nodes[from].outputs[0];
}

static void make(struct world *w)
{
    memset(w, 0, sizeof *w);
    node(w, CLICKS, JOB_SOURCE, &plain);
    node(w, PLAIN, JOB_SOURCE, &plain);
    node(w, MARKED, JOB_OPERATOR, &marking);
    node(w, HOURLY, JOB_OPERATOR, &lagging);
    node(w, DAILY, JOB_OPERATOR, &plain);
    node(w, JOINED, JOB_OPERATOR, &plain);
    node(w, SINK, JOB_SINK, &plain);
    reads(w, MARKED, CLICKS);
    reads(w, HOURLY, MARKED);
    reads(w, DAILY, HOURLY);
    reads(w, JOINED, PLAIN);
    reads(w, JOINED, MARKED);
    reads(w, SINK, JOINED);
    w->plan = (struct plan){ .nodes = w->list, .n_nodes = NODES, .watermarks = 1 };
    w->run = (struct run){ .plan = &w->plan, .job = &w->job, .spread = w->spread,
                           .watermarks = w->watermarks };
    for (int i = 0; i < NODES; i++) w->watermarks[i] = WEIR_WATERMARK_NONE;
}

static void a_chain_lags(void **state)
{
    static struct world w;
    (void)state;
    make(&w);
    watermark_spread(&w.plan, 1000, w.of_node);
    assert_true(w.of_node[CLICKS] == WEIR_WATERMARK_NONE);
    assert_true(w.of_node[MARKED] == WEIR_WATERMARK_NONE);
    assert_int_equal(w.of_node[HOURLY], 1000);
    assert_int_equal(w.of_node[DAILY], 900);
    assert_int_equal(w.of_node[JOINED], 1000); /* the side without event time has no say */
    assert_int_equal(w.of_node[SINK], 1000);
}

static void the_watermark_never_falls(void **state)
{
    static struct world w;
    int64_t proposals[NODES];
    struct batch batch = { .watermarks = proposals };
    (void)state;
    make(&w);
    for (int i = 0; i < NODES; i++) proposals[i] = WEIR_WATERMARK_NONE;
    watermark_advance(&w.run, &batch);
    assert_int_equal(w.run.next_watermark_us, 0); /* no event time seen: 0 */
    proposals[MARKED] = 500;
    w.run.watermark_us = 300;
    watermark_advance(&w.run, &batch);
    assert_int_equal(w.run.next_watermark_us, 500);
    w.run.watermark_us = 500;
    proposals[MARKED] = 400;
    watermark_advance(&w.run, &batch);
    assert_int_equal(w.run.next_watermark_us, 500);
}

static void policies(void **state)
{
    static struct world w;
    int64_t proposals[NODES];
    struct batch batch = { .watermarks = proposals };
    (void)state;
    make(&w);
    w.nodes[DAILY].component = &marking; /* a second one, which has seen nothing */
    for (int i = 0; i < NODES; i++) proposals[i] = WEIR_WATERMARK_NONE;
    proposals[MARKED] = 500;
    watermark_advance(&w.run, &batch);
    assert_int_equal(w.run.next_watermark_us, 0);
    w.job.watermark_policy_max = 1;
    watermark_advance(&w.run, &batch);
    assert_int_equal(w.run.next_watermark_us, 500);
}

static void who_waits(void **state)
{
    static struct world w;
    (void)state;
    make(&w);
    w.run.previous_watermark_us = 100;
    w.run.watermark_us = 200;
    assert_false(watermark_awaited(&w.run)); /* nobody has state */
    w.nodes[HOURLY].stateful = 1;
    assert_false(watermark_awaited(&w.run)); /* its input has lost the event time */
    w.nodes[MARKED].outputs[0].time_column = 0;
    assert_true(watermark_awaited(&w.run));
    w.nodes[HOURLY].bound.flags = WEIR_PLAN_TIMELESS;
    assert_false(watermark_awaited(&w.run));
    w.nodes[HOURLY].bound.flags = 0;
    w.run.previous_watermark_us = 200;
    assert_false(watermark_awaited(&w.run)); /* nothing new */
}

static void counters(void **state)
{
    struct counters run = { .n = 0 }, batch = { .n = 0 };
    (void)state;
    counters_add(&batch, "late", 2);
    counters_add(&batch, "updated", 1);
    counters_add(&batch, "late", 3);
    assert_int_equal(counters_value(&batch, "late"), 5);
    counters_close(&run, &batch);
    assert_int_equal(counters_value(&run, "late"), 5);
    batch = (struct counters){ .n = 0 };
    counters_add(&batch, "updated", 4);
    counters_close(&run, &batch);
    assert_int_equal(counters_value(&run, "late"), 0);
    assert_int_equal(counters_total(&run, "late"), 5);
    assert_int_equal(counters_total(&run, "updated"), 5);
    assert_int_equal(counters_value(&run, "nobody"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_lags), cmocka_unit_test(the_watermark_never_falls),
        cmocka_unit_test(policies),     cmocka_unit_test(who_waits),
        cmocka_unit_test(counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
