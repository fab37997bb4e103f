/*
 * main.c - `weir COMMAND …`: finds the command.
 */
#include <stdio.h>
#include <string.h>

#include "core/data/array.h"
#include "core/load/context.h"
#include "core/load/registry.h"
#include "tools/weir/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "run", command_run, "run a job file, or elements with ! between them" },
    { "check", command_check, "check a job as its start would, and touch nothing" },
    { "plan", command_plan, "show how a job would run: streams, stages, state" },
    { "checkpoint", command_checkpoint, "show, verify or repair a checkpoint" },
    { "dlq", command_dlq, "show the rows that a job could not use" },
    { "test", command_test, "play scenarios: rows in, virtual time, crashes, rows out" },
    { "list", command_list, "list the plugins that are found" },
    { "inspect", command_inspect, "show all about a plugin: options, guarantees, file" },
};

static int usage(FILE *to)
{
    fprintf(to, "usage: weir COMMAND [ARGUMENT …]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n`weir COMMAND --help` tells more.\n");
    return to == stdout ? 0 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    mem_setup();
    if (argc < 2) return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) return usage(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir %s\n", weir_host_1.version);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "weir: there is no command \"%s\"\n", argv[1]);
    return usage(stderr);
}
