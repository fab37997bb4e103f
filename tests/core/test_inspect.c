/*
 * test_inspect.c - `weir list` and `weir inspect` over tests/core/modules: whole, stable, in words
 * and as JSON.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/load/registry.h"
#include "tools/weir/commands.h"

#ifndef TEST_CC
#define TEST_CC "cc"
#endif
#ifndef TEST_TOP
#define TEST_TOP "."
#endif

static char top[256], plugins[300], output[1 << 20];

static void build(const char *file, const char *source, const char *flags)
{
    char command[4096];
    snprintf(command, sizeof command, "%s -std=gnu11 -shared -fPIC -fvisibility=hidden "
             "-I'%s/sdk/include' '%s/tests/core/modules/%s' -o '%s/%s' %s", TEST_CC, TEST_TOP,
             TEST_TOP, source, plugins, file, flags);
    if (system(command) != 0) fail_msg("failed: %s", command);
}

static int setup(void **state)
{
    (void)state;
    snprintf(top, sizeof top, "/tmp/test-inspect-XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(plugins, sizeof plugins, "%s/plugins", top);
    assert_int_equal(mkdir(plugins, 0755), 0);
    setenv("XDG_RUNTIME_DIR", top, 1);
    setenv("XDG_DATA_HOME", top, 1);
    setenv("WEIR_PLUGIN_PATH", plugins, 1);
    build("full.so", "full.c", "");
    build("refused.so", "plain.c", "-DMINOR=6 -DID='\"org.acme.kafka\"'");
    return 0;
}

static int teardown(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

/* Runs a command and has its standard output (number 1) or error (2) in `output`. */
static int run(int (*command)(int, char **), int number, const char *a, const char *b,
               const char *c)
{
    char *words[] = { (char *)a, (char *)b, (char *)c, NULL };
    FILE *file = tmpfile(), *stream = number == 1 ? stdout : stderr;
    assert_non_null(file);
    fflush(stream);
    int saved = dup(number);
    dup2(fileno(file), number);
    int result = command(c ? 3 : b ? 2 : 1, words);
    fflush(stream);
    dup2(saved, number);
    close(saved);
    rewind(file);
    output[fread(output, 1, sizeof output - 1, file)] = 0;
    fclose(file);
    return result;
}

static void assert_says(const char *part)
{
    if (!strstr(output, part)) fail_msg("no `%s` in:\n%s", part, output);
}

static void test_inspect_shows_all_that_the_descriptor_says(void **state)
{
    static const char *const parts[] = {
        "source both: Reads nothing", "sink both: Writes nothing",
        "org.test.full 2.0 (Apache-2.0), SDK 1.0.0", "/plugins/full.so", "replayable, bytes",
        "org.test.extra/1", "host: text, required", "Where to connect", "password: text, secret",
        "mode: choice fast|safe, default fast, live", "window.length: duration, default 5m",
        "separator: text, default \"\\n\"\n",
        "idempotent", "append, upsert",
        "  options of every source\n", "max_records: int\n", "watermark.column: column\n",
        "  options of every sink\n", "retry.attempts: int\n", "format: text, default text\n",
    };
    (void)state;
    assert_int_equal(run(command_inspect, 1, "inspect", "both", NULL), 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_says(parts[i]);
    assert_int_equal(run(command_inspect, 1, "inspect", "org.test.full/counts", NULL), 0);
    assert_says("reads versions 1 to 2, writes 2");
    assert_says("deterministic");
    assert_says("  options of every operator\n    on_error: choice dead_letter|fail|skip|null");
    assert_null(strstr(output, "max_records"));
}

static void test_inspect_as_json_has_all_members(void **state)
{
    (void)state;
    assert_int_equal(run(command_inspect, 1, "inspect", "--json", "both"), 0);
    json_t *json = json_loads(output, 0, NULL), *expected;
    json_t *source = json_array_get(json_object_get(json, "components"), 0);
    json_t *sink = json_array_get(json_object_get(json, "components"), 1);
    assert_non_null(source);
    assert_non_null(sink);
    expected = json_pack("{ss ss sb sb sb ss s[ss] ss}", "name", "mode", "type", "choice",
                         "required", 0, "secret", 0, "live", 1, "default", "fast", "choices",
                         "fast", "safe", "help", "How");
    assert_true(json_equal(json_array_get(json_object_get(source, "options"), 2), expected));
    json_decref(expected);
    assert_int_equal(strlen(json_string_value(
                         json_object_get(json_object_get(sink, "module"), "hash"))), 64);
    json_t *common = json_object_get(sink, "common");
    assert_true(json_array_size(common) >= 8);
    expected = json_pack("{ss ss sb sb sb sn sn ss}", "name", "retry.attempts", "type", "int",
                         "required", 0, "secret", 0, "live", 0, "default", "choices", "help",
                         "how often in all before the job fails; none: for ever");
    size_t i, found = 0;
    const json_t *option;
    json_array_foreach(common, i, option) found += json_equal(option, expected) != 0;
    assert_int_equal(found, 1);
    json_decref(expected);
    json_object_del(sink, "common");
    json_object_del(json_object_get(sink, "module"), "hash");
    json_object_del(json_object_get(sink, "module"), "file");
    expected = json_pack("{ss ss ss ss sb s[] s[] ss s[ss] sn sn s[] s{ss ss ss ss}}", "kind",
                         "sink", "name", "both", "qualified", "org.test.full/both", "summary",
                         "Writes nothing", "usable", 1, "options", "capabilities", "level",
                         "idempotent", "accepts", "append", "upsert", "arguments", "state",
                         "interfaces", "module", "id", "org.test.full", "version", "2.0", "licence",
                         "Apache-2.0", "sdk", "1.0.0");
    assert_non_null(expected);
    assert_true(json_equal(sink, expected));
    json_decref(expected);
    json_decref(json);
}

static void test_an_unknown_name_has_a_suggestion_and_the_refusal(void **state)
{
    (void)state;
    assert_int_equal(run(command_inspect, 2, "inspect", "countz", NULL), 69);
    assert_says("did you mean `count"); /* counts, or one that is installed */
    assert_int_equal(run(command_inspect, 2, "inspect", "org.acme.kafka", NULL), 69);
    assert_says("needs host ABI 1.6; this weir offers 1.0");
}

static void test_list_shows_components_in_order_and_refusals(void **state)
{
    static const char *const lines[] = { "source     both ", "format     outward ",
                                         "operator   counts ", "sink       both " };
    (void)state;
    assert_int_equal(run(command_list, 1, "list", NULL, NULL), 0);
    const char *at = output; /* installed plugins may stand between */
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_says(lines[i]);
        assert_true(strstr(output, lines[i]) >= at);
        at = strstr(output, lines[i]);
    }
    assert_says("Writes nothing\n");
    assert_int_equal(run(command_list, 2, "list", NULL, NULL), 0);
    assert_says("refused: ");
    assert_says("(org.acme.kafka 1.4) needs host ABI 1.6");
}

static void test_list_as_json_has_modules_and_components(void **state)
{
    (void)state;
    assert_int_equal(run(command_list, 1, "list", "--json", NULL), 0);
    json_t *json = json_loads(output, 0, NULL);
    json_t *modules = json_object_get(json, "modules");
    json_t *module;
    size_t i;
    int usable = 0, refused = 0;
    assert_true(json_array_size(json_object_get(json, "components")) >= 4);
    json_array_foreach(modules, i, module) {
        const char *id = json_string_value(json_object_get(module, "id"));
        const json_t *refusal = json_object_get(module, "refusal");
        usable |= id && strcmp(id, "org.test.full") == 0 && json_is_null(refusal);
        refused |= id && strcmp(id, "org.acme.kafka") == 0 && json_is_string(refusal);
    }
    assert_true(usable);
    assert_true(refused);
    json_decref(json);
}

static void test_wrong_words_are_a_usage_error(void **state)
{
    (void)state;
    assert_int_equal(run(command_list, 2, "list", "--jsn", NULL), 64);
    assert_says("`--jsn` is not understood");
    assert_int_equal(run(command_inspect, 2, "inspect", NULL, NULL), 64);
    assert_says("NAME is missing");
    assert_int_equal(run(command_inspect, 1, "inspect", "--help", NULL), 0);
    assert_says("usage: weir inspect");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inspect_shows_all_that_the_descriptor_says),
        cmocka_unit_test(test_inspect_as_json_has_all_members),
        cmocka_unit_test(test_an_unknown_name_has_a_suggestion_and_the_refusal),
        cmocka_unit_test(test_list_shows_components_in_order_and_refusals),
        cmocka_unit_test(test_list_as_json_has_modules_and_components),
        cmocka_unit_test(test_wrong_words_are_a_usage_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
