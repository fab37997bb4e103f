/*
 * weir/check.h - the harness for plugin authors: components of a module in real jobs, on a
 * simulated outside.
 *
 * The engine, its log and its workers are the real ones; clock, disk and the order of tasks are
 * simulated and come from a seed, so every run is the same. Link with `pkg-config --libs
 * weir-check`.
 *
 * An *element* is what a one-liner has: "[name:=]plugin key=value …", words separated by blanks.
 * *Rows* are JSON, an array of arrays in column order. `error` is given empty (weir_error_init),
 * not NULL; NULL or another class than WEIR_OK comes with it filled. "One thread at a time" is
 * meant of all harnesses of a process together.
 */
#ifndef WEIR_CHECK_H
#define WEIR_CHECK_H

#include <weir/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_check;

/* Purpose: a harness that looks for modules in n directories (and the prefix of weir).
 * Thread and state: one thread at a time.
 * Ownership: directories are borrowed; *out is the caller's until close, also after a failure.
 * Returns: OK; CONFIG where a module has a component by the name of one of the harness; FATAL.
 * On failure: *out can only be closed; it may be NULL. */
WEIR_EXPORT int32_t weir_check_open(const char *const *directories, uint32_t n,
                                    struct weir_check **out, struct weir_error *error);

/* Purpose: frees a harness; NULL is allowed.
 * Thread and state: one thread at a time.
 * Ownership: the harness is invalid afterwards; texts that it returned live on.
 * Returns: nothing.
 * On failure: can't fail. */
WEIR_EXPORT void weir_check_close(struct weir_check *check);

/* Purpose: frees a text that a function of the harness returned; NULL is allowed.
 * Thread and state: [any].
 * Ownership: the text is invalid afterwards.
 * Returns: nothing.
 * On failure: can't fail. */
WEIR_EXPORT void weir_check_free(char *text);

/* Purpose: the rows that a source gives until it ends or has nothing more.
 * Thread and state: one thread at a time.
 * Ownership: the element is borrowed; the result is the caller's, for weir_check_free.
 * Returns: the rows; NULL with `error` filled: CONFIG for what a check of the job would refuse,
 *   else what ended the job.
 * On failure: the harness can go on with other calls. */
WEIR_EXPORT char *weir_check_source(struct weir_check *check, const char *element,
                                    struct weir_error *error);

/* Purpose: the rows that an operator (or several, with " ! " between) makes of one batch of `rows`
 *   with these `columns` (DDL).
 * Thread and state: one thread at a time.
 * Ownership: all texts are borrowed; the result is the caller's, for weir_check_free.
 * Returns: as weir_check_source; CONFIG also for rows that are no JSON.
 * On failure: as weir_check_source. */
WEIR_EXPORT char *weir_check_operator(struct weir_check *check, const char *elements,
                                      const char *columns, const char *rows,
                                      struct weir_error *error);

/* Purpose: gives a sink the batches (an array of rows arrays), first undisturbed, then again with a
 *   kill at every call to the outside and a restart. The files below `directory` must come out the
 *   same.
 * Thread and state: one thread at a time.
 * Ownership: all texts are borrowed; the files of the undisturbed run stay with the harness, for
 *   weir_check_file, until the next call of this or close.
 * Returns: OK; DATA with the call where the files differ; CONFIG; FATAL.
 * On failure: as weir_check_source; the files may be partial. */
WEIR_EXPORT int32_t weir_check_sink(struct weir_check *check, const char *element,
                                    const char *columns, const char *batches,
                                    const char *directory, struct weir_error *error);

/* Purpose: a file that the last sink left on the simulated disk.
 * Thread and state: one thread at a time.
 * Ownership: path is borrowed; the result is the caller's, for weir_check_free.
 * Returns: the bytes with a NUL behind them; NULL if there is no such file (or no memory).
 * On failure: nothing is changed. */
WEIR_EXPORT char *weir_check_file(struct weir_check *check, const char *path);

#ifdef __cplusplus
}
#endif
#endif
