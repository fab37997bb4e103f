/*
 * test_elf.c - reading ELF headers of anything: right modules, cut ones, damaged ones.
 *
 * Damaged bytes are given in memory of exactly their length, so that the sanitizers see any step
 * outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/load/copy.h"
#include "core/load/elf.h"

#ifndef TEST_CC
#define TEST_CC "cc"
#endif
#ifndef TEST_TOP
#define TEST_TOP "."
#endif

static char *module;
static size_t length;

/* Compiles plain.c and reads it. */
static int setup(void **state)
{
    char path[] = "/tmp/test-elf-XXXXXX", command[2048], why[256];
    struct stat s;
    int fd = mkstemp(path);
    (void)state;
    if (fd < 0) return -1;
    close(fd);
    snprintf(command, sizeof command, "%s -std=gnu11 -shared -fPIC -fvisibility=hidden "
             "-I'%s/sdk/include' '%s/tests/core/modules/plain.c' -o %s -Wl,--no-as-needed -lm",
             TEST_CC, TEST_TOP, TEST_TOP, path);
    int result = system(command) == 0 && lstat(path, &s) == 0
                     ? module_bytes(path, &s, &module, &length, why, sizeof why)
                     : -1;
    unlink(path);
    return result;
}

static int teardown(void **state)
{
    (void)state;
    free(module);
    return 0;
}

static int count(void *arg, const char *name)
{
    assert_non_null(strchr(name, 0));
    ++*(int *)arg;
    return 0;
}

static int is(void *arg, const char *name)
{
    return strcmp(arg, name) == 0;
}

/* Everything that reads the bytes; they may be refused, nothing else. */
static int read_everything(const char *bytes, size_t n)
{
    char why[512] = "";
    int names = 0;
    int result = elf_check(bytes, n, why, sizeof why);
    assert_true(result == 0 || strncmp(why, "needs ", 6) == 0);
    elf_needed(bytes, n, count, &names);
    elf_imports(bytes, n, count, &names);
    return result;
}

static void test_a_right_module_is_accepted_and_its_names_are_read(void **state)
{
    char why[512] = "";
    (void)state;
    if (elf_check(module, length, why, sizeof why) != 0) fail_msg("%s", why);
    assert_int_equal(elf_needed(module, length, is, "libm.so.6"), 1);
    assert_int_equal(elf_needed(module, length, is, "libc.so.6"), 1);
    assert_int_equal(elf_imports(module, length, is, "__gmon_start__"), 0); /* weak */
    assert_int_equal(elf_imports(module, length, is, "vsnprintf") ||
                         elf_imports(module, length, is, "snprintf"), 1);
}

/* Sections come last and are not needed, so the longest cuts are whole modules. */
static void test_a_cut_module_is_refused_at_every_length_that_matters(void **state)
{
    size_t accepted = length;
    (void)state;
    for (size_t n = 0; n < length; n += n < 4096 ? 1 : 61) {
        char *bytes = malloc(n ? n : 1);
        assert_non_null(bytes);
        memcpy(bytes, module, n);
        int result = read_everything(bytes, n);
        if (result == 0 && n < accepted) accepted = n;
        if (result != 0) assert_true(n < accepted);
        free(bytes);
    }
    assert_true(accepted > length / 2);
}

static void test_any_damaged_byte_is_survived(void **state)
{
    char *bytes = malloc(length);
    uint32_t seed = 1;
    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, module, length);
    for (size_t i = 0; i < length; i++) {
        static const char values[] = { 0, 1, 0x7f, -128, -1 };
        for (size_t k = 0; k < sizeof values && i < 4096; k++) {
            bytes[i] = values[k];
            read_everything(bytes, length);
        }
        bytes[i] = module[i];
    }
    for (int round = 0; round < 3000; round++) {
        for (int k = 0; k < 4; k++) {
            seed = seed * 1664525 + 1013904223;
            bytes[(seed >> 8) % length] = (char)seed;
        }
        read_everything(bytes, length);
        if (round % 16 == 15) memcpy(bytes, module, length);
    }
    free(bytes);
}

static void test_bytes_of_other_kinds_are_told_apart(void **state)
{
    char why[512], *bytes = malloc(length);
    (void)state;
    assert_non_null(bytes);
    assert_int_equal(elf_check("", 0, why, sizeof why), -1);
    assert_non_null(strstr(why, "are not ELF"));
    assert_int_equal(elf_check("\177ELF", 4, why, sizeof why), -1);
    assert_non_null(strstr(why, "ends after 4 bytes"));
    memcpy(bytes, module, length);
    bytes[18] ^= 1; /* e_machine */
    assert_int_equal(elf_check(bytes, length, why, sizeof why), -1);
    assert_non_null(strstr(why, "needs another machine"));
    memcpy(bytes, module, length);
    bytes[16] = 2; /* e_type: an executable */
    assert_int_equal(elf_check(bytes, length, why, sizeof why), -1);
    assert_non_null(strstr(why, "link it with -shared"));
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_right_module_is_accepted_and_its_names_are_read),
        cmocka_unit_test(test_a_cut_module_is_refused_at_every_length_that_matters),
        cmocka_unit_test(test_any_damaged_byte_is_survived),
        cmocka_unit_test(test_bytes_of_other_kinds_are_told_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
