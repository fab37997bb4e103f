/*
 * commands.h - the commands of weir: argv[0] is the command's name, the result is the exit code (sysexits).
 */
#ifndef WEIR_TOOLS_COMMANDS_H
#define WEIR_TOOLS_COMMANDS_H

int command_inspect(int argc, char **argv); /* inspect.c */
int command_list(int argc, char **argv);    /* list.c */

#endif
