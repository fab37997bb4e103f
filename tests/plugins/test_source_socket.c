/*
 * The source `socket` with scripted peers: calling and being called, slow and broken peers, kills.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/fake_host.h"
#include "tests/plugins/source_world.h"

static const world_entry_fn modules[] = { entry_source_socket, entry_format_text,
                                          entry_format_csv, NULL };
static const char calls[] = "\"plugin\": \"socket\", \"port\": 9999";
static const char listens[] = "\"plugin\": \"socket\", \"port\": 9999, \"listen\": true";

#define SECOND INT64_C(1000000)

struct peer {
    const char *text;
    size_t piece;
    int open; /* 1: stays connected */
};

static const struct peer *peers;
static int n_peers;

static void connect_all(struct world *w)
{
    for (int i = 0; i < n_peers; i++)
        sim_peer(w->sys, 9999, peers[i].text, strlen(peers[i].text), peers[i].piece,
                 !peers[i].open);
}

static int setup(void **state)
{
    (void)state;
    world_begin(modules);
    world.script = connect_all;
    world.stop_after_us = 5 * SECOND;
    n_peers = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void give(const struct peer *list, int n)
{
    peers = list;
    n_peers = n;
}

static void expect_rows(const char *want)
{
    char *rows = world_rows();
    assert_string_equal(rows, want);
    free(rows);
}

/* How many rows there are, each of `lines` once. */
static void expect_each_once(const char *const *lines, int n)
{
    char *rows = world_rows(), *at;
    int found = 0;
    for (at = rows; *at; at++) found += *at == '\n';
    for (int i = 0; i < n; i++) {
        char row[64];
        snprintf(row, sizeof row, "[\"%s\"]\n", lines[i]);
        at = strstr(rows, row);
        if (!at || strstr(at + 1, row)) fail_msg("%s: not once in\n%s", lines[i], rows);
    }
    assert_int_equal(found, n);
    free(rows);
}

static void it_calls_and_reads_to_the_end_without_a_last_lf(void **state)
{
    static const struct peer one[] = { { "a\nb\r\nc", 0, 0 } };
    (void)state;
    give(one, 1);
    assert_int_equal(world_life("asap", calls), 0);
    expect_rows("[\"a\"]\n[\"b\"]\n[\"c\"]\n");
}

static void it_calls_again_after_the_end(void **state)
{
    static const struct peer two[] = { { "a\n", 0, 0 }, { "b\nc\n", 0, 0 } };
    (void)state;
    give(two, 2);
    assert_int_equal(world_life("asap", calls), 0);
    expect_rows("[\"a\"]\n[\"b\"]\n[\"c\"]\n");
}

static void late_peer(void *arg)
{
    sim_peer(arg, 9999, "late\n", 5, 0, 0);
}

static void late_script(struct world *w)
{
    sim_at(w->sys, 3 * SECOND, late_peer, w->sys);
}

static void a_refused_call_is_made_again(void **state)
{
    (void)state;
    world.script = late_script;
    assert_int_equal(world_life("asap", calls), 0);
    expect_rows("[\"late\"]\n");
    assert_non_null(strstr(world_journal(), "127.0.0.1:9999"));
}

static void many_callers_are_read_together(void **state)
{
    static const struct peer three[] = { { "a1\na2\na3\n", 2, 1 },
                                         { "b1\nb2", 1, 0 },
                                         { "c1\nc2\n", 0, 0 } };
    static const char *const lines[] = { "a1", "a2", "a3", "b1", "b2", "c1", "c2" };
    (void)state;
    for (world.seed = 1; world.seed <= 30; world.seed++) {
        world_forget();
        give(three, 3);
        assert_int_equal(world_life("asap", listens), 0);
        expect_each_once(lines, 7);
    }
}

static void a_caller_comes_late(void **state)
{
    (void)state;
    world.script = late_script;
    assert_int_equal(world_life("1s", listens), 0);
    expect_rows("[\"late\"]\n");
}

static void an_unfinished_record_waits_for_its_end(void **state)
{
    static const struct peer one[] = { { "whole\nhal", 1, 1 } };
    (void)state;
    give(one, 1);
    assert_int_equal(world_life("asap", listens), 0);
    expect_rows("[\"whole\"]\n");
}

static void callers_after_a_restart_are_read_like_those_before(void **state)
{
    static const struct peer before[] = { { "a\n", 0, 0 }, { "b\n", 0, 0 } };
    static const struct peer after[] = { { "c\n", 0, 0 }, { "d\n", 0, 0 }, { "e\n", 0, 0 } };
    static const char *const lines[] = { "a", "b", "c", "d", "e" };
    (void)state;
    give(before, 2);
    assert_int_equal(world_life("asap", listens), 0);
    give(after, 3);
    assert_int_equal(world_life("asap", listens), 0);
    expect_each_once(lines, 5);
}

/* What was planned comes once; what was received and not planned is lost. */
static void a_kill_at_any_call_doubles_nothing(void **state)
{
    static const struct peer three[] = { { "a1\na2\na3\na4\n", 3, 0 },
                                         { "b1\nb2\nb3\nb4", 6, 0 },
                                         { "c1\nc2\nc3\n", 0, 1 } };
    static const struct peer again[] = { { "x1\nx2\n", 0, 0 }, { "y1\n", 0, 0 } };
    static const char *const later[] = { "x1", "x2", "y1" };
    const char *job =
        "\"plugin\": \"socket\", \"port\": 9999, \"listen\": true, \"max_records\": 3";
    uint64_t n, complete = 0;
    (void)state;
    give(three, 3);
    assert_int_equal(world_life("asap", job), 0);
    n = world.calls;
    for (uint64_t at = 1; at <= n; at++) {
        world_forget();
        world.kill_at = at;
        give(three, 3);
        int status = world_life("asap", job);
        if (status != 0) {
            if (status != -1) fail_msg("kill at %llu: %d", (unsigned long long)at, status);
            give(again, 2);
            assert_int_equal(world_life("asap", job), 0);
        }
        assert_int_equal(world.doubled, 0);
        char *rows = world_rows(), *end;
        int most[3] = { 0, 0, 0 }, n_later = 0;
        for (char *line = rows; *line; line = end + 1) {
            end = strchr(line, '\n');
            int peer = line[2] - 'a', number = line[3] - '0';
            if (peer >= 0 && peer < 3) {
                if (number != ++most[peer])
                    fail_msg("kill at %llu:\n%s", (unsigned long long)at, rows);
            } else {
                n_later++;
            }
        }
        complete += most[0] == 4 && most[1] == 4 && most[2] == 3;
        if (status == -1 && n_later != 3)
            fail_msg("kill at %llu:\n%s", (unsigned long long)at, rows);
        for (int i = 0; status == -1 && i < 3; i++) assert_non_null(strstr(rows, later[i]));
        free(rows);
    }
    print_message("%llu kill points, %llu with all lines\n", (unsigned long long)n,
                  (unsigned long long)complete);
}

/* ---- the plugin alone ---- */

struct alone {
    struct sim_disk *disk;
    struct weir_sys *sys;
    struct fake fake;
};

static void alone_begin(struct alone *a, const char *options)
{
    a->disk = sim_disk_create();
    a->sys = sim_create(a->disk, 1000 * SECOND, 7);
    sim_auto_advance(a->sys, 0);
    assert_int_equal(fake_create(&a->fake, a->sys, entry_source_socket, entry_format_text,
                                 options), WEIR_OK);
    assert_int_equal(fake_bind_source(&a->fake), WEIR_OK);
}

static void alone_end(struct alone *a)
{
    fake_destroy(&a->fake);
    sys_destroy(a->sys);
    sim_disk_destroy(a->disk);
}

/* Names partitions and reads each until it waits; rows stay in the fake. */
static void alone_read(struct alone *a, int rounds)
{
    while (rounds-- > 0) {
        assert_int_equal(fake_partitions(&a->fake, 0), WEIR_OK);
        char *names = strdup(fake_text(&a->fake.names)), *at = names;
        for (char *end; (end = strchr(at, '\n')); at = end + 1) {
            int32_t status;
            *end = 0;
            do {
                uint64_t before = a->fake.n_rows;
                status = fake_next(&a->fake, at, 1, 1000);
                assert_true(status == WEIR_OK || status == WEIR_PENDING);
                if (a->fake.n_rows == before && !(a->fake.flags & WEIR_NEXT_MORE)) break;
            } while (status == WEIR_OK);
        }
        free(names);
    }
}

static void a_place_is_free_again_when_its_connection_has_ended(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    sim_peer(a.sys, 9999, "a\n", 2, 0, 1);
    sim_peer(a.sys, 9999, "b\n", 2, 0, 0);
    alone_read(&a, 4);
    assert_int_equal(fake_partitions(&a.fake, 0), WEIR_OK);
    assert_string_equal(fake_text(&a.fake.names), "c00000002\n");
    sim_peer(a.sys, 9999, "c\n", 2, 0, 0);
    alone_read(&a, 4);
    assert_string_equal(fake_text(&a.fake.names), "c00000001\nc00000002\n");
    assert_string_equal(fake_rows(&a.fake), "[\"a\"]\n[\"b\"]\n[\"c\"]\n");
    alone_end(&a);
}

static void a_caller_that_says_nothing_is_no_partition(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    sim_peer(a.sys, 9999, "", 0, 0, 0);
    sim_peer(a.sys, 9999, "", 0, 0, 1);
    int late = sim_peer(a.sys, 9999, "", 0, 0, 0);
    alone_read(&a, 3);
    assert_string_equal(fake_text(&a.fake.names), "");
    sim_peer_send(a.sys, late, "x\n", 2);
    alone_read(&a, 3);
    assert_string_equal(fake_text(&a.fake.names), "c00000001\n");
    assert_string_equal(fake_rows(&a.fake), "[\"x\"]\n");
    alone_end(&a);
}

static void the_1025th_caller_waits_for_a_place(void **state)
{
    struct alone a;
    int first = 0;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    for (int i = 0; i < 1026; i++) {
        char text[16];
        int n = sprintf(text, "%d\n", i);
        int peer = sim_peer(a.sys, 9999, text, (size_t)n, 0, 0);
        if (i == 0) first = peer;
    }
    alone_read(&a, 3);
    assert_int_equal(a.fake.n_rows, 1024);
    sim_peer_close(a.sys, first);
    alone_read(&a, 4);
    assert_int_equal(a.fake.n_rows, 1025);
    alone_end(&a);
}

static void silent_connections_hold_no_memory(void **state)
{
    struct alone a;
    uint64_t before;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    for (int i = 0; i < 500; i++) sim_peer(a.sys, 9999, "line\n", 5, 0, 0);
    before = mem_in_use();
    alone_read(&a, 4);
    assert_int_equal(a.fake.n_rows, 500);
    fake_forget(&a.fake);
    assert_in_range(mem_in_use() - before, 0, 500 * 400 + 100000);
    alone_end(&a);
}

static void a_line_in_single_bytes_is_one_row(void **state)
{
    struct alone a;
    char *line = malloc(5001);
    (void)state;
    memset(line, 'z', 5000);
    line[4999] = '\n';
    line[5000] = 0;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    int peer = sim_peer(a.sys, 9999, "", 0, 0, 0);
    for (int i = 0; i < 5000; i++) {
        sim_peer_send(a.sys, peer, line + i, 1);
        alone_read(&a, 2);
        assert_int_equal(a.fake.n_rows, i == 4999);
    }
    alone_end(&a);
    free(line);
}

static void a_giant_line_is_rejected_once_and_its_memory_is_bounded(void **state)
{
    struct alone a;
    size_t n = 1u << 20;
    char *part = malloc(n);
    uint64_t most = 0, before;
    (void)state;
    memset(part, 'x', n);
    alone_begin(&a, "\"port\": 9999, \"listen\": true, \"max_record\": \"256Ki\"");
    before = mem_in_use();
    int peer = sim_peer(a.sys, 9999, "before\n", 7, 0, 0);
    for (int i = 0; i < 64; i++) {
        sim_peer_send(a.sys, peer, part, n);
        alone_read(&a, 2);
        if (mem_in_use() - before > most) most = mem_in_use() - before;
    }
    sim_peer_send(a.sys, peer, "\nafter\n", 7);
    alone_read(&a, 2);
    assert_string_equal(fake_rows(&a.fake), "[\"before\"]\n[\"after\"]\n");
    assert_int_equal(a.fake.n_rejects, 1);
    assert_in_range(most, 1, 400 << 10);
    alone_end(&a);
    free(part);
}

static void a_broken_connection_gives_what_came_and_others_go_on(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    int first = sim_peer(a.sys, 9999, "a\nhal", 5, 0, 0);
    int second = sim_peer(a.sys, 9999, "b\n", 2, 0, 0);
    alone_read(&a, 3);
    assert_int_equal(fake_partitions(&a.fake, 0), WEIR_OK);
    sim_fault_at(a.sys, sim_calls(a.sys) + 1, SIM_FAULT_EIO, 0);
    fake_next(&a.fake, "c00000001", 1, 1000);
    alone_read(&a, 2);
    sim_peer_send(a.sys, second, "c\n", 2);
    sim_peer_send(a.sys, first, "lost\n", 5);
    alone_read(&a, 3);
    assert_string_equal(fake_rows(&a.fake), "[\"a\"]\n[\"b\"]\n[\"hal\"]\n[\"c\"]\n");
    alone_end(&a);
}

static int no_descriptors(struct weir_sys *sys, int fd)
{
    (void)sys, (void)fd;
    return -EMFILE;
}

static void an_accept_that_can_heal_is_tried_again_after_2_s(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    sim_peer(a.sys, 9999, "a\n", 2, 0, 0);
    const struct weir_sys_ops *ops = a.sys->ops;
    struct weir_sys_ops poor = *ops;
    poor.accept = no_descriptors;
    a.sys->ops = &poor;
    alone_read(&a, 3);
    assert_int_equal(a.fake.wake_after, 2 * SECOND);
    assert_int_equal(a.fake.n_rows, 0);
    a.sys->ops = ops;
    alone_read(&a, 3);
    assert_int_equal(a.fake.n_rows, 0);
    sim_advance(a.sys, 2 * SECOND);
    alone_read(&a, 3);
    assert_int_equal(a.fake.n_rows, 1);
    alone_end(&a);
}

static void an_accept_that_cannot_heal_stops_the_job(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999, \"listen\": true");
    sim_fault_at(a.sys, sim_calls(a.sys) + 1, SIM_FAULT_EIO, 0);
    assert_int_equal(fake_partitions(&a.fake, 0), WEIR_FATAL);
    alone_end(&a);
}

static void a_clock_that_jumps_back_does_not_delay_the_next_call(void **state)
{
    struct alone a;
    (void)state;
    alone_begin(&a, "\"port\": 9999");
    alone_read(&a, 1);
    sim_step_wall(a.sys, -500 * SECOND);
    alone_read(&a, 1);
    assert_in_range(a.fake.wake_after, 1, 2 * SECOND);
    sim_peer(a.sys, 9999, "a\n", 2, 0, 0);
    sim_advance(a.sys, 2 * SECOND);
    alone_read(&a, 3);
    assert_int_equal(a.fake.n_rows, 1);
    alone_end(&a);
}

#ifdef HAVE_OPENSSL
static const char calls_by_tls[] = "\"plugin\": \"socket\", \"port\": 9999, "
                                   "\"tls\": {\"enabled\": true}";

static void a_peer_that_does_not_shake_hands_has_10_seconds(void **state)
{
    static const struct peer silent[] = { { "", 0, 1 } };
    static const struct peer half[] = { { "\x16\x03\x03", 0, 1 } };
    (void)state;
    give(silent, 1);
    world.stop_after_us = 15 * SECOND;
    assert_int_equal(world_life("asap", calls_by_tls), 0);
    if (!strstr(world_journal(), "no TLS handshake within 10 s")) fail_msg("%s", world_journal());
    world_forget();
    give(half, 1);
    assert_int_equal(world_life("asap", calls_by_tls), 0);
    assert_non_null(strstr(world_journal(), "no TLS handshake within 10 s"));
    world_forget();
    give(silent, 1);
    world.stop_after_us = 8 * SECOND;
    assert_int_equal(world_life("asap", calls_by_tls), 0);
    assert_null(strstr(world_journal(), "no TLS handshake"));
}

static void a_peer_that_speaks_plain_text_is_let_go(void **state)
{
    static const struct peer plain[] = { { "some lines\nof plain text\n", 3, 1 } };
    (void)state;
    give(plain, 1);
    assert_int_equal(world_life("asap", calls_by_tls), 0);
    expect_rows("");
    assert_non_null(strstr(world_journal(), "the TLS handshake failed"));
}
#endif

static void wrong_options_are_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(world_refused("\"plugin\": \"socket\""), "port"));
    assert_non_null(strstr(world_refused("\"plugin\": \"socket\", \"port\": 70000"),
                           "a port is 1 to 65535"));
    assert_non_null(strstr(world_refused("\"plugin\": \"socket\", \"port\": 0"),
                           "a port is 1 to 65535"));
#ifdef HAVE_OPENSSL
    assert_non_null(strstr(world_refused("\"plugin\": \"socket\", \"port\": 9, \"listen\": true, "
                                         "\"tls\": {\"enabled\": true}"),
                           "needs tls.certificate and tls.key"));
    assert_non_null(strstr(world_refused("\"plugin\": \"socket\", \"port\": 9, "
                                         "\"tls\": {\"key\": \"k.pem\"}"),
                           "belong together"));
#endif
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_calls_and_reads_to_the_end_without_a_last_lf),
        T(it_calls_again_after_the_end),
        T(a_refused_call_is_made_again),
        T(many_callers_are_read_together),
        T(a_caller_comes_late),
        T(an_unfinished_record_waits_for_its_end),
        T(callers_after_a_restart_are_read_like_those_before),
        T(a_kill_at_any_call_doubles_nothing),
        T(wrong_options_are_refused),
#ifdef HAVE_OPENSSL
        T(a_peer_that_does_not_shake_hands_has_10_seconds),
        T(a_peer_that_speaks_plain_text_is_let_go),
#endif
        cmocka_unit_test(a_place_is_free_again_when_its_connection_has_ended),
        cmocka_unit_test(a_caller_that_says_nothing_is_no_partition),
        cmocka_unit_test(the_1025th_caller_waits_for_a_place),
        cmocka_unit_test(silent_connections_hold_no_memory),
        cmocka_unit_test(a_line_in_single_bytes_is_one_row),
        cmocka_unit_test(a_giant_line_is_rejected_once_and_its_memory_is_bounded),
        cmocka_unit_test(a_broken_connection_gives_what_came_and_others_go_on),
        cmocka_unit_test(an_accept_that_can_heal_is_tried_again_after_2_s),
        cmocka_unit_test(an_accept_that_cannot_heal_stops_the_job),
        cmocka_unit_test(a_clock_that_jumps_back_does_not_delay_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
