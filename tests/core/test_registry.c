/*
 * test_registry.c - modules of the real loader: found, looked at, refused each with its own words,
 * opened.
 *
 * The modules are compiled here, by TEST_CC, from tests/core/modules. The test program is its own
 * probe program.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/load/module.h"
#include "core/load/probe.h"
#include "core/load/registry.h"
#include "base/sha256.h"

#ifndef TEST_CC
#define TEST_CC "cc"
#endif
#ifndef TEST_CXX
#define TEST_CXX "c++"
#endif
#ifndef TEST_TOP
#define TEST_TOP "."
#endif

static char top[256], plugins[300], other[300], cache[300];
static struct registry *registry;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
    char *command;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&command, format, args) > 0);
    va_end(args);
    if (system(command) != 0) fail_msg("failed: %s", command);
    free(command);
}

static int setup(void **state)
{
    const char *where = getenv("TMPDIR");
    (void)state;
    snprintf(top, sizeof top, "%.200s/test-registry-XXXXXX",
             where && *where == '/' ? where : "/tmp");
    assert_non_null(mkdtemp(top));
    snprintf(plugins, sizeof plugins, "%s/plugins", top);
    snprintf(other, sizeof other, "%s/other", top);
    snprintf(cache, sizeof cache, "%s/cache", top);
    assert_int_equal(mkdir(plugins, 0755), 0);
    assert_int_equal(mkdir(other, 0755), 0);
    unsetenv("WEIR_PLUGIN_PATH");
    registry = NULL;
    probe_limit_ms = 20000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    registry_destroy(registry);
    run("rm -rf '%s'", top);
    return 0;
}

/* Compiles `source` of tests/core/modules to the file (absolute, or in `plugins`). */
static void build(const char *file, const char *source, const char *flags)
{
    size_t n = strlen(source);
    const char *compiler = strcmp(source + n - 3, ".cc") == 0 ? TEST_CXX " -std=c++17"
                                                              : TEST_CC " -std=gnu11";
    run("%s -shared -fPIC -fvisibility=hidden -I'%s/sdk/include' '%s/tests/core/modules/%s' "
        "-o '%s%s%s' %s", compiler, TEST_TOP, TEST_TOP, source, *file == '/' ? "" : plugins,
        *file == '/' ? "" : "/", file, flags);
}

static void look_with(const char *program, const char *first, const char *second)
{
    const char *paths[] = { first, second };
    struct registry_options options = { paths, second ? 2 : 1, program, cache, 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    registry_destroy(registry);
    int32_t result = registry_create(NULL, &options, &registry, &error);
    if (result != WEIR_OK) fail_msg("registry_create: %s", error.text);
}

static void look(void)
{
    look_with(NULL, plugins, NULL);
}

/* The refusal of the only module; fails the test where there is none. */
static const char *refusal(void)
{
    assert_int_equal(registry_modules(registry), 1);
    const char *text = registry_module(registry, 0)->refusal;
    assert_non_null(text);
    assert_int_equal(registry_components(registry), 0);
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("`%s` does not say `%s`", text, part);
}

/* Builds odd.c, looks, and wants these parts in the refusal. */
static void refused(const char *flags, const char *need, const char *have, const char *remedy)
{
    char file[400];
    snprintf(file, sizeof file, "%s/odd.so", plugins);
    build("odd.so", "odd.c", flags);
    look();
    assert_says(refusal(), file);
    assert_says(refusal(), need);
    assert_says(refusal(), have);
    assert_says(refusal(), remedy);
}

static const struct weir_component *open_ok(uint32_t kind, const char *name)
{
    const struct weir_component *component;
    struct weir_error error = WEIR_ERROR_INIT;
    int32_t result = registry_open(registry, kind, name, &component, &error);
    if (result != WEIR_OK) fail_msg("open %s: %s", name, error.text);
    assert_non_null(component->table);
    return component;
}

static const char *open_fails(uint32_t kind, const char *name)
{
    static struct weir_error error;
    const struct weir_component *component;
    weir_error_init(&error);
    assert_int_equal(registry_open(registry, kind, name, &component, &error), WEIR_CONFIG);
    assert_null(component);
    return error.text;
}

/* What `bind` of plain.c answers: the version that was compiled in. */
static const char *version_of(const struct weir_component *component)
{
    static struct weir_error error;
    const struct weir_operator *table = component->table;
    weir_error_init(&error);
    assert_int_equal(table->bind(NULL, NULL, NULL, &error), WEIR_CONFIG);
    return error.text;
}

/* ---- what goes well ---- */

static void test_a_module_is_found_and_opened(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "");
    look();
    assert_int_equal(registry_modules(registry), 1);
    assert_null(registry_module(registry, 0)->refusal);
    const struct component_info *info = registry_find(registry, WEIR_KIND_OPERATOR, "plain");
    assert_non_null(info);
    assert_null(info->declared->table);
    const struct weir_component *component = open_ok(WEIR_KIND_OPERATOR, "plain");
    assert_string_equal(version_of(component), "1.4");
    assert_string_equal(registry_hash(registry, component), registry_module(registry, 0)->hash);
    assert_ptr_equal(open_ok(WEIR_KIND_OPERATOR, "org.test.plain/plain"), component);
}

static void test_everything_that_a_descriptor_says_is_known_without_opening(void **state)
{
    (void)state;
    build("full.so", "full.c", "");
    look();
    const struct component_info *info = registry_find(registry, WEIR_KIND_SOURCE, "both");
    assert_non_null(info);
    assert_string_equal(info->module->id, "org.test.full");
    assert_string_equal(info->module->licence, "Apache-2.0");
    assert_string_equal(info->module->sdk, WEIR_SDK_VERSION);
    const struct weir_component *c = info->declared;
    assert_int_equal(c->n_options, 5);
    assert_string_equal(c->options[0].name, "host");
    assert_int_equal(c->options[0].flags, WEIR_OPTION_REQUIRED);
    assert_null(c->options[0].fallback);
    assert_string_equal(c->options[2].choices, "fast|safe");
    assert_string_equal(c->options[3].fallback, "5m");
    assert_string_equal(c->options[4].fallback, "\n");
    assert_true(c->capabilities == (WEIR_CAP_REPLAYABLE | WEIR_CAP_BYTES));
    assert_string_equal(c->interfaces[0].id, "org.test.extra/1");
    const struct component_info *sink = registry_find(registry, WEIR_KIND_SINK, "both");
    assert_int_equal(sink->declared->level, WEIR_SINK_IDEMPOTENT);
    assert_int_equal(sink->declared->accepts, WEIR_FORM_APPEND | WEIR_FORM_UPSERT);
    assert_int_equal(registry_kinds(registry, "both"), 1 << WEIR_KIND_SOURCE | 1 << WEIR_KIND_SINK);
}

static void test_missing_tails_of_tables_become_stubs(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    build("full.so", "full.c", "");
    build("short.so", "odd.c", "-DODD_SHORT -DNAME='\"brief\"' -DID='\"org.test.brief\"'");
    look();
    const struct weir_sink *sink = open_ok(WEIR_KIND_SINK, "both")->table;
    assert_int_equal(sink->size, sizeof *sink);
    assert_int_equal(sink->write(NULL, NULL, &error), WEIR_FATAL); /* its own */
    weir_error_init(&error);
    assert_int_equal(sink->finish(NULL, &error), WEIR_UNSUPPORTED);
    sink->cancel(NULL);
    sink->close(NULL);
    const struct weir_operator *brief = open_ok(WEIR_KIND_OPERATOR, "brief")->table;
    weir_error_init(&error);
    assert_int_equal(brief->process(NULL, NULL, 0, NULL, &error), WEIR_UNSUPPORTED);
    assert_says(error.text, "process");
    assert_null(brief->advance); /* optional: stays absent */
    assert_null(brief->combine);
}

static void test_a_format_for_sinks_only_refuses_to_decode(void **state)
{
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    build("full.so", "full.c", "");
    look();
    const struct weir_format *format = open_ok(WEIR_KIND_FORMAT, "outward")->table;
    assert_int_equal(format->bind_decode(NULL, NULL, NULL, &error), WEIR_UNSUPPORTED);
    assert_string_equal(format->extension, "");
}

static void test_a_changed_file_is_loaded_beside_the_old_one(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "-DVERSION='\"1.0\"'");
    look();
    const struct weir_component *before = open_ok(WEIR_KIND_OPERATOR, "plain");
    build("plain.so", "plain.c", "-DVERSION='\"2.0\"'");
    look();
    const struct weir_component *after = open_ok(WEIR_KIND_OPERATOR, "plain");
    assert_ptr_not_equal(before, after);
    assert_string_equal(version_of(before), "1.0");
    assert_string_equal(version_of(after), "2.0");
}

static void test_a_file_that_changes_after_the_look_is_not_opened(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "-DVERSION='\"3.0\"'");
    look();
    run("rm -f '%s'/plain-*.so", cache);
    build("plain.so", "plain.c", "-DVERSION='\"4.0\"'");
    assert_says(open_fails(WEIR_KIND_OPERATOR, "plain"), "start again");
}

static void test_a_damaged_private_copy_is_made_anew(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "-DVERSION='\"5.0\"'");
    look();
    run("for f in '%s'/plain-*.so; do chmod 700 $f; echo x >$f; done", cache);
    assert_string_equal(version_of(open_ok(WEIR_KIND_OPERATOR, "plain")), "5.0");
}

static void test_an_earlier_directory_shadows_a_later_one(void **state)
{
    char file[400];
    (void)state;
    snprintf(file, sizeof file, "%s/z.so", other);
    build("plain.so", "plain.c", "-DVERSION='\"first\"'");
    build(file, "plain.c", "-DVERSION='\"second\"' -DID='\"org.test.second\"'");
    look_with(NULL, plugins, other);
    assert_string_equal(version_of(open_ok(WEIR_KIND_OPERATOR, "plain")), "first");
    assert_string_equal(version_of(open_ok(WEIR_KIND_OPERATOR, "org.test.second/plain")), "second");
}

static void test_the_environment_adds_directories(void **state)
{
    char list[700];
    (void)state;
    build("plain.so", "plain.c", "");
    snprintf(list, sizeof list, "%s/nothing::%s", top, plugins);
    setenv("WEIR_PLUGIN_PATH", list, 1);
    look_with(NULL, other, NULL);
    assert_non_null(registry_find(registry, WEIR_KIND_OPERATOR, "plain"));
}

static void test_known_modules_are_not_probed_again(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "");
    build("bad.so", "plain.c", "-DMINOR=6 -DID='\"org.acme.kafka\"'");
    look();
    look_with("/nonexistent", plugins, NULL);
    assert_int_equal(registry_modules(registry), 2);
    assert_says(registry_module(registry, 0)->refusal, "org.acme.kafka 1.4");
    assert_null(registry_module(registry, 1)->refusal);
    open_ok(WEIR_KIND_OPERATOR, "plain");
}

static void test_a_damaged_cache_only_costs_time(void **state)
{
    (void)state;
    build("plain.so", "plain.c", "");
    look();
    for (int cut = 0; cut < 40; cut += 13) {
        run("head -c %d /dev/urandom > '%s'/probes.json", cut, cache);
        look();
        assert_null(registry_module(registry, 0)->refusal);
    }
}

/* Within the step of a file system's clock a second change would not show. */
static void test_a_file_that_was_changed_a_moment_ago_is_not_known_by_its_key(void **state)
{
    struct timespec now;
    char hash[SHA256_HEX] = "";
    json_t *answer = json_object();
    (void)state;
    clock_gettime(CLOCK_REALTIME, &now);
    struct file_key fresh = { 10, 1, (int64_t)now.tv_sec * 1000000000, 2, 3 }, old = fresh;
    old.ctime -= INT64_C(5000000000);
    static const char digits[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    look(); /* makes the directory */
    struct cache *known = cache_open(cache);
    assert_non_null(known);
    cache_put(known, "/a.so", &fresh, digits, answer);
    cache_put(known, "/b.so", &old, digits, answer);
    cache_close(known);
    known = cache_open(cache);
    assert_null(cache_find(known, "/a.so", &fresh, hash));
    assert_non_null(cache_find(known, "/b.so", &old, hash));
    assert_string_equal(hash, digits);
    assert_non_null(cache_find(known, "/a.so", &fresh, hash)); /* but by its hash */
    hash[0] = 0;
    old.size++;
    assert_null(cache_find(known, "/b.so", &old, hash));
    cache_close(known);
    json_decref(answer);
}

static void test_components_of_the_process_come_first(void **state)
{
    static const struct weir_operator table;
    static struct weir_component component = { .size = sizeof component,
                                               .kind = WEIR_KIND_OPERATOR, .name = "plain",
                                               .summary = "", .table = &table };
    static const struct weir_plugin plugin = { sizeof plugin, 1, 0, 0, "process", "1", "", "",
                                               &component, sizeof component, 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    build("full.so", "full.c", "");
    build("plain.so", "plain.c", "");
    look();
    assert_int_equal(registry_add(registry, &plugin, &error), WEIR_CONFIG);
    assert_says(error.text, "table of functions");
    component.table = open_ok(WEIR_KIND_OPERATOR, "counts")->table;
    weir_error_init(&error);
    assert_int_equal(registry_add(registry, &plugin, &error), WEIR_OK);
    assert_string_equal(registry_hash(registry, open_ok(WEIR_KIND_OPERATOR, "plain")), "");
    assert_string_not_equal(
        registry_hash(registry, open_ok(WEIR_KIND_OPERATOR, "org.test.plain/plain")), "");
    weir_error_init(&error);
    assert_int_equal(registry_add(registry, &plugin, &error), WEIR_CONFIG);
    assert_says(error.text, "two operators `plain`");
}

static void test_a_child_left_behind_does_not_delay_the_look(void **state)
{
    (void)state;
    struct timespec before, after;
    build("odd.so", "odd.c", "-DODD_LEAVES_A_CHILD");
    clock_gettime(CLOCK_MONOTONIC, &before);
    look();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_null(registry_module(registry, 0)->refusal);
    assert_true((after.tv_sec - before.tv_sec) * 1000 < probe_limit_ms / 2);
}

static void test_a_link_to_a_trusted_file_is_followed(void **state)
{
    char file[400];
    (void)state;
    snprintf(file, sizeof file, "%s/plain.so", other);
    build(file, "plain.c", "");
    run("ln -s ../other/plain.so '%s/linked.so'", plugins);
    look();
    assert_non_null(registry_find(registry, WEIR_KIND_OPERATOR, "plain"));
}

/* ---- names ---- */

static void test_a_name_in_two_modules_of_a_directory_has_to_be_qualified(void **state)
{
    (void)state;
    build("a.so", "plain.c", "-DID='\"org.test.a\"'");
    build("b.so", "plain.c", "-DID='\"org.test.b\"'");
    look();
    assert_null(registry_find(registry, WEIR_KIND_OPERATOR, "plain"));
    assert_says(open_fails(WEIR_KIND_OPERATOR, "plain"), "`org.test.a/plain`");
    assert_says(open_fails(WEIR_KIND_OPERATOR, "plain"), "`org.test.b/plain`");
    assert_non_null(registry_find(registry, WEIR_KIND_OPERATOR, "org.test.b/plain"));
}

static void test_an_unknown_name_is_answered_with_the_nearest(void **state)
{
    (void)state;
    build("full.so", "full.c", "");
    look();
    assert_says(open_fails(WEIR_KIND_OPERATOR, "count"), "did you mean `counts`?");
    assert_says(open_fails(WEIR_KIND_SINK, "counts"), "its kind is operator");
    assert_says(open_fails(WEIR_KIND_SINK, "kafka"), "--plugin-path");
}

static void test_a_name_of_a_refused_module_is_answered_with_its_refusal(void **state)
{
    (void)state;
    build("acme.so", "plain.c", "-DMINOR=6 -DNAME='\"frobnicate\"'");
    look();
    assert_says(open_fails(WEIR_KIND_OPERATOR, "frobnicate"), "needs host ABI 1.6");
    assert_says(open_fails(WEIR_KIND_SINK, "acme"), "needs host ABI 1.6");
}

static void test_an_unknown_name_is_answered_with_what_was_refused(void **state)
{
    (void)state;
    build("odd.so", "odd.c", "-DODD_NO_ENTRY");
    look();
    const char *text = open_fails(WEIR_KIND_OPERATOR, "tax");
    assert_says(text, "install the plugin that has it");
    assert_says(text, "; refused: ");
    assert_says(text, "/odd.so");
    assert_says(text, "needs to export weir_plugin_entry_v1 alone");
    assert_null(strstr(text, " more"));
    build("even.so", "odd.c", "-DODD_NO_ENTRY");
    build("full.so", "full.c", "");
    run("cp '%s/odd.so' '%s/last.so'", plugins, plugins);
    look();
    text = open_fails(WEIR_KIND_OPERATOR, "count");
    assert_says(text, "did you mean `counts`?");
    assert_says(text, "/even.so");
    assert_says(text, "; and ");
    assert_says(text, " more");
}

/* ---- what is refused ---- */

static void test_a_newer_abi_is_refused(void **state)
{
    char text[700];
    (void)state;
    build("kafka.so", "plain.c", "-DMINOR=6 -DID='\"org.acme.kafka\"'");
    look();
    snprintf(text, sizeof text, "%s/kafka.so (org.acme.kafka 1.4) needs host ABI 1.6; this weir "
             "offers 1.0: upgrade weir or install an older org.acme.kafka", plugins);
    assert_string_equal(refusal(), text);
}

static void test_another_abi_is_refused(void **state)
{
    (void)state;
    build("odd.so", "plain.c", "-DMAJOR=2");
    look();
    assert_says(refusal(), "needs host ABI 2.0; this weir offers 1.0: upgrade weir");
    refused("-DODD_ENTRY_2", "needs host ABI 2", "this weir offers 1", "upgrade weir");
}

static void test_a_missing_symbol_is_named(void **state)
{
    (void)state;
    refused("-DODD_MISSING_SYMBOL", "needs the symbol `odd_nobody_has_this`",
            "none of its libraries (libc.so", "link it with");
}

static void test_a_missing_library_is_named(void **state)
{
    (void)state;
    run("echo 'int absent(void); int absent(void) { return 1; }' > '%s/absent.c'", top);
    run("%s -shared -fPIC '%s/absent.c' -o '%s/libabsent.so'", TEST_CC, top, top);
    char flags[600];
    snprintf(flags, sizeof flags, "-Wl,--no-as-needed -L'%s' -labsent && rm '%s/libabsent.so'", top,
             top);
    refused(flags, "needs the library libabsent.so", "No such file", "install the package");
}

static void test_a_symbol_borrowed_from_the_host_is_refused(void **state)
{
    (void)state;
    refused("-DODD_BORROWED_SYMBOL", "needs the symbol `jansson_version_str`",
            "none of its own libraries (libc.so", "link it with");
}

static void test_no_entry_is_refused(void **state)
{
    (void)state;
    refused("-DODD_NO_ENTRY", "needs to export weir_plugin_entry_v1 alone", "`some_library` too",
            "-fvisibility=hidden");
    run("echo 'int x;' > '%s/x.c' && %s -shared -fPIC -fvisibility=hidden '%s/x.c' -o '%s/odd.so'",
        top, TEST_CC, top, plugins);
    look();
    assert_says(refusal(), "it does not, so it is no plugin of weir: end its source with "
                           "WEIR_PLUGIN");
}

static void test_a_plugin_that_says_no_is_quoted(void **state)
{
    (void)state;
    refused("-DODD_SAYS_NO", "needs what its entry function asks for",
            "no licence file in /etc/acme", "do as it says");
}

static void test_a_crash_is_reported_as_one(void **state)
{
    (void)state;
    refused("-DODD_CRASH", "needs to survive being looked at",
            "crashed with signal 11 (Segmentation fault) while it was looked at", "ask its maker");
    refused("-DODD_WILD", "needs to survive", "crashed with signal 11", "ask its maker");
}

static void test_an_exit_is_reported_as_one(void **state)
{
    (void)state;
    refused("-DODD_EXIT", "needs to survive being looked at", "ended the process with status 3",
            "ask its maker");
    refused("-DODD_EXIT_0", "needs to survive being looked at", "ended the process with status 0",
            "ask its maker");
}

static void test_a_hang_is_reported_as_one(void **state)
{
    (void)state;
    probe_limit_ms = 300;
    refused("-DODD_HANG", "needs to be loaded within 300 ms", "it hung while it was looked at",
            "ask its maker");
    refused("-DODD_CLOSE_AND_HANG", "needs to be loaded within 300 ms", "it hung", "ask its maker");
}

static void test_output_is_reported(void **state)
{
    (void)state;
    refused("-DODD_GARBAGE", "needs to leave standard output alone", "while it was looked at",
            "ask its maker");
    refused("-DODD_FLOOD", "needs to leave standard output alone", "wrote over 1048575 bytes",
            "ask its maker");
}

static void test_a_refusal_that_may_heal_is_not_remembered(void **state)
{
    (void)state;
    build("odd.so", "odd.c", "-DODD_EXIT");
    look();
    refusal();
    look_with("/nonexistent", plugins, NULL);
    assert_says(refusal(), "that can't be started");
}

static void test_two_exports_are_refused(void **state)
{
    (void)state;
    refused("-DODD_TWO_EXPORTS", "needs to export weir_plugin_entry_v1 alone",
            "it exports `odd_second_export` too", "-fvisibility=hidden");
}

static void test_a_symbol_of_the_host_is_refused(void **state)
{
    (void)state;
    refused("-DODD_HOST_SYMBOL", "needs `weir_emit_rows` of the host by name",
            "weir gives nothing by name", "use the host table");
}

static void test_unique_symbols_are_refused(void **state)
{
    (void)state;
    if (strstr(TEST_CXX, "clang")) skip(); /* makes none */
    build("unique.so", "unique.cc", "");
    look();
    assert_says(refusal(), "STB_GNU_UNIQUE");
    assert_says(refusal(), "-fno-gnu-unique");
}

static void test_run_paths_that_move_are_refused(void **state)
{
    (void)state;
    refused("-Wl,-rpath,'$ORIGIN'", "needs libraries from `$ORIGIN`", "opened from a private copy",
            "absolute -rpath or none");
    refused("-Wl,-rpath,/usr/lib:lib", "needs libraries from `/usr/lib:lib`", "private copy",
            "absolute -rpath or none");
    build("odd.so", "odd.c", "-Wl,-rpath,/usr/lib");
    look();
    assert_null(registry_module(registry, 0)->refusal);
}

static void test_a_component_twice_is_refused(void **state)
{
    (void)state;
    refused("-DODD_TWICE", "needs different names for its components",
            "has the operator `plain` twice", "rename one");
}

static void test_a_hole_in_a_table_is_named(void **state)
{
    (void)state;
    refused("-DODD_HOLE", "needs the function `process` in the table of `plain`", "it is NULL",
            "fill it in");
}

static void test_a_bad_name_is_refused(void **state)
{
    (void)state;
    refused("-DODD_NAME", "needs names like `count_by_value`", "component 2 (of kind operator)",
            "rename it");
}

static void test_other_files_are_refused(void **state)
{
    (void)state;
    run("echo hello > '%s/odd.so'", plugins);
    look();
    assert_says(refusal(), "needs to be a shared library; its 6 bytes are not ELF");
    run("rm '%s/odd.so' && mkdir '%s/odd.so'", plugins, plugins);
    look();
    assert_says(refusal(), "needs to be a plain file");
    run("rmdir '%s/odd.so' && ln -s nowhere '%s/odd.so'", plugins, plugins);
    look();
    assert_says(refusal(), "needs to lead to a file");
}

static void test_a_cut_file_is_refused(void **state)
{
    (void)state;
    build("odd.so", "plain.c", "");
    run("head -c 700 '%s/odd.so' > '%s/x' && mv '%s/x' '%s/odd.so'", plugins, plugins, plugins,
        plugins);
    look();
    assert_says(refusal(), "cut at 700 bytes");
}

static void test_files_and_directories_that_others_can_write_are_refused(void **state)
{
    (void)state;
    build("odd.so", "plain.c", "");
    run("chmod 666 '%s/odd.so'", plugins);
    look();
    assert_says(refusal(), "needs to be changeable by root and you alone; the file ");
    assert_says(refusal(), "has mode 0666: chmod go-w it");
    run("chmod 644 '%s/odd.so' && chmod 775 '%s'", plugins, plugins);
    look();
    assert_says(refusal(), "the directory ");
    assert_says(refusal(), "has mode 0775: chmod go-w it");
    run("chmod 1777 '%s'", plugins); /* sticky, as /tmp */
    look();
    assert_null(registry_module(registry, 0)->refusal);
}

static void test_files_of_other_users_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    build("odd.so", "plain.c", "");
    run("chown 12345 '%s/odd.so'", plugins);
    look();
    assert_says(refusal(), "is owned by user 12345: chown it");
    run("mkdir '%s/theirs' && chown 0 '%s/odd.so' && mv '%s/odd.so' '%s/theirs' && ln -s "
        "'%s/theirs/odd.so' '%s/odd.so' && chown 12345 '%s/theirs'", top, plugins, plugins, top,
        top, plugins, top);
    look();
    assert_says(refusal(), "theirs is owned by user 12345");
}

static void test_one_bad_module_does_not_touch_the_others(void **state)
{
    (void)state;
    build("a.so", "odd.c", "-DODD_CRASH");
    build("b.so", "odd.c", "-DODD_GARBAGE");
    build("c.so", "odd.c", "-DODD_EXIT");
    build("plain.so", "plain.c", "");
    look();
    assert_int_equal(registry_modules(registry), 4);
    for (uint32_t i = 0; i < 3; i++) assert_non_null(registry_module(registry, i)->refusal);
    open_ok(WEIR_KIND_OPERATOR, "plain");
}

static void test_an_unsafe_cache_directory_is_refused(void **state)
{
    const char *paths[] = { plugins };
    struct registry_options options = { paths, 1, NULL, other, 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(registry_create(NULL, &options, &registry, &error), WEIR_CONFIG);
    assert_says(error.text, "mode 0700; it is not: remove it or set XDG_RUNTIME_DIR");
    assert_null(registry);
}

static void test_a_named_directory_that_is_not_there_is_an_error(void **state)
{
    const char *paths[] = { "/nonexistent/plugins" };
    struct registry_options options = { paths, 1, NULL, cache, 1 };
    struct weir_error error = WEIR_ERROR_INIT;
    (void)state;
    assert_int_equal(registry_create(NULL, &options, &registry, &error), WEIR_CONFIG);
    assert_says(error.text, "/nonexistent/plugins");
}

static void test_sha256_agrees_with_published_vectors(void **state)
{
    char hex[SHA256_HEX];
    char *million = malloc(1000000);
    (void)state;
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_non_null(million);
    memset(million, 'a', 1000000);
    sha256_hex(million, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_module_is_found_and_opened),
        TEST(test_everything_that_a_descriptor_says_is_known_without_opening),
        TEST(test_missing_tails_of_tables_become_stubs),
        TEST(test_a_format_for_sinks_only_refuses_to_decode),
        TEST(test_a_changed_file_is_loaded_beside_the_old_one),
        TEST(test_a_file_that_changes_after_the_look_is_not_opened),
        TEST(test_a_damaged_private_copy_is_made_anew),
        TEST(test_an_earlier_directory_shadows_a_later_one),
        TEST(test_the_environment_adds_directories),
        TEST(test_known_modules_are_not_probed_again),
        TEST(test_a_damaged_cache_only_costs_time),
        TEST(test_a_file_that_was_changed_a_moment_ago_is_not_known_by_its_key),
        TEST(test_components_of_the_process_come_first),
        TEST(test_a_child_left_behind_does_not_delay_the_look),
        TEST(test_a_link_to_a_trusted_file_is_followed),
        TEST(test_a_name_in_two_modules_of_a_directory_has_to_be_qualified),
        TEST(test_an_unknown_name_is_answered_with_the_nearest),
        TEST(test_a_name_of_a_refused_module_is_answered_with_its_refusal),
        TEST(test_an_unknown_name_is_answered_with_what_was_refused),
        TEST(test_a_newer_abi_is_refused),
        TEST(test_another_abi_is_refused),
        TEST(test_a_missing_symbol_is_named),
        TEST(test_a_missing_library_is_named),
        TEST(test_a_symbol_borrowed_from_the_host_is_refused),
        TEST(test_no_entry_is_refused),
        TEST(test_a_plugin_that_says_no_is_quoted),
        TEST(test_a_crash_is_reported_as_one),
        TEST(test_an_exit_is_reported_as_one),
        TEST(test_a_hang_is_reported_as_one),
        TEST(test_output_is_reported),
        TEST(test_a_refusal_that_may_heal_is_not_remembered),
        TEST(test_two_exports_are_refused),
        TEST(test_a_symbol_of_the_host_is_refused),
        TEST(test_unique_symbols_are_refused),
        TEST(test_run_paths_that_move_are_refused),
        TEST(test_a_component_twice_is_refused),
        TEST(test_a_hole_in_a_table_is_named),
        TEST(test_a_bad_name_is_refused),
        TEST(test_other_files_are_refused),
        TEST(test_a_cut_file_is_refused),
        TEST(test_files_and_directories_that_others_can_write_are_refused),
        TEST(test_files_of_other_users_are_refused),
        TEST(test_one_bad_module_does_not_touch_the_others),
        TEST(test_an_unsafe_cache_directory_is_refused),
        TEST(test_a_named_directory_that_is_not_there_is_an_error),
        TEST(test_sha256_agrees_with_published_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
