/*
 * commands.h - the commands of `weir`, one function and one file each.
 */
#ifndef WEIR_TOOLS_COMMANDS_H
#define WEIR_TOOLS_COMMANDS_H

/* Each gets the words behind its name (argv[0] is the name) and returns the exit status. */
int command_check(int argc, char **argv);
int command_checkpoint(int argc, char **argv);
int command_dlq(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_list(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_run(int argc, char **argv);
int command_test(int argc, char **argv);

#define EXIT_USAGE 64
#define EXIT_NO_INPUT 66
#define EXIT_SOFTWARE 70
#define EXIT_BAD_JOB 78

#endif
