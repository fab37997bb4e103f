/*
 * test_log_power.c - the log under power loss.
 *
 * A driver writes records and extents of known content, syncs at random, lets segments go, is
 * killed, loses power, starts again. At every sync of any of its lives the disk is cloned, loses
 * power in many ways, and the log is opened on what is left. Then:
 *
 *   - it opens: no state that a power loss may leave is refused;
 *   - all records that a returned log_sync covered are there, in order, byte for byte, and their
 *     extents;
 *   - what comes behind them is a prefix of what was appended;
 *   - the same after more was appended to such a state, and power was lost again.
 *
 * Then bugs are planted one by one (core/sys/planted.h); each must be caught. WEIR_SWEEP=full:
 * ten times as many states. WEIR_SEED: another seed; a failure prints the one that repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* after its needs */
#include <cmocka.h>

#include "core/log/log.h"
#include "core/sys/planted.h"
#include "core/sys/sim.h"

#define DIRECTORY "/w/ckpt"
#define SEGMENT 4096u
#define STATES 24000u
#define START_US INT64_C(1700000000000000)
#define ITEM_EXTENTS 3u
#define ITEM_BYTES 9000u
#define NONE UINT32_MAX

unsigned long weir_planted_bug;

static const char *const bug_names[PLANTED_LAST] = {
    [PLANTED_LOG_SEGMENT_SYNC] = "a segment is not synced",
    [PLANTED_LOG_EXTENT_SYNC] = "extents are not synced",
    [PLANTED_LOG_EXTENT_ORDER] = "records are written before their extents are synced",
    [PLANTED_LOG_SEGMENT_DIR] = "the name of a new segment is not synced",
    [PLANTED_LOG_EXTENT_DIR] = "the name of a new extent file is not synced",
    [PLANTED_LOG_NO_CUT] = "a torn tail is not cut",
    [PLANTED_LOG_CUT_SYNC] = "a tail found at start is not synced",
    [PLANTED_LOG_NO_FENCE] = "the fence is ignored",
    [PLANTED_LOG_NO_CRC] = "checksums are ignored",
    [PLANTED_LOG_UNLINK_EARLY] = "files go before their pointer is durable",
    [PLANTED_LOG_DURABLE_HIGH] = "the durable offset is too high by one sync",
    [PLANTED_LOG_IDENTITY] = "weir.json is not synced",
};

/* Model */

struct item {
    uint64_t sequence;
    uint32_t type;
    uint64_t batch;
    uint64_t seed; /* of its bytes; 0: all zero */
    uint32_t length;
    uint32_t n_extents;
    struct extent extent[ITEM_EXTENTS];
    uint64_t extent_seed[ITEM_EXTENTS];
};

struct model {
    struct item *items;
    uint32_t n, synced; /* items that must be there */
    uint64_t need;      /* records below may be gone */
    uint32_t least[5];  /* extent files below may be gone */
};

struct sweep {
    uint64_t states, target, cuts, again;
    const char *lost; /* the first violation */
    char text[1024];
    uint64_t draws;
    struct model model;
};

static uint64_t draw(struct sweep *s)
{
    uint64_t z = s->draws += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t below(struct sweep *s, uint32_t n)
{
    return (uint32_t)(draw(s) % n);
}

static void fill(uint8_t *bytes, uint64_t n, uint64_t seed)
{
    struct sweep s;
    uint64_t i;

    s.draws = seed;
    for (i = 0; i < n; i += 8) {
        uint64_t v = seed ? draw(&s) : 0;

        memcpy(bytes + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void violated(struct sweep *s, const char *what, const char *detail)
{
    if (s->lost)
        return;
    snprintf(s->text, sizeof s->text, "%s: %s", what, detail);
    s->lost = s->text;
}

/* Checking one state */

struct seen {
    struct sweep *sweep;
    const struct model *model;
    uint32_t next; /* index of the item expected next; NONE before the first one */
};

static int32_t see(void *arg, const struct log_record *record, struct weir_error *error)
{
    struct seen *seen = arg;
    const struct model *m = seen->model;
    const struct item *item;
    uint8_t want[ITEM_BYTES + 8];

    (void)error;
    if (seen->next == NONE)
        for (seen->next = 0; seen->next < m->n; seen->next++)
            if (m->items[seen->next].sequence == record->sequence)
                break;
    item = seen->next < m->n ? &m->items[seen->next] : NULL;
    if (item)
        fill(want, item->length, item->seed);
    if (!item || item->sequence != record->sequence || item->type != record->type ||
        item->batch != record->batch || record->version != 7 ||
        item->length != record->payload.length ||
        memcmp(want, record->payload.data, item->length) != 0)
        violated(seen->sweep, "a foreign record", "not what was appended");
    else
        seen->next++;
    return WEIR_OK;
}

static void extents_check(struct sweep *s, struct weir_sys *sys, struct log *log,
                          const struct item *item, const uint32_t least[5])
{
    uint32_t i;

    for (i = 0; i < item->n_extents; i++) {
        const struct extent *extent = &item->extent[i];
        struct weir_error error = WEIR_ERROR_INIT;
        uint8_t *bytes = NULL, *want;

        if (extent->file < least[extent->kind])
            continue;
        if (log_extent_read(log, extent, &bytes, &error) != WEIR_OK) {
            if (!sim_killed(sys))
                violated(s, "an extent is lost", error.text);
            continue;
        }
        want = malloc(extent->length + 8);
        fill(want, extent->length, item->extent_seed[i]);
        if (memcmp(want, bytes, extent->length) != 0)
            violated(s, "an extent is another one", "content");
        free(want);
        mem_free(bytes);
    }
}

/* Opens the log and compares it with the model, which then holds what was found, all of it
 * durable. */
static struct log *open_check(struct sweep *s, struct weir_sys *sys, struct model *m)
{
    struct log_options options = {DIRECTORY, "job", SEGMENT, 0};
    struct seen seen = {s, m, NONE};
    struct weir_error error = WEIR_ERROR_INIT;
    struct log_report report;
    struct log *log = NULL;
    uint32_t i, least = 0;

    if (log_open(sys, &options, see, &seen, &log, &report, &error) != WEIR_OK) {
        if (!sim_killed(sys))
            violated(s, "a legal state is refused", error.text);
        return NULL;
    }
    s->cuts += report.cut_bytes > 0;
    if (seen.next == NONE)
        seen.next = 0;
    else /* the first seen one: all before it may be gone */
        least = seen.next - (uint32_t)report.records;
    for (i = 0; i < m->n && i < least; i++)
        if (m->items[i].sequence >= m->need)
            violated(s, "records are lost", "at the beginning");
    if (seen.next < m->synced)
        violated(s, "records are lost", "that were synced");
    m->n = m->synced = seen.next;
    for (i = 0; i < m->n; i++)
        if (m->items[i].sequence >= m->need)
            extents_check(s, sys, log, &m->items[i], m->least);
    return log;
}

/* Driving */

static void item_add(struct sweep *s, struct log *log, struct model *m)
{
    struct item *item = &m->items[m->n];
    struct weir_error error = WEIR_ERROR_INIT;
    uint8_t payload[ITEM_BYTES + 8];
    uint32_t i;

    memset(item, 0, sizeof *item);
    item->type = 1 + below(s, 5);
    item->batch = draw(s);
    item->length = below(s, 8) ? below(s, 2000) : below(s, ITEM_BYTES);
    item->seed = below(s, 4) ? draw(s) : 0;
    item->n_extents = below(s, 2) ? 0 : below(s, ITEM_EXTENTS + 1);
    for (i = 0; i < item->n_extents; i++) {
        uint32_t length = 1 + below(s, 3000);
        uint8_t *bytes = malloc(length + 8);
        int32_t class;

        item->extent_seed[i] = draw(s);
        fill(bytes, length, item->extent_seed[i]);
        class = log_extent_write(log, 1 + below(s, 4), (struct weir_bytes){bytes, length},
                                 &item->extent[i], &error);
        free(bytes);
        if (class != WEIR_OK) { /* no room, or killed */
            item->n_extents = i;
            break;
        }
    }
    weir_error_init(&error);
    fill(payload, item->length, item->seed);
    if (log_append(log, item->type, 7, item->batch, (struct weir_bytes){payload, item->length},
                   &error) != WEIR_OK)
        return;
    item->sequence = log_last_sequence(log);
    m->n++;
}

static void sync_all(struct sweep *s, struct log *log, struct model *m, struct weir_sys *sys)
{
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t class = log_sync(log, &error);

    if (class == WEIR_OK)
        m->synced = m->n;
    else if (class != WEIR_RETRY && !sim_killed(sys))
        violated(s, "a sync fails", error.text);
}

/* Declares a random part of the synced records unneeded. */
static void need_raise(struct sweep *s, struct log *log, struct model *m, struct weir_sys *sys)
{
    struct weir_error error = WEIR_ERROR_INIT;
    uint32_t keep, i, k;

    if (!m->synced)
        return;
    keep = m->synced - 1 - below(s, m->synced < 12 ? m->synced : 12);
    if (m->items[keep].sequence < m->need)
        return;
    m->need = m->items[keep].sequence;
    for (k = 1; k < 5; k++)
        m->least[k] = NONE;
    for (i = keep; i < m->n; i++)
        for (k = 0; k < m->items[i].n_extents; k++)
            if (m->items[i].extent[k].file < m->least[m->items[i].extent[k].kind])
                m->least[m->items[i].extent[k].kind] = m->items[i].extent[k].file;
    if (log_need(log, m->need, m->least, &error) != WEIR_OK && error.error_class != WEIR_RETRY &&
        !sim_killed(sys))
        violated(s, "retention fails", error.text);
    /* NONE says nothing of files to come. */
    for (k = 1; k < 5; k++)
        if (m->least[k] == NONE)
            m->least[k] = 0;
}

static void step(struct sweep *s, struct log *log, struct model *m, struct weir_sys *sys,
                 struct sim_disk *disk)
{
    uint32_t what = below(s, 100);

    if (what < 68) {
        item_add(s, log, m);
    } else if (what < 88) {
        sync_all(s, log, m, sys);
    } else if (what < 95) {
        need_raise(s, log, m, sys);
    } else {
        sim_disk_limit(disk, log_bytes(log) + below(s, 4000));
        item_add(s, log, m);
        sync_all(s, log, m, sys);
        sim_disk_limit(disk, UINT64_MAX);
    }
}

/* A copy with room for more. */
static struct model model_copy(const struct model *m, uint32_t more)
{
    struct model copy = *m;

    copy.items = malloc((m->n + more) * sizeof *copy.items);
    if (m->n)
        memcpy(copy.items, m->items, m->n * sizeof *copy.items);
    return copy;
}

static void state_check(struct sweep *s, const struct sim_disk *disk, const struct model *m)
{
    struct sim_disk *clone = sim_disk_clone(disk);
    struct model copy = model_copy(m, 32);
    uint32_t i, lives = below(s, 4) ? 1 : 2 + below(s, 3);
    int killed = 0;

    while (lives-- && !s->lost) {
        struct weir_sys *sys;
        struct log *log;

        /* A kill keeps what the next life sees, but the life after that may not see it any more. */
        if (!killed || below(s, 2) == 0)
            sim_disk_power_loss(clone, below(s, 20) ? draw(s) | 1 : 0);
        s->states++;
        sys = sim_create(clone, START_US, draw(s));
        killed = lives && below(s, 2) == 0;
        if (killed)
            sim_kill_at(sys, 15 + below(s, 30));
        log = open_check(s, sys, &copy);
        if (log && lives) {
            s->again++;
            for (i = 0; i < 3; i++)
                below(s, 3) ? item_add(s, log, &copy) : sync_all(s, log, &copy, sys);
            sync_all(s, log, &copy, sys);
            item_add(s, log, &copy);
        }
        log_close(log);
        sys_destroy(sys);
    }
    free(copy.items);
    sim_disk_destroy(clone);
}

struct hook {
    struct sweep *sweep;
    struct sim_disk *disk;
};

static void on_sync(void *arg, uint64_t n, int after)
{
    struct hook *hook = arg;
    int more = hook->sweep->model.n > hook->sweep->model.synced;
    uint32_t i, states = after ? 2 : more ? 20 : 6;

    (void)n;
    for (i = 0; i < states && !hook->sweep->lost; i++)
        state_check(hook->sweep, hook->disk, &hook->sweep->model);
}

/* One life of a process on the disk; it ends with all closed, killed, or with the power lost. */
static void life(struct sweep *s, struct sim_disk *disk)
{
    struct hook hook = {s, disk};
    struct weir_sys *sys = sim_create(disk, START_US, draw(s));
    uint32_t steps = 8 + below(s, 25), death = below(s, 4);
    struct log *log;

    sim_on_sync(sys, on_sync, &hook);
    if (death <= 1)
        sim_kill_at(sys, 1 + below(s, 160));
    log = open_check(s, sys, &s->model);
    while (log && steps-- && !s->lost && !sim_killed(sys))
        step(s, log, &s->model, sys, disk);
    log_close(log);
    sys_destroy(sys);
    if (death >= 2)
        sim_disk_power_loss(disk, draw(s));
}

static void sweep_run(struct sweep *s, uint64_t seed, uint64_t target)
{
    memset(s, 0, sizeof *s);
    s->draws = seed;
    s->target = target;
    while (s->states < s->target && !s->lost) {
        struct sim_disk *disk = sim_disk_create();
        uint32_t lives = 2 + below(s, 4);

        memset(&s->model, 0, sizeof s->model);
        s->model.items = calloc(400, sizeof *s->model.items);
        while (lives-- && !s->lost)
            life(s, disk);
        free(s->model.items);
        sim_disk_destroy(disk);
    }
}

static uint64_t seed_get(void)
{
    const char *text = getenv("WEIR_SEED");

    return text ? strtoull(text, NULL, 0) : 1;
}

static void no_power_loss_loses_or_invents_a_record(void **unused)
{
    const char *full = getenv("WEIR_SWEEP");
    uint64_t target = full && strcmp(full, "full") == 0 ? STATES * 10 : STATES;
    struct sweep s;

    (void)unused;
    weir_planted_bug = PLANTED_NONE;
    sweep_run(&s, seed_get(), target);
    print_message("log: %llu crash states: %u lost (%llu with a cut, %llu appended to after)\n",
                  (unsigned long long)s.states, s.lost != NULL, (unsigned long long)s.cuts,
                  (unsigned long long)s.again);
    if (s.lost)
        print_message("seed %llu: %s\n", (unsigned long long)seed_get(), s.text);
    assert_null(s.lost);
    assert_int_equal(mem_in_use(), 0);
}

static void each_planted_bug_is_caught(void **unused)
{
    unsigned long bug;
    int missed = 0;

    (void)unused;
    for (bug = 1; bug < PLANTED_LAST; bug++) {
        struct sweep s;

        if (bug == PLANTED_LOG_NO_FENCE || !bug_names[bug])
            continue;
        weir_planted_bug = bug;
        sweep_run(&s, seed_get(), STATES);
        print_message("planted: %s: %s after %llu states (%s)\n", bug_names[bug],
                      s.lost ? "caught" : "MISSED", (unsigned long long)s.states,
                      s.lost ? s.lost : "");
        missed += s.lost == NULL;
    }
    weir_planted_bug = PLANTED_NONE;
    assert_int_equal(missed, 0);
}

/* Two processes on one checkpoint, the lock got round by removing its file: 1 if the first one
 * is stopped. */
static int first_is_stopped(void)
{
    struct sweep s = {.draws = 1};
    struct sim_disk *disk = sim_disk_create();
    struct weir_sys *one = sim_create(disk, START_US, 1), *two = sim_create(disk, START_US, 2);
    struct model m = {calloc(8, sizeof *m.items), 0, 0, 0, {0}}, none = m;
    struct weir_error error = WEIR_ERROR_INIT;
    struct log *first = open_check(&s, one, &m), *second;
    int32_t class;

    assert_int_equal(sys_unlink(two, DIRECTORY "/lock"), 0);
    second = open_check(&s, two, &none);
    assert_non_null(second);
    item_add(&s, first, &m);
    class = log_sync(first, &error);
    log_close(first);
    log_close(second);
    sys_destroy(one);
    sys_destroy(two);
    sim_disk_destroy(disk);
    free(m.items);
    return class == WEIR_FATAL;
}

static void an_ignored_fence_is_caught(void **unused)
{
    (void)unused;
    assert_true(first_is_stopped());
    weir_planted_bug = PLANTED_LOG_NO_FENCE;
    assert_false(first_is_stopped());
    weir_planted_bug = PLANTED_NONE;
    print_message("planted: %s: caught\n", bug_names[PLANTED_LOG_NO_FENCE]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_power_loss_loses_or_invents_a_record),
        cmocka_unit_test(each_planted_bug_is_caught),
        cmocka_unit_test(an_ignored_fence_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
