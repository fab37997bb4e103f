/*
 * journal.c - lines for people, on stderr or wherever `write` puts them.
 *
 *     text   2024-01-02T03:04:05.678Z warn counts batch 7: text
 *     JSON   {"time":"…","level":"warn","instance":"counts","batch":7,"text":"…"}
 *
 *  1. A line goes out whole, by one call of `write`, under the mutex.
 *  2. Nothing in a line can end it or drive a terminal: control bytes (C0, DEL, C1) and bytes that
 *     are no UTF-8 are escaped, \n and \t by their letters, others as \xNN (text) or \u00NN (JSON).
 *  3. A line is held back when the same text of the same instance went out LINES_PER_SECOND times
 *     within a second; how often is said by a line of its own when that second is over, at the
 *     latest by journal_destroy. Lines are told apart by a hash, which has WAYS of SLOTS slots to
 *     choose from; where all are taken the oldest is settled first, so a flood of different lines
 *     is not held back.
 */
#include "core/control/journal.h"

#include "core/sys/sys.h"

#include <weir/host.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 256u
#define WAYS 16u
#define LINES_PER_SECOND 10u
#define SECOND_US 1000000
#define TEXT_SIZE 2048u
#define LINE_SIZE (6 * TEXT_SIZE + 1024)

struct slot {
    uint64_t hash; /* 0: empty */
    int64_t since_us;
    uint32_t written;
    uint32_t held;
    int level;
    char instance[64];
    char text[128]; /* the beginning of it, for the line that counts */
};

struct journal {
    struct weir_sys *sys;
    int json;
    int level;
    void (*write)(void *arg, const char *line, uint64_t n);
    void *arg;
    pthread_mutex_t mutex;
    uint64_t held; /* over all slots */
    char line[LINE_SIZE];
    struct slot slots[SLOTS];
};

static void write_stderr(void *arg, const char *line, uint64_t n)
{
    (void)arg;
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, line, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return;
        line += done;
        n -= (uint64_t)done;
    }
}

struct journal *journal_create(struct weir_sys *sys, int json, int level,
                               void (*write_line)(void *arg, const char *line, uint64_t n),
                               void *arg)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal) return NULL;
    if (pthread_mutex_init(&journal->mutex, NULL) != 0) {
        free(journal);
        return NULL;
    }
    journal->sys = sys;
    journal->json = json;
    journal->level = level;
    journal->write = write_line ? write_line : write_stderr;
    journal->arg = arg;
    return journal;
}

static const char *level_name(int level)
{
    static const char *const names[] = { "error", "error", "warn", "info", "debug" };
    return level >= 0 && level <= WEIR_LOG_DEBUG ? names[level] : "debug";
}

/* How many bytes at p are one code point of valid UTF-8; 0: none, or a control character of C1. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ||
        (p[0] == 0xc2 && p[1] < 0xa0))
        return 0;
    return n;
}

/* Appends text, escaped; there is always room, since it is cut to TEXT_SIZE before. */
static char *escape(char *out, const char *text, int json)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        size_t n = utf8_length(p);
        if (n > 1 || (n == 1 && *p >= 0x20 && *p != 0x7f && !(json && (*p == '"' || *p == '\\')))) {
            memcpy(out, p, n);
            out += n;
            p += n;
        } else {
            if (*p == '\n' || *p == '\t' || *p == '"' || *p == '\\') {
                *out++ = '\\';
                *out++ = *p == '\n' ? 'n' : *p == '\t' ? 't' : (char)*p;
            } else {
                out += sprintf(out, json ? "\\u%04x" : "\\x%02x", *p);
            }
            p++;
        }
    }
    *out = 0;
    return out;
}

static void time_text(int64_t us, char out[40])
{
    time_t seconds = (time_t)(us / SECOND_US - (us % SECOND_US < 0));
    int64_t rest = us - (int64_t)seconds * SECOND_US;
    struct tm tm;
    char text[24] = "0000-00-00T00:00:00";
    if (gmtime_r(&seconds, &tm)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 40, "%s.%03dZ", text, (int)(rest / 1000));
}

static void put_line(struct journal *journal, int64_t now, int level, const char *instance,
                     int64_t batch, const char *text)
{
    char stamp[40], *out = journal->line;
    int json = journal->json;
    time_text(now, stamp);
    out += sprintf(out, json ? "{\"time\":\"%s\",\"level\":\"%s\"" : "%s %s", stamp,
                   level_name(level));
    if (instance[0]) {
        out += sprintf(out, json ? ",\"instance\":\"" : " ");
        out = escape(out, instance, json);
        if (json) *out++ = '"';
    }
    if (batch >= 0) out += sprintf(out, json ? ",\"batch\":%lld" : " batch %lld", (long long)batch);
    out += sprintf(out, json ? ",\"text\":\"" : ": ");
    out = escape(out, text, json);
    out += sprintf(out, json ? "\"}\n" : "\n");
    journal->write(journal->arg, journal->line, (uint64_t)(out - journal->line));
}

/* Says how many lines of a slot were held back. */
static void settle(struct journal *journal, struct slot *slot, int64_t now)
{
    char text[256];
    if (slot->held == 0) return;
    snprintf(text, sizeof text, "%u more times: %s", slot->held, slot->text);
    journal->held -= slot->held;
    slot->held = 0;
    put_line(journal, now, slot->level, slot->instance, -1, text);
}

static uint64_t hash_on(uint64_t hash, const char *text)
{
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u;
}

static int is_over(const struct slot *slot, int64_t now)
{
    return now >= slot->since_us + SECOND_US || now < slot->since_us;
}

/* The slot of a line, or the one that it takes over: empty, or the oldest. */
static struct slot *find_slot(struct journal *journal, uint64_t hash)
{
    struct slot *oldest = NULL;
    for (uint32_t i = 0; i < WAYS; i++) {
        struct slot *slot = &journal->slots[((hash >> 8) + i) % SLOTS];
        if (slot->hash == hash || slot->hash == 0) return slot;
        if (!oldest || slot->since_us < oldest->since_us) oldest = slot;
    }
    return oldest;
}

/* 1: the line may go out. */
static int admit(struct journal *journal, int64_t now, int level, const char *instance,
                 const char *text)
{
    uint64_t hash = hash_on(hash_on(14695981039346656037u, instance), text) | 1;
    struct slot *slot = find_slot(journal, hash);
    for (uint32_t i = 0; i < SLOTS && journal->held > 0; i++)
        if (is_over(&journal->slots[i], now)) settle(journal, &journal->slots[i], now);
    if (slot->hash != hash || is_over(slot, now)) {
        settle(journal, slot, now);
        slot->hash = hash;
        slot->since_us = now;
        slot->written = 0;
        slot->level = level;
        snprintf(slot->instance, sizeof slot->instance, "%.63s", instance);
        snprintf(slot->text, sizeof slot->text, "%.127s", text);
    }
    if (slot->written < LINES_PER_SECOND) {
        slot->written++;
        return 1;
    }
    slot->held++;
    journal->held++;
    return 0;
}

void journal_add(struct journal *journal, int level, const char *instance, int64_t batch,
                 const char *format, ...)
{
    char text[TEXT_SIZE], name[160];
    va_list args;
    if (!journal || level > journal->level) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(name, sizeof name, "%s", instance ? instance : "");
    pthread_mutex_lock(&journal->mutex);
    int64_t now = journal->sys ? sys_now(journal->sys) : 0;
    if (admit(journal, now, level, name, text)) put_line(journal, now, level, name, batch, text);
    pthread_mutex_unlock(&journal->mutex);
}

void journal_destroy(struct journal *journal)
{
    if (!journal) return;
    int64_t now = journal->sys ? sys_now(journal->sys) : 0;
    for (uint32_t i = 0; i < SLOTS && journal->held > 0; i++)
        settle(journal, &journal->slots[i], now);
    pthread_mutex_destroy(&journal->mutex);
    free(journal);
}
