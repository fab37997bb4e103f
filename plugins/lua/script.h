/*
 * script.h - the job author's Lua as options name it: text, function, limits.
 */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H

#include <weir/plugin.h>

struct script {
    const struct weir_host *host;
    struct weir_context *context; /* of the instance */
    char *text;
    uint64_t length;
    const char *name;      /* for messages: the file's name, or "lua" */
    const char *function;  /* valid with the instance */
    const char *at;        /* option for errors of the text: "lua.source" */
    const char *at_function;
    int64_t instructions;  /* per call and row */
    uint64_t memory_bytes; /* of one Lua state */
};

/* Rows of an option table; `under` is "" or "lua.". */
#define SCRIPT_OPTIONS(under, needed)                                                              \
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, under "file", NULL, NULL, "file with the Lua code; a relative path goes by the directory that weir is started in"),          \
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, under "source", NULL, NULL, "the Lua code itself"),           \
    WEIR_OPTION(WEIR_OPTION_TEXT, needed, under "function", NULL, NULL,                            \
                "name of the function that is called"),                                            \
    WEIR_OPTION(WEIR_OPTION_INT, 0, under "instructions", "10000000", NULL,                        \
                "most instructions of a call (of a call with many rows: for each of them)"),       \
    WEIR_OPTION(WEIR_OPTION_SIZE, 0, under "memory", "64Mi", NULL,                                 \
                "most memory of a Lua state; there is one for each worker")

/* Reads the options; `nested`: they are members of `lua`. OK; CONFIG with the option at fault.
 * [control], once, in create or bind. script_free is due in any case; zeroed memory before. */
int32_t script_read(struct script *script, const struct weir_host *host,
                    struct weir_context *context, int nested, struct weir_error *error);
void script_free(struct script *script);

#endif
