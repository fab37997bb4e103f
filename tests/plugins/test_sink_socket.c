#include "tests/plugins/one_sink.h"

#define PORT 9999
#define OPTIONS "\"host\": \"h\", \"port\": 9999"

static void make(fake_entry_fn format, const char *options)
{
    assert_ok(fake_create(&fake, sys, entry_sink_socket, format, options), &fake);
    assert_ok(fake_bind_sink(&fake, "v string", WEIR_FORM_APPEND), &fake);
    assert_ok(fake_open_sink(&fake, "0"), &fake);
}

static int32_t deliver(uint64_t id, const char *rows)
{
    int32_t status = fake_begin(&fake, id, START_US, 1);
    if (status == WEIR_OK) status = fake_write(&fake, id, 0, rows);
    if (status == WEIR_OK) status = sink_of(&fake)->finish(fake.self, &fake.error);
    if (status != WEIR_OK) assert_int_equal(sink_of(&fake)->abort(fake.self, NULL), WEIR_OK);
    return status;
}

static void peer_has(int peer, const char *want)
{
    size_t n;
    const uint8_t *bytes = sim_peer_received(sys, peer, &n);
    assert_int_equal(n, strlen(want));
    if (n) assert_memory_equal(bytes, want, n);
}

static void batches_go_over_one_connection(void **state)
{
    int peer = sim_peer(sys, PORT, "", 0, 1, 0);
    (void)state;
    make(entry_format_text, OPTIONS);
    assert_ok(deliver(0, "[[\"a\"],[\"b\"]]"), &fake);
    assert_ok(deliver(1, "[[\"c\"]]"), &fake);
    peer_has(peer, "a\nb\nc\n");
}

static void nobody_there_is_tried_again(void **state)
{
    int peer;
    (void)state;
    make(entry_format_text, OPTIONS);
    assert_class(deliver(0, "[[\"a\"]]"), WEIR_RETRY, &fake);
    weir_error_init(&fake.error);
    peer = sim_peer(sys, PORT, "", 0, 1, 0);
    assert_ok(deliver(0, "[[\"a\"]]"), &fake);
    peer_has(peer, "a\n");
}

static void a_broken_connection_gets_the_whole_batch_again(void **state)
{
    int peer = sim_peer(sys, PORT, "", 0, 1, 0), next;
    (void)state;
    make(entry_format_text, OPTIONS);
    assert_ok(deliver(0, "[[\"a\"]]"), &fake);
    sim_peer_close(sys, peer);
    assert_class(deliver(1, "[[\"b\"],[\"c\"]]"), WEIR_RETRY, &fake);
    weir_error_init(&fake.error);
    next = sim_peer(sys, PORT, "", 0, 1, 0);
    assert_ok(deliver(1, "[[\"b\"],[\"c\"]]"), &fake);
    peer_has(next, "b\nc\n");
}

static void each_connection_begins_with_the_head_of_the_format(void **state)
{
    int peer = sim_peer(sys, PORT, "", 0, 1, 0), next;
    (void)state;
    make(entry_format_csv, OPTIONS ", \"header\": true");
    assert_ok(deliver(0, "[[\"a\"]]"), &fake);
    assert_ok(deliver(1, "[[\"b\"]]"), &fake);
    peer_has(peer, "v\na\nb\n");
    sim_peer_close(sys, peer);
    assert_class(deliver(2, "[[\"c\"]]"), WEIR_RETRY, &fake);
    weir_error_init(&fake.error);
    next = sim_peer(sys, PORT, "", 0, 1, 0);
    assert_ok(deliver(2, "[[\"c\"]]"), &fake);
    peer_has(next, "v\nc\n");
}

static void an_empty_batch_makes_no_connection(void **state)
{
    (void)state;
    make(entry_format_text, OPTIONS);
    assert_ok(fake_begin(&fake, 0, START_US, 1), &fake);
    assert_ok(sink_of(&fake)->finish(fake.self, &fake.error), &fake);
}

static void a_large_batch_goes_in_pieces(void **state)
{
    int peer = sim_peer(sys, PORT, "", 0, 1, 0);
    char *row = malloc((1 << 20) + 8);
    size_t n;
    (void)state;
    assert_non_null(row);
    memcpy(row, "[[\"", 3);
    memset(row + 3, 'x', 1 << 20);
    memcpy(row + 3 + (1 << 20), "\"]]", 4);
    make(entry_format_text, OPTIONS);
    assert_ok(fake_begin(&fake, 0, START_US, 1), &fake);
    assert_ok(fake_write(&fake, 0, 0, row), &fake);
    free(row);
    sim_peer_received(sys, peer, &n);
    assert_int_equal(n, (1 << 20) + 1);
    assert_ok(sink_of(&fake)->finish(fake.self, &fake.error), &fake);
}

static void a_port_out_of_range_is_refused(void **state)
{
    (void)state;
    assert_class(fake_create(&fake, sys, entry_sink_socket, entry_format_text,
                             "\"host\": \"h\", \"port\": 65536"), WEIR_CONFIG, &fake);
    assert_string_equal(fake.error.option, "port");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_go_over_one_connection),
        TEST(nobody_there_is_tried_again),
        TEST(a_broken_connection_gets_the_whole_batch_again),
        TEST(each_connection_begins_with_the_head_of_the_format),
        TEST(an_empty_batch_makes_no_connection),
        TEST(a_large_batch_goes_in_pieces),
        TEST(a_port_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
