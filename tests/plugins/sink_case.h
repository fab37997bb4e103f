/*
 * sink_case.h - what the tests of sinks share: a simulated sys with one sink of a fake job.
 */
#ifndef TESTS_SINK_CASE_H
#define TESTS_SINK_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/plugins/entries/entries.h"
#include "tests/plugins/fake_host.h"

#include "core/sys/sim.h"

#define START_US 1700000000000000ll
#define ANY_FORM (WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE)

#define assert_class(call, class, fake)                                                            \
    do {                                                                                           \
        int32_t got_ = (call);                                                                     \
        if (got_ != (class)) fail_msg("class %d: %s", got_, (fake)->error.text);                   \
    } while (0)
#define assert_ok(call, fake) assert_class(call, WEIR_OK, fake)

static const struct weir_sink *sink_of(const struct fake *fake) WEIR_UNUSED;
static const struct weir_sink *sink_of(const struct fake *fake)
{
    return fake->component->table;
}

#endif
