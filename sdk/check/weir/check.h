/*
 * weir/check.h - the harness for plugin authors: components of a module in real jobs, on a simulated outside.
 *
 * The engine, its log and its workers are the real ones; clock, disk and the order of tasks are simulated and
 * come from a seed, so every run is the same. Link with `pkg-config --libs weir-check`.
 *
 * An *element* is what a one-liner has: "[name:=]plugin key=value …", words separated by blanks. *Rows* are JSON, an
 * array of arrays in column order. All functions: one thread at a time; texts that they return are freed with
 * weir_check_free; NULL or another class than WEIR_OK comes with `error` filled.
 */
#ifndef WEIR_CHECK_H
#define WEIR_CHECK_H

#include <weir/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_check;

/* Looks for modules in n directories (and the prefix of weir). *out is the caller's until close. */
WEIR_EXPORT int32_t weir_check_open(const char *const *directories, uint32_t n,
                                    struct weir_check **out, struct weir_error *error);
WEIR_EXPORT void weir_check_close(struct weir_check *check);
WEIR_EXPORT void weir_check_free(char *text);

/* What a source gives until it ends or has nothing more. */
WEIR_EXPORT char *weir_check_source(struct weir_check *check, const char *element,
                                    struct weir_error *error);
/* What an operator (or several, with " ! " between) makes of one batch of rows of these columns. */
WEIR_EXPORT char *weir_check_operator(struct weir_check *check, const char *elements,
                                      const char *columns, const char *rows,
                                      struct weir_error *error);
/* Gives a sink the batches (an array of rows arrays), first undisturbed, then again with a kill at every call to the
 * outside and a restart. The files below `directory` must come out the same: DATA names the call where they did not.
 * Afterwards weir_check_file reads the files. */
WEIR_EXPORT int32_t weir_check_sink(struct weir_check *check, const char *element,
                                    const char *columns, const char *batches,
                                    const char *directory, struct weir_error *error);
/* A file that the last sink left on the simulated disk; NULL if there is none. */
WEIR_EXPORT char *weir_check_file(struct weir_check *check, const char *path);

#ifdef __cplusplus
}
#endif
#endif
