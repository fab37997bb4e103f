/*
 * report.h - what a check found: every mistake of a run, each with its place.
 */
#ifndef WEIR_CORE_REPORT_H
#define WEIR_CORE_REPORT_H

#include <stdint.h>

#define REPORT_ERROR 1u
#define REPORT_WARNING 2u

/* A place in a job file (line and column in code points, from 1) or on the command line (file
 * "command line", line = number of the word of the one-liner, from 1, column = code point in it). 0
 * and 0: unknown. */
struct place {
    const char *file; /* as the user named it; "command line" */
    uint32_t line;
    uint32_t column;
};

struct finding {
    uint32_t severity;
    struct place place;
    char *path;  /* "operators.counts.column"; "" if none */
    char *text;  /* what is wrong and how to mend it; no values of options */
};

struct report {
    struct finding *findings;
    uint32_t n, capacity;
    uint32_t errors;
    uint32_t warnings;
};

void report_fini(struct report *report);
void report_add(struct report *report, uint32_t severity, struct place place, const char *path,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/* "file:line:column: error: path: text" lines, sorted by place, to a callback. */
void report_print(const struct report *report, void (*line)(void *arg, const char *text),
                  void *arg);
typedef void (*report_line_fn)(void *arg, uint32_t severity, const char *text);
void report_each(const struct report *report, report_line_fn line, void *arg); /* those lines */
/* The nearest of n names to `word` within a third of its length, or NULL: for suggestions. */
const char *nearest_name(const char *word, const char *const *names, uint32_t n);

#endif
