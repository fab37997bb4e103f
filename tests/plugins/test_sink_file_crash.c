/*
 * test_sink_file_crash.c - the file sink killed at every call, losing power around every sync, and
 * with a fault at every call.
 *
 * WEIR_SWEEP=N in the environment draws N states of the disk at each power loss (default 3), and
 * leaves out none of the double kills. In a build with WEIR_PLANTED_BUGS each planted bug has to be
 * found.
 */
#include "tests/plugins/file_world.h"

#include <stdio.h>

static const struct config configs[] = {
    { "plain", "\"path\": \"/d/out\", \"format\": \"text\"", "v string", 1 },
    { "partition_by", "\"path\": \"/d/out\", \"format\": \"text\", \"partition_by\": [\"k\"]",
      "k string, v string", 1 },
    { "roll", "\"path\": \"/d/out\", \"format\": \"text\", \"roll\": {\"size\": 100}", "v string",
      1 },
    { "roll by age", "\"path\": \"/d/out\", \"format\": \"text\", \"partition_by\": [\"k\"], "
      "\"roll\": {\"age\": \"2s\"}", "k string, v string", 1 },
    { "no manifest", "\"path\": \"/d/out\", \"format\": \"text\", \"manifest\": false", "v string",
      0 },
};
#define CONFIGS (sizeof configs / sizeof *configs)

static uint64_t states;

static int hunting;    /* for a planted bug: count what is wrong and go on */
static uint64_t found;

static uint64_t seeds(void)
{
    const char *text = getenv("WEIR_SWEEP");
    return text ? strtoull(text, NULL, 10) : 3;
}

static uint64_t stride(uint64_t usual)
{
    return getenv("WEIR_SWEEP") ? 1 : usual;
}

static void must(const char *wrong, const struct config *config, const char *when, uint64_t n,
                 uint64_t m)
{
    states++;
    if (wrong && hunting) found++;
    else if (wrong)
        fail_msg("%s, %s %llu %llu: %s", config->name, when, (unsigned long long)n,
                 (unsigned long long)m, wrong);
}

static const char *look(const struct life *life, int kind)
{
    return world_check(life->config, life->disk, life->log, kind);
}

static void must_end_well(const struct life *life, const char *when, uint64_t n, uint64_t m)
{
    must(life->status == WEIR_OK ? NULL : life->text[0] ? life->text : "failed without a reason",
         life->config, when, n, m);
}

/* A life to the end; then a power loss that keeps only what is durable must take nothing. */
static void finish(const struct config *config, struct sim_disk *disk, struct log *log,
                   const char *when, uint64_t n, uint64_t m)
{
    struct life life = { .config = config, .disk = disk, .log = log };
    life_run(&life);
    must_end_well(&life, when, n, m);
    must(world_check(config, disk, log, LOOK_FINISHED), config, when, n, m);
    sim_disk_power_loss(disk, 0);
    must(world_check(config, disk, log, LOOK_FINISHED), config, when, n, m);
}

static uint64_t calls_of(const struct config *config)
{
    struct log log = { 0 };
    struct life life = { .config = config, .disk = sim_disk_create(), .log = &log };
    life_run(&life);
    must(world_check(config, life.disk, &log, LOOK_FINISHED), config, "undisturbed", 0, 0);
    must_end_well(&life, "undisturbed", 0, 0);
    log_free(&log);
    sim_disk_destroy(life.disk);
    return life.calls;
}

static void a_kill_at_any_call_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++) {
        uint64_t calls = calls_of(&configs[c]);
        for (uint64_t k = 1; k <= calls; k++) {
            struct log log = { 0 };
            struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log,
                                 .kill_at = k };
            life_run(&life);
            must(look(&life, LOOK_ANY), &configs[c], "killed at", k, 0);
            finish(&configs[c], life.disk, &log, "killed at", k, 0);
            log_free(&log);
            sim_disk_destroy(life.disk);
        }
    }
}

static void a_second_kill_while_mending_is_mended_too(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++) {
        uint64_t calls = calls_of(&configs[c]);
        for (uint64_t k = 1; k <= calls; k += stride(5))
            for (uint64_t j = 1; j <= 24; j++) {
                struct log log = { 0 };
                struct life life = { .config = &configs[c], .disk = sim_disk_create(),
                                     .log = &log, .kill_at = k };
                life_run(&life);
                life.kill_at = j;
                life_run(&life);
                must(look(&life, LOOK_ANY), &configs[c], "killed twice", k,
                     j);
                finish(&configs[c], life.disk, &log, "killed twice", k, j);
                log_free(&log);
                sim_disk_destroy(life.disk);
            }
    }
}

static void what_was_prepared_without_a_log_entry_is_given_up(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++)
        for (uint32_t b = 0; b < WORLD_BATCHES; b++) {
            struct log log = { 0 };
            struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log,
                                 .silent_at = b + 1 };
            life_run(&life);
            must(look(&life, LOOK_ANY), &configs[c], "silent", b, 0);
            life.silent_at = 0;
            life.recover_only = 1;
            life_run(&life);
            must(look(&life, LOOK_RECOVERED), &configs[c],
                 "recovered from", b, 0);
            finish(&configs[c], life.disk, &log, "silent", b, 0);
            log_free(&log);
            sim_disk_destroy(life.disk);
        }
}

static void a_lost_done_is_committed_again_without_harm(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++)
        for (uint32_t b = 0; b < WORLD_BATCHES; b++) {
            struct log log = { 0 };
            struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log };
            life_run(&life);
            log.done = b;
            finish(&configs[c], life.disk, &log, "DONE lost from", b, 0);
            log_free(&log);
            sim_disk_destroy(life.disk);
        }
}

/* ---- power ---- */

struct power {
    const struct config *config;
    struct sim_disk *disk;
    struct log *log;
    uint64_t seeds;
};

static void lose_power(void *arg, uint64_t n, int after)
{
    struct power *power = arg;
    for (uint64_t s = 0; s < power->seeds; s++) {
        struct sim_disk *disk = sim_disk_clone(power->disk);
        struct log log = { 0 };
        log_copy(&log, power->log);
        sim_disk_power_loss(disk, s ? s * 1000003 + n : 0);
        must(world_check(power->config, disk, &log, LOOK_ANY), power->config, "power lost at sync",
             n, s);
        finish(power->config, disk, &log, after ? "power lost after sync" : "power lost at sync",
               n, s);
        log_free(&log);
        sim_disk_destroy(disk);
    }
}

static void power_lost_around_any_sync_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++) {
        struct log log = { 0 };
        struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log };
        struct power power = { &configs[c], life.disk, &log, seeds() };
        life.on_sync = lose_power;
        life.arg = &power;
        life_run(&life);
        must_end_well(&life, "losing power", 0, 0);
        log_free(&log);
        sim_disk_destroy(life.disk);
    }
}

/* The process dies first and the machine later: what the first life left unsynced counts. */
static void power_lost_in_a_life_after_a_kill_loses_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++) {
        uint64_t calls = calls_of(&configs[c]);
        for (uint64_t k = 1; k <= calls; k += stride(7)) {
            struct log log = { 0 };
            struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log,
                                 .kill_at = k };
            struct power power = { &configs[c], life.disk, &log, 2 };
            life_run(&life);
            life.kill_at = 0;
            life.on_sync = lose_power;
            life.arg = &power;
            life_run(&life);
            must_end_well(&life, "killed, then losing power", k, 0);
            log_free(&log);
            sim_disk_destroy(life.disk);
        }
    }
}

/* ---- faults ---- */

static void a_fault_at_any_call_ends_in_an_error_or_in_nothing(void **state)
{
    static const uint32_t faults[] = { SIM_FAULT_EIO, SIM_FAULT_ENOSPC, SIM_FAULT_SHORT };
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++) {
        uint64_t calls = calls_of(&configs[c]);
        for (uint64_t k = 1; k <= calls; k++)
            for (int f = 0; f < 6; f++) {
                struct log log = { 0 };
                struct life life = { .config = &configs[c], .disk = sim_disk_create(),
                                     .log = &log, .fault_at = k, .fault = faults[f % 3],
                                     .forever = f >= 3 };
                life_run(&life);
                must(look(&life,
                                 life.status == WEIR_OK ? LOOK_FINISHED : LOOK_ANY),
                     &configs[c], "fault", k, (uint64_t)f);
                if (faults[f % 3] != SIM_FAULT_EIO && f < 3) must_end_well(&life, "fault", k, 0);
                finish(&configs[c], life.disk, &log, "after a fault at", k, (uint64_t)f);
                log_free(&log);
                sim_disk_destroy(life.disk);
            }
    }
}

static void make_room(struct life *life)
{
    if (life->retries == 5) sim_disk_limit(life->disk, UINT64_MAX);
}

static void a_full_disk_waits_for_room_and_goes_on(void **state)
{
    (void)state;
    for (size_t c = 0; c < CONFIGS; c++)
        for (uint64_t room = 0; room < 1600; room += 8) {
            struct log log = { 0 };
            struct life life = { .config = &configs[c], .disk = sim_disk_create(), .log = &log,
                                 .on_retry = make_room };
            sim_disk_limit(life.disk, room);
            life_run(&life);
            must_end_well(&life, "room", room, 0);
            must(look(&life, LOOK_FINISHED), &configs[c], "room", room, 0);
            finish(&configs[c], life.disk, &log, "room", room, 0);
            log_free(&log);
            sim_disk_destroy(life.disk);
        }
}

#ifdef WEIR_PLANTED_BUGS
static void the_sweeps_find_each_planted_bug(void **state)
{
    static const char *const bugs[] = { "skip_part_sync", "skip_dir_sync", "commit_without_check",
                                        "no_recover", "rename_before_prepare" };
    hunting = 1;
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        found = 0;
        setenv("WEIR_PLANTED_BUG", bugs[i], 1);
        a_kill_at_any_call_loses_and_doubles_nothing(state);
        what_was_prepared_without_a_log_entry_is_given_up(state);
        a_lost_done_is_committed_again_without_harm(state);
        power_lost_around_any_sync_loses_and_doubles_nothing(state);
        unsetenv("WEIR_PLANTED_BUG");
        printf("%s: wrong in %llu states\n", bugs[i], (unsigned long long)found);
        if (found == 0) fail_msg("nobody saw %s", bugs[i]);
    }
    hunting = 0;
}
#endif

static int print_states(void **state)
{
    (void)state;
    printf("%llu states of the directory were looked at\n", (unsigned long long)states);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_at_any_call_loses_and_doubles_nothing),
        cmocka_unit_test(a_second_kill_while_mending_is_mended_too),
        cmocka_unit_test(what_was_prepared_without_a_log_entry_is_given_up),
        cmocka_unit_test(a_lost_done_is_committed_again_without_harm),
        cmocka_unit_test(power_lost_around_any_sync_loses_and_doubles_nothing),
        cmocka_unit_test(power_lost_in_a_life_after_a_kill_loses_nothing),
        cmocka_unit_test(a_fault_at_any_call_ends_in_an_error_or_in_nothing),
        cmocka_unit_test(a_full_disk_waits_for_room_and_goes_on),
#ifdef WEIR_PLANTED_BUGS
        cmocka_unit_test(the_sweeps_find_each_planted_bug),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, print_states);
}
