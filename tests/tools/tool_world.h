/*
 * tool_world.h - what tests of commands share: a directory of their own, a job of toy components
 * that leaves state and dead letters in a real checkpoint, and commands whose output is caught.
 */
#ifndef WEIR_TESTS_TOOL_WORLD_H
#define WEIR_TESTS_TOOL_WORLD_H

#include <stdint.h>

#include "core/load/registry.h"

typedef int (*tool_command)(int argc, char **argv);

struct tool_world {
    char top[64];         /* temporary, removed at the end */
    char checkpoint[256]; /* top/cp, not made yet */
    struct weir_sys *sys;
    struct registry *registry; /* toy components and `picky` */
    char *out, *err;      /* of the last command */
};

extern struct tool_world tool_world;

int tool_setup(void **state);    /* cmocka's */
int tool_teardown(void **state);

/* 300 numbers, 60 a batch, through `picky` p, which can't use 7, 57, 107 … ("row") and 9, 109, 209
 * ("record", as bytes), into the sums of toy_sum s; sinks plain (two-phase) and sums. The exit
 * status. */
int tool_run_job(uint64_t max_batches);
/* The words end with NULL. Fills out and err. */
int tool_run(tool_command command, const char *const *words);
#define TOOL_RUN(command, ...) tool_run(command, (const char *const[]){ __VA_ARGS__, NULL })

#endif
