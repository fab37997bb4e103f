/*
 * operator_case.h - for the unit tests of one operator module: a rig, opened anew in each test.
 * Before it is included: ENTRY, the entry function of the module; and FUNCTIONS, that of a module
 * of functions, where its expressions call some.
 */
#ifndef TESTS_OPERATOR_CASE_H
#define TESTS_OPERATOR_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/operator_rig.h"

const struct weir_plugin *ENTRY(const struct weir_host *, struct weir_error *);
#ifdef FUNCTIONS
const struct weir_plugin *FUNCTIONS(const struct weir_host *, struct weir_error *);
#else
#define FUNCTIONS NULL
#endif

static struct rig rig;

/* A rig that nothing is open in, for a further rig_open in the same test. */
static inline void close_again(void)
{
    rig_close(&rig);
    rig.functions = FUNCTIONS;
}

static int setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.functions = FUNCTIONS;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Name, options, and the columns of each input. */
#define OPEN(...)                                                                                  \
    do {                                                                                           \
        int32_t opened = rig_open(&rig, ENTRY, __VA_ARGS__, NULL);                                 \
        if (opened != WEIR_OK) fail_msg("%s: %s", rig.error.option, rig.error.text);               \
    } while (0)
#define REFUSED(option_name, part, ...)                                                            \
    do {                                                                                           \
        assert_int_equal(rig_open(&rig, ENTRY, __VA_ARGS__, NULL), WEIR_CONFIG);                   \
        assert_string_equal(rig.error.option, option_name);                                        \
        if (!strstr(rig.error.text, part)) fail_msg("%s", rig.error.text);                         \
        close_again();                                                                             \
    } while (0)
/* A batch of these rows. */
#define FEED(rows)                                                                                 \
    do {                                                                                           \
        int32_t fed = rig_feed(&rig, rows);                                                        \
        if (fed != WEIR_OK) fail_msg("%d: %s", fed, rig.error.text);                               \
    } while (0)

/* The columns of the result. */
static inline void assert_ddl(const char *ddl)
{
    char *text = rig_ddl(&rig);
    assert_string_equal(text, ddl);
    mem_free(text);
}

#endif
