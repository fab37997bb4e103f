/*
 * journal.h - the log that people read: lines on stderr, text or JSON, with instance and batch.
 * [any]. Control bytes are escaped; a line that repeats is written at most ten times a second per
 * (instance, text), then counted.
 */
#ifndef WEIR_CORE_JOURNAL_H
#define WEIR_CORE_JOURNAL_H

#include <stdarg.h>
#include <stdint.h>

struct weir_sys;
struct journal;

/* json: JSON lines; level: WEIR_LOG_…, what is above is dropped. `write` gets whole lines (NULL: stderr). */
struct journal *journal_create(struct weir_sys *sys, int json, int level,
                               void (*write)(void *arg, const char *line, uint64_t n), void *arg);
void journal_destroy(struct journal *journal);
/* instance NULL: the engine; batch -1: none. journal NULL: dropped. */
void journal_add(struct journal *journal, int level, const char *instance, int64_t batch,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
