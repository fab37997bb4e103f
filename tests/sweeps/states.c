/*
 * states.c - a swept job for each kind of state: windows, sessions and joins of event time, windows of batches, limits,
 * state functions. All read one file of rows with event times that jump back and forth.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sweeps/sweep.h"

#define FILE_US INT64_C(1600000000000000)
#define ROWS 96
#define CLOSING_ROWS 24
#define BATCH_ROWS 12
#define TICKS (ROWS / BATCH_ROWS)

/* Time goes on by 3 s a row; every fifth row comes late, every eleventh too late for a delay of 10 s. The last two batches
 * are ten minutes ahead: the first of them lets the watermark pass all that came before, and the second one evicts. So no
 * job depends on a batch without rows at its end, which is not made right after a restart. */
static void fill_events(struct sim_disk *disk)
{
    char text[8192];
    size_t n = 0;
    for (int i = 0; i < ROWS; i++) {
        int s = 60 + 3 * i - (i % 5 == 4 ? 8 : 0) - (i % 11 == 10 ? 50 : 0);
        if (i >= ROWS - CLOSING_ROWS) s += 600;
        n += (size_t)snprintf(text + n, sizeof text - n, "k%d,2024-01-01T00:%02d:%02dZ,%d\n",
                              i * 7 % 9, s / 60, s % 60, i);
    }
    sim_disk_put(disk, "in/events.csv", text, n, FILE_US);
}

static void stop_ticking(void *arg)
{
    sim_signal(arg);
}

static void script_ticks(struct weir_sys *sys, uint64_t named)
{
    (void)named;
    sim_at(sys, sys_mono(sys) + (TICKS + 5) * 1000000, stop_ticking, sys);
}

#define EVENTS(trigger)                                                                            \
    "\"trigger\": \"" trigger "\", \"checkpoint\": \"cp\","                                        \
    " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"csv\","         \
    "   \"columns\": \"k string, ts timestamp, v int64\", \"max_records\": 12}},"

#define MARKED "\"w\": {\"plugin\": \"watermark\", \"from\": \"in\", \"column\": \"ts\", \"delay\": \"10s\"},"

#define TO_FILE                                                                                    \
    " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"x\", \"path\": \"out\", \"format\": \"csv\"}}}"

static const char windows[] =
    "{\"name\": \"windows\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"a\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"],"
    "         \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\"}, \"window\": {\"on\": \"ts\", \"length\": \"30s\"}},"
    " \"x\": {\"plugin\": \"select\", \"from\": \"a\", \"columns\": [\"k\", \"window.start as at\", \"n\", \"s\"]}}," TO_FILE;

static const char sliding[] =
    "{\"name\": \"sliding\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"a\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"],"
    "         \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\", \"most\": \"max(v)\"},"
    "         \"window\": {\"on\": \"ts\", \"length\": \"30s\", \"slide\": \"10s\"}},"
    " \"x\": {\"plugin\": \"select\", \"from\": \"a\","
    "         \"columns\": [\"k\", \"window.start as at\", \"n\", \"s\", \"most\"]}}," TO_FILE;

static const char windows_of_windows[] =
    "{\"name\": \"chain\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"a\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"], \"values\": {\"n\": \"count(*)\"},"
    "         \"window\": {\"on\": \"ts\", \"length\": \"10s\"}},"
    " \"b\": {\"plugin\": \"aggregate\", \"from\": \"a\", \"values\": {\"keys\": \"count(*)\", \"n\": \"sum(n)\"},"
    "         \"window\": {\"on\": \"window\", \"length\": \"40s\", \"slide\": \"20s\"}},"
    " \"x\": {\"plugin\": \"select\", \"from\": \"b\", \"columns\": [\"window.start as at\", \"keys\", \"n\"]}}," TO_FILE;

static const char sessions[] =
    "{\"name\": \"sessions\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"a\": {\"plugin\": \"aggregate\", \"from\": \"w\", \"by\": [\"k\"],"
    "         \"values\": {\"n\": \"count(*)\", \"s\": \"sum(v)\"}, \"session\": {\"on\": \"ts\", \"gap\": \"28s\"}},"
    " \"x\": {\"plugin\": \"select\", \"from\": \"a\","
    "         \"columns\": [\"k\", \"session.start as at\", \"session.end as until\", \"n\", \"s\"]}}," TO_FILE;

static const char joined[] =
    "{\"name\": \"joined\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"l\": {\"plugin\": \"filter\", \"from\": \"w\", \"where\": \"v % 3 <> 0\"},"
    " \"r\": {\"plugin\": \"filter\", \"from\": \"w\", \"where\": \"v % 3 <> 1\"},"
    " \"x\": {\"plugin\": \"join\", \"scope\": \"stream\", \"type\": \"full_outer\","
    "         \"from\": {\"a\": \"l\", \"b\": \"r\"},"
    "         \"on\": \"a.k = b.k and a.ts between b.ts - interval '20s' and b.ts + interval '20s'\","
    "         \"columns\": [\"a.k as k\", \"a.v as v\", \"b.v as w\"]}}," TO_FILE;

static const char first_rows[] =
    "{\"name\": \"first\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"x\": {\"plugin\": \"deduplicate\", \"from\": \"w\", \"by\": [\"k\"], \"within_watermark\": true}}," TO_FILE;

static const char limited[] =
    "{\"name\": \"limited\"," EVENTS("available_now") " \"operators\": {"
    " \"x\": {\"plugin\": \"limit\", \"from\": \"in\", \"n\": 31, \"scope\": \"stream\"}}," TO_FILE;

static const char over_inverse[] =
    "{\"name\": \"over\"," EVENTS("1s") " \"operators\": {"
    " \"x\": {\"plugin\": \"reduce_by_key_and_window\", \"from\": \"in\", \"by\": [\"k\"], \"values\": {\"n\": \"sum(v)\"},"
    "         \"length\": \"3s\", \"slide\": \"1s\", \"inverse\": true, \"keep\": \"n <> 0\"}}," TO_FILE;

static const char rows_of_batches[] =
    "{\"name\": \"rows\"," EVENTS("1s") " \"operators\": {"
    " \"x\": {\"plugin\": \"window\", \"from\": \"in\", \"length\": \"2s\"}}," TO_FILE;

#ifdef SWEEP_LUA
static const char updated[] =
    "{\"name\": \"updated\"," EVENTS("1s") " \"operators\": {"
    " \"x\": {\"plugin\": \"update_state_by_key\", \"from\": \"in\", \"by\": [\"k\"], \"state\": \"n int64, last string\","
    "   \"lua\": {\"function\": \"f\", \"source\": \"function f(key, rows, state, ctx)\\n"
    " local n, last = 0, key\\n if state then n, last = state.n, state.last end\\n"
    " for _, row in ipairs(rows) do n = n + row.v; last = last .. row.v end\\n"
    " if n % 7 == 3 then return nil end\\n return {n = n + 1, last = last}\\nend\"}}}," TO_FILE;

static const char mapped[] =
    "{\"name\": \"mapped\"," EVENTS("1s") " \"operators\": {"
    " \"x\": {\"plugin\": \"map_with_state\", \"from\": \"in\", \"by\": [\"k\"], \"state\": \"n int64\","
    "   \"columns\": \"k string, n int64\", \"timeout\": \"1s\", \"expire_every\": 2,"
    "   \"lua\": {\"function\": \"f\", \"source\": \"function f(key, row, S, ctx)\\n"
    " if S.timing_out() then return {{k = key, n = -S.get().n}} end\\n"
    " local n = row.v + (S.exists() and S.get().n or 0)\\n S.update({n = n})\\n"
    " return {{k = key, n = n}}\\nend\"}}}," TO_FILE;

static const char grouped[] =
    "{\"name\": \"grouped\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"x\": {\"plugin\": \"group_state\", \"from\": \"w\", \"by\": [\"k\"], \"state\": \"n int64\","
    "   \"columns\": \"k string, n int64\", \"timeout\": \"event_time\","
    "   \"lua\": {\"function\": \"f\", \"source\": \"function f(key, rows, S, ctx)\\n"
    " if S.timing_out then local n = S.exists and S.get().n or 0; S.remove(); return {{k = key, n = -n}} end\\n"
    " local n, max = S.exists and S.get().n or 0, 0\\n"
    " for _, row in ipairs(rows) do n = n + row.v; if row.ts > max then max = row.ts end end\\n"
    " S.update({n = n})\\n S.set_timeout(math.max(max + 15000000, ctx.watermark + 1))\\n return {{k = key, n = n}}\\nend\"}}}," TO_FILE;

/* What lives for an hour outlives the sweep: a life that begins later has other batch times. */
static const char stateful[] =
    "{\"name\": \"stateful\"," EVENTS("available_now") " \"operators\": {" MARKED
    " \"x\": {\"plugin\": \"stateful\", \"from\": \"w\", \"by\": [\"k\"], \"state\": \"n int64\","
    "   \"columns\": \"k string, n int64, t string\", \"timeout\": \"event_time\", \"ttl\": \"1h\","
    "   \"lists\": {\"last\": \"v int64\"}, \"maps\": {\"five\": \"m int64 -> n int64\"},"
    "   \"lua\": {\"function\": \"f\", \"source\": \"function f(key, rows, S, ctx)\\n"
    " local n, last, five, t, max = S.exists and S.get().n or 0, S.list('last'), S.map('five'), '', 0\\n"
    " if S.timing_out then last.clear(); return {{k = key, n = -n, t = S.timing_out}} end\\n"
    " for _, row in ipairs(rows) do\\n  n = n + row.v; last.append({v = row.v}); max = math.max(max, row.ts)\\n"
    "  local m = row.v % 5\\n  if five.contains(m) and row.v % 3 == 0 then five.remove(m)\\n"
    "  else five.put(m, {n = row.v}) end\\n end\\n"
    " for _, item in ipairs(last.get()) do t = t .. item.v .. ' ' end\\n"
    " for _, m in ipairs(five.keys()) do t = t .. m .. '=' .. five.get(m).n .. ' ' end\\n"
    " S.update({n = n}); S.timer('a', max + 9000000); S.timer('b' .. n % 2, max + 15000000)\\n"
    " return {{k = key, n = n, t = t}}\\nend\"}}}," TO_FILE;
#endif

#define JOB(name_, text_)                                                                          \
    { .name = name_, .text = text_, .outputs = { "out" }, .fill = fill_events, .batches = TICKS }
#define TICKING(name_, text_)                                                                      \
    { .name = name_, .text = text_, .outputs = { "out" }, .fill = fill_events,                     \
      .script = script_ticks, .stopped = 1, .batches = TICKS + 2 }

const struct sweep_job sweep_state_jobs[] = {
    JOB("windows", windows),
    JOB("windows-sliding", sliding),
    JOB("windows-of-windows", windows_of_windows),
    JOB("sessions", sessions),
    JOB("join-streams", joined),
    JOB("deduplicate", first_rows),
    JOB("limit-stream", limited),
    TICKING("over-inverse", over_inverse),
    TICKING("window-rows", rows_of_batches),
#ifdef SWEEP_LUA
    TICKING("update-state", updated),
    TICKING("map-with-state", mapped),
    JOB("group-state", grouped),
    JOB("stateful", stateful),
#endif
};
const uint32_t n_sweep_state_jobs = sizeof sweep_state_jobs / sizeof *sweep_state_jobs;
