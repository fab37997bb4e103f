/*
 * odd.c - modules with one thing wrong: compiled with -DODD_SOMETHING.
 */
#include <stdlib.h>
#include <unistd.h>

#include "plain.h"

#if defined(ODD_CRASH)
__attribute__((constructor)) static void crash(void)
{
    *(volatile int *)(intptr_t)64 = 1;
}
#elif defined(ODD_EXIT)
__attribute__((constructor)) static void leave(void)
{
    exit(3);
}
#elif defined(ODD_EXIT_0)
__attribute__((constructor)) static void leave(void)
{
    exit(0);
}
#elif defined(ODD_HANG)
__attribute__((constructor)) static void hang(void)
{
    for (;;) pause();
}
#elif defined(ODD_CLOSE_AND_HANG)
__attribute__((constructor)) static void hang(void)
{
    close(1);
    for (;;) pause();
}
#elif defined(ODD_GARBAGE)
__attribute__((constructor)) static void print(void)
{
    if (write(1, "hello, world\n", 13) != 13) exit(4);
}
#elif defined(ODD_FLOOD)
__attribute__((constructor)) static void print(void)
{
    static char zeros[65536];
    for (;;)
        if (write(1, zeros, sizeof zeros) < 0) exit(4);
}
#elif defined(ODD_LEAVES_A_CHILD)
__attribute__((constructor)) static void leave_child(void)
{
    if (fork() == 0)
        for (;;) pause();
}
#elif defined(ODD_TWO_EXPORTS)
WEIR_EXPORT int odd_second_export(void);
WEIR_EXPORT int odd_second_export(void)
{
    return 2;
}
#elif defined(ODD_HOST_SYMBOL)
extern int32_t weir_emit_rows(void);
__attribute__((constructor)) static void use(void)
{
    weir_emit_rows();
}
#elif defined(ODD_MISSING_SYMBOL)
extern int odd_nobody_has_this(void);
__attribute__((constructor)) static void use(void)
{
    odd_nobody_has_this();
}
#elif defined(ODD_BORROWED_SYMBOL)
/* The host is linked with jansson, this module is not. */
extern const char *jansson_version_str(void);
__attribute__((constructor)) static void use(void)
{
    jansson_version_str();
}
#endif

#if defined(ODD_NO_ENTRY)
WEIR_EXPORT int some_library(void);
int some_library(void)
{
    return plain_table.size != 0;
}
#elif defined(ODD_ENTRY_2)
WEIR_EXPORT int weir_plugin_entry_v2(void);
int weir_plugin_entry_v2(void)
{
    return plain_table.size != 0;
}
#elif defined(ODD_SAYS_NO)
WEIR_EXPORT const struct weir_plugin *weir_plugin_entry_v1(const struct weir_host *host,
                                                           struct weir_error *error);
const struct weir_plugin *weir_plugin_entry_v1(const struct weir_host *host,
                                               struct weir_error *error)
{
    (void)host;
    weir_fail(error, WEIR_CONFIG, "no licence file in %s", plain_table.size ? "/etc/acme" : "");
    return NULL;
}
#else

#if defined(ODD_HOLE)
static const struct weir_operator hole = {
    .size = sizeof hole,
    .create = plain_create,
    .destroy = plain_destroy,
    .bind = plain_bind,
    .lane_create = plain_lane_create,
    .lane_destroy = plain_lane_destroy,
    .begin = plain_begin,
};
#define TABLE hole
#elif defined(ODD_SHORT)
static const struct weir_operator brief = {
    .size = offsetof(struct weir_operator, begin),
    .create = plain_create,
    .destroy = plain_destroy,
    .bind = plain_bind,
    .lane_create = plain_lane_create,
    .lane_destroy = plain_lane_destroy,
};
#define TABLE brief
#else
#define TABLE plain_table
#endif

static const struct weir_component components[] = {
    PLAIN_COMPONENT(NAME, TABLE),
#if defined(ODD_TWICE)
    PLAIN_COMPONENT(NAME, TABLE),
#endif
#if defined(ODD_NAME)
    PLAIN_COMPONENT("Not-A-Name", TABLE),
#endif
#if defined(ODD_WILD)
    PLAIN_COMPONENT((const char *)64, TABLE),
#endif
};
static const struct weir_plugin plugin = PLAIN_PLUGIN(components);

WEIR_PLUGIN(plugin)

__attribute__((constructor)) static void keep_what_is_not_used(void)
{
    (void)plain_process;
    (void)plain_begin;
    (void)plain_table;
}
#endif
