/*
 * test_operator_basic.c - select, with_column, filter, split, explode, union and repartition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/data/array.h"
#include "tests/plugins/operator_rig.h"

const struct weir_plugin *entry_operator_basic(const struct weir_host *, struct weir_error *);

static struct rig rig;

static int teardown(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

#define OPEN(...)                                                                                  \
    do {                                                                                           \
        int32_t opened = rig_open(&rig, entry_operator_basic, __VA_ARGS__, NULL);                  \
        if (opened != WEIR_OK) fail_msg("%s: %s", rig.error.option, rig.error.text);               \
    } while (0)
#define REFUSED(option_name, part, ...)                                                            \
    do {                                                                                           \
        assert_int_equal(rig_open(&rig, entry_operator_basic, __VA_ARGS__, NULL), WEIR_CONFIG);    \
        assert_string_equal(rig.error.option, option_name);                                        \
        if (!strstr(rig.error.text, part)) fail_msg("%s", rig.error.text);                         \
        rig_close(&rig);                                                                           \
    } while (0)
#define FEED(rows) assert_int_equal(rig_feed(&rig, rows), WEIR_OK)

static void assert_ddl(const char *ddl)
{
    char *text = rig_ddl(&rig);
    assert_string_equal(text, ddl);
    mem_free(text);
}

/* ---- split ---- */

static void split_at_white_space_drops_empty_tokens(void **state)
{
    (void)state;
    OPEN("split", "\"into\": \"word\"", "value string");
    assert_ddl("word string");
    FEED("[[\"  the quick\\tfox \\n\"], [\"\"], [null], [\"\\u000b\\f\\r\"], [\"über\\u00a0alles x\"]]");
    assert_string_equal(rig_rows(&rig),
                        "[\"the\"]\n[\"quick\"]\n[\"fox\"]\n[\"über\u00a0alles\"]\n[\"x\"]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(split_at_white_space_drops_empty_tokens, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
