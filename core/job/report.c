/*
 * report.c - findings of a check, and the nearest name for a suggestion.
 *
 *  1. A finding is kept once: the planner may look at the same instance twice.
 *  2. Texts are bounded and hold no control bytes, since keys from a hostile job file may be in
 *     them.
 *  3. A finding owns all its texts, the file's name too: a report outlives the job that it is
 *     about.
 *  4. Past FINDINGS_MAX findings are counted only.
 *
 * The distance of names is the optimal string alignment of Damerau and Levenshtein: insertions,
 * removals, replacements and swaps of neighbours cost one each, and no piece is edited twice.
 */
#include "core/job/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINDINGS_MAX 1000u
#define PATH_SIZE 256u
#define TEXT_SIZE 1024u
#define NAME_MAX_LENGTH 64u

void report_fini(struct report *report)
{
    for (uint32_t i = 0; i < report->n; i++) {
        free(report->findings[i].path);
        free(report->findings[i].text);
        free((char *)(uintptr_t)report->findings[i].place.file);
    }
    free(report->findings);
    memset(report, 0, sizeof *report);
}

/* Control bytes become '?', a sequence cut by the end of the buffer is dropped. */
static void clean(char *text)
{
    size_t n = strlen(text), start = n;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) text[i] = '?';
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
    if (start == 0) return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (want > n - start + 1) text[start - 1] = 0;
}

static int is_known(const struct report *report, const struct finding *finding)
{
    for (uint32_t i = 0; i < report->n; i++) {
        const struct finding *other = &report->findings[i];
        if (other->severity == finding->severity && other->place.line == finding->place.line &&
            other->place.column == finding->place.column &&
            strcmp(other->path, finding->path) == 0 && strcmp(other->text, finding->text) == 0)
            return 1;
    }
    return 0;
}

static int grow(struct report *report)
{
    if (report->n < report->capacity) return 1;
    uint32_t capacity = report->capacity ? report->capacity * 2 : 16;
    struct finding *findings = realloc(report->findings, capacity * sizeof *findings);
    if (!findings) return 0;
    report->findings = findings;
    report->capacity = capacity;
    return 1;
}

void report_add(struct report *report, uint32_t severity, struct place place, const char *path,
                const char *format, ...)
{
    char short_path[PATH_SIZE], text[TEXT_SIZE];
    struct finding finding = { severity, place, short_path, text };
    va_list args;
    if (!report) return;
    snprintf(short_path, sizeof short_path, "%s", path ? path : "");
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    clean(short_path);
    clean(text);
    if (is_known(report, &finding)) return;
    if (severity == REPORT_ERROR) report->errors++;
    else report->warnings++;
    if (report->n >= FINDINGS_MAX || !grow(report)) return;
    char *file = strdup(place.file ? place.file : "");
    finding.place.file = file;
    finding.path = strdup(short_path);
    finding.text = strdup(text);
    if (file && finding.path && finding.text) {
        report->findings[report->n++] = finding;
        return;
    }
    free(file);
    free(finding.path);
    free(finding.text);
}

/* Places first, then the order in which findings were added. */
static int compare(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a,
                         *y = *(const struct finding *const *)b;
    if (x->place.line != y->place.line) return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column) return x->place.column < y->place.column ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void print(const struct finding *finding, report_line_fn line, void *arg)
{
    char text[TEXT_SIZE + PATH_SIZE + 512], place[320];
    const char *file = finding->place.file ? finding->place.file : "";
    const char *severity = finding->severity == REPORT_ERROR ? "error" : "warning";
    if (finding->place.line == 0)
        snprintf(place, sizeof place, "%.280s", file);
    else if (strcmp(file, "command line") == 0)
        snprintf(place, sizeof place, "%s, word %u, column %u", file, finding->place.line,
                 finding->place.column);
    else
        snprintf(place, sizeof place, "%.280s:%u:%u", file, finding->place.line,
                 finding->place.column);
    snprintf(text, sizeof text, "%s%s%s: %s%s%s", place, place[0] ? ": " : "", severity,
             finding->path, finding->path[0] ? ": " : "", finding->text);
    line(arg, finding->severity, text);
}

void report_each(const struct report *report, report_line_fn line, void *arg)
{
    uint32_t found = report->errors + report->warnings;
    const struct finding **sorted = malloc((report->n ? report->n : 1) * sizeof *sorted);
    if (sorted) {
        for (uint32_t i = 0; i < report->n; i++) sorted[i] = &report->findings[i];
        qsort(sorted, report->n, sizeof *sorted, compare);
    }
    for (uint32_t i = 0; i < report->n; i++)
        print(sorted ? sorted[i] : &report->findings[i], line, arg);
    free(sorted);
    if (found > report->n) {
        char text[64];
        snprintf(text, sizeof text, "and %u more", found - report->n);
        line(arg, report->errors ? REPORT_ERROR : REPORT_WARNING, text);
    }
}

struct plain {
    void (*line)(void *arg, const char *text);
    void *arg;
};

static void print_plain(void *arg, uint32_t severity, const char *text)
{
    const struct plain *plain = arg;
    (void)severity;
    plain->line(plain->arg, text);
}

void report_print(const struct report *report, void (*line)(void *arg, const char *text), void *arg)
{
    struct plain plain = { line, arg };
    report_each(report, print_plain, &plain);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t distance(const char *a, uint32_t n, const char *b, uint32_t m)
{
    uint32_t rows[3][NAME_MAX_LENGTH + 1];
    uint32_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (uint32_t j = 0; j <= m; j++) last[j] = j;
    for (uint32_t i = 1; i <= n; i++) {
        now[0] = i;
        for (uint32_t j = 1; j <= m; j++) {
            uint32_t cost = a[i - 1] != b[j - 1];
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        uint32_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[m];
}

const char *nearest_name(const char *word, const char *const *names, uint32_t n)
{
    const char *best = NULL;
    size_t length = strlen(word);
    if (length < 2 || length > NAME_MAX_LENGTH) return NULL;
    uint32_t limit = length < 6 ? 1 : (uint32_t)length / 3;
    for (uint32_t i = 0; i < n; i++) {
        size_t other = names[i] ? strlen(names[i]) : 0;
        if (other == 0 || other > NAME_MAX_LENGTH) continue;
        uint32_t d = distance(word, (uint32_t)length, names[i], (uint32_t)other);
        if (d > limit) continue;
        best = names[i];
        if (d == 0) return best;
        limit = d - 1;
    }
    return best;
}
