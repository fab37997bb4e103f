/*
 * one_sink.h - for the unit tests of one sink: a simulated system and a fake job in each test.
 */
#ifndef TESTS_ONE_SINK_H
#define TESTS_ONE_SINK_H

#include "tests/plugins/sink_case.h"

static struct sim_disk *disk;
static struct weir_sys *sys;
static struct fake fake;

static int setup(void **state)
{
    (void)state;
    disk = sim_disk_create();
    sys = sim_create(disk, START_US, 1);
    return disk && sys ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fake_destroy(&fake);
    sys_destroy(sys);
    sim_disk_destroy(disk);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
