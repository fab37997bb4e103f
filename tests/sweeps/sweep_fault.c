/*
 * sweep_fault.c - whole jobs, from start to destroy, with a failure at the n-th call: I/O (EIO, no
 * room, short transfers) or memory (of the host and of core itself), once or from there on.
 *
 *     sweep_fault                    a sample; WEIR_SWEEP=wide or full: every point of file jobs
 *     sweep_fault JOB KIND POINT     one of them again; WEIR_LOUD=1 shows what the engine says
 *
 * A life that fails must come to its end, say so by its exit status, and give back its memory; a life
 * that ends with 0 must have given everything. After the fault, a restart gives the right result.
 *
 * Memory: the program is linked with --wrap, so malloc and its kin come here; what the simulator and
 * the sweep allocate must not fail, so the calls through the seam are wrapped as well (`quiet`).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/data/array.h"
#include "tests/sweeps/sweep.h"

/* ---- memory that fails ---- */

static uint64_t fail_in, allocations;
static int fail_forever, armed, quiet;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);

static int fails(void)
{
    if (!armed || quiet) return 0;
    allocations++;
    return fail_in && (allocations == fail_in || (fail_forever && allocations > fail_in));
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* what a script sends, inside of wait */
int __real_sim_peer_send(struct weir_sys *sys, int peer, const void *bytes, size_t n);
int __wrap_sim_peer_send(struct weir_sys *sys, int peer, const void *bytes, size_t n);

int __wrap_sim_peer_send(struct weir_sys *sys, int peer, const void *bytes, size_t n)
{
    quiet++;
    int result = __real_sim_peer_send(sys, peer, bytes, n);
    quiet--;
    return result;
}

/* ---- the seam, whose own memory does not fail ---- */

static const struct weir_sys_ops *real;

#define QUIET(type, name, parameters, arguments)                                                   \
    static type quiet_##name parameters                                                            \
    {                                                                                              \
        quiet++;                                                                                   \
        type result = real->name arguments;                                                        \
        quiet--;                                                                                   \
        return result;                                                                             \
    }

QUIET(int, open, (struct weir_sys *s, const char *path, uint32_t flags), (s, path, flags))
QUIET(int, close, (struct weir_sys *s, int fd), (s, fd))
QUIET(int64_t, pread, (struct weir_sys *s, int fd, void *b, size_t n, uint64_t at), (s, fd, b, n, at))
QUIET(int64_t, pwrite, (struct weir_sys *s, int fd, const void *b, size_t n, uint64_t at),
      (s, fd, b, n, at))
QUIET(int, sync, (struct weir_sys *s, int fd), (s, fd))
QUIET(int, sync_dir, (struct weir_sys *s, const char *path), (s, path))
QUIET(int, truncate, (struct weir_sys *s, int fd, uint64_t size), (s, fd, size))
QUIET(int, rename, (struct weir_sys *s, const char *from, const char *to), (s, from, to))
QUIET(int, unlink, (struct weir_sys *s, const char *path), (s, path))
QUIET(int, mkdir, (struct weir_sys *s, const char *path, uint32_t mode), (s, path, mode))
QUIET(int, rmdir, (struct weir_sys *s, const char *path), (s, path))
QUIET(int, stat, (struct weir_sys *s, const char *path, struct sys_stat *out), (s, path, out))
QUIET(int, fstat, (struct weir_sys *s, int fd, struct sys_stat *out), (s, fd, out))
QUIET(int, lock, (struct weir_sys *s, int fd), (s, fd))
QUIET(int, listen, (struct weir_sys *s, const char *host, uint32_t port), (s, host, port))
QUIET(int, connect, (struct weir_sys *s, const char *host, uint32_t port), (s, host, port))
QUIET(int, accept, (struct weir_sys *s, int fd), (s, fd))
QUIET(int64_t, recv, (struct weir_sys *s, int fd, void *b, size_t n), (s, fd, b, n))
QUIET(int64_t, send, (struct weir_sys *s, int fd, const void *b, size_t n), (s, fd, b, n))
QUIET(int, poll, (struct weir_sys *s, int fd, uint32_t events, int64_t us), (s, fd, events, us))
QUIET(struct weir_exec *, exec_create, (struct weir_sys *s, const char *name, uint32_t threads),
      (s, name, threads))
QUIET(int, watch, (struct weir_sys *s, int fd, uint32_t events, sys_ready_fn ready, void *arg),
      (s, fd, events, ready, arg))

struct entries {
    sys_entry_fn entry;
    void *arg;
};

static int loud_entry(void *arg, const char *name)
{
    struct entries *entries = arg;
    quiet--;
    int result = entries->entry(entries->arg, name);
    quiet++;
    return result;
}

static int quiet_list(struct weir_sys *s, const char *path, sys_entry_fn entry, void *arg)
{
    struct entries entries = { entry, arg };
    quiet++;
    int result = real->list(s, path, loud_entry, &entries);
    quiet--;
    return result;
}

static void wrap_seam(struct weir_sys *sys)
{
    static struct weir_sys_ops ops;
    real = sys->ops;
    ops = *real;
#define SET(name) ops.name = quiet_##name
    SET(open), SET(close), SET(pread), SET(pwrite), SET(sync), SET(sync_dir), SET(truncate);
    SET(rename), SET(unlink), SET(mkdir), SET(rmdir), SET(stat), SET(fstat), SET(lock), SET(list);
    SET(listen), SET(connect), SET(accept), SET(recv), SET(send), SET(poll), SET(exec_create);
    SET(watch);
#undef SET
    sys->ops = &ops;
}

/* ---- one life with a fault ---- */

enum kind { EIO_ONCE, EIO_ON, ROOM_ONCE, ROOM_ON, SHORT_ONCE, SHORT_ON, MEMORY_ONCE, MEMORY_ON, FULL };
static const char *const kinds[] = { "eio-once", "eio-on", "room-once", "room-on", "short-once",
                                     "short-on", "memory-once", "memory-on", "full" };
#define KINDS (sizeof kinds / sizeof *kinds)

struct fault {
    enum kind kind;
    uint64_t point;
    int signals; /* that came: the job was told to stop */
    struct weir_sys *sys;
    struct sim_disk *disk;
};

/* Events happen inside of wait, where the engine's memory may fail. */
static void tell_to_stop(void *arg)
{
    struct fault *fault = arg;
    fault->signals++;
    sim_signal(fault->sys);
}

static void make_room(void *arg)
{
    sim_disk_limit(((struct fault *)arg)->disk, UINT64_MAX);
}

static void arm(struct weir_sys *sys, void *arg)
{
    static const uint32_t faults[] = { SIM_FAULT_EIO, SIM_FAULT_EIO, SIM_FAULT_ENOSPC,
                                       SIM_FAULT_ENOSPC, SIM_FAULT_SHORT, SIM_FAULT_SHORT };
    struct fault *fault = arg;
    int64_t now = sys_mono(sys);
    fault->sys = sys;
    /* whoever tries again for ever is told to stop, and then once more */
    sim_at(sys, now + 60000000, tell_to_stop, fault);
    sim_at(sys, now + 120000000, tell_to_stop, fault);
    wrap_seam(sys);
    if (fault->kind < MEMORY_ONCE) {
        sim_fault_at(sys, fault->point, faults[fault->kind], fault->kind & 1);
    } else if (fault->kind == FULL) {
        sim_disk_limit(fault->disk, fault->point);
        sim_at(sys, now + 5000000, make_room, fault);
    } else {
        fail_forever = fault->kind == MEMORY_ON;
    }
    fail_in = fault->kind == MEMORY_ONCE || fault->kind == MEMORY_ON ? fault->point : 0;
    allocations = 0;
    armed = 1;
}

#define TRY_AGAIN 75 /* a job that was stopped before there was room for its checkpoint */

static int must_be_whole(enum kind kind)
{
    return kind == SHORT_ONCE || kind == SHORT_ON || kind == FULL;
}

/* The point under way, for whoever crashes at it. */
static char under_way[200];

static void say_where(void)
{
    ssize_t ignored = write(2, under_way, strlen(under_way));
    (void)ignored;
}

#ifdef __SANITIZE_ADDRESS__
void __asan_set_death_callback(void (*callback)(void));

static void watch_crashes(void)
{
    __asan_set_death_callback(say_where);
}
#else
static void crashed(int signal)
{
    say_where();
    _exit(128 + signal);
}

static void watch_crashes(void)
{
    signal(SIGSEGV, crashed);
    signal(SIGABRT, crashed);
}
#endif

/* 1: the fault struck, 0: the life had no such point, -1: with `why`. */
static int fault_life(struct sweep *sweep, enum kind kind, uint64_t point)
{
    struct fault fault = { .kind = kind, .point = point, .disk = sweep_disk(sweep) };
    struct life life = { .before = arm, .arg = &fault };
    uint64_t in_use = mem_in_use();
    sweep->kind = kinds[kind];
    snprintf(under_way, sizeof under_way, "sweep %s %s seed %" PRIu64 " point %" PRIu64 " crashed\n",
             sweep->kind, sweep->job->name, sweep->seed, point);
    sweep_life(sweep, fault.disk, &life);
    armed = 0;
    sim_disk_limit(fault.disk, UINT64_MAX);
    int result = -1;
    int struck = kind >= MEMORY_ONCE ? 1 : life.calls >= point;
    if (life.status < 0)
        snprintf(sweep->why, sizeof sweep->why, "the life with the fault hangs");
    else if (mem_in_use() != in_use)
        snprintf(sweep->why, sizeof sweep->why, "%" PRIu64 " bytes were not given back",
                 mem_in_use() - in_use);
    else if (life.status != 0 && must_be_whole(kind) &&
             !(kind == FULL && life.status == TRY_AGAIN && sweep->job->stopped))
        snprintf(sweep->why, sizeof sweep->why, "it should go on, and ends with status %d", life.status);
    else if (life.status == 0 && !fault.signals && !sweep->job->stopped &&
             sweep_judge(sweep, fault.disk) != 0)
        sweep->points++; /* it says 0 and did not give all */
    else
        result = sweep_finish(sweep, fault.disk, 9);
    sim_disk_destroy(fault.disk);
    return result == 0 ? struck : -1;
}

static void fault_sweep(struct sweep *sweep, enum kind kind, uint64_t from, uint64_t stride,
                        uint64_t end)
{
    for (uint64_t point = from; point <= end && sweep->failed < 10; point += stride) {
        int result = fault_life(sweep, kind, point);
        if (result < 0) sweep_failed(sweep, point, 0, 0);
        if (result == 0) return;
    }
}

/* Streams: the peer of a broken connection does not send again, and half a record is one. */
static int makes_sense(const struct sweep_job *job, enum kind kind)
{
    return !job->source || kind > ROOM_ON;
}

static uint64_t count_allocations(struct sweep *sweep)
{
    if (fault_life(sweep, MEMORY_ONCE, UINT64_MAX / 2) < 0) sweep_failed(sweep, 0, 0, 0);
    return allocations;
}

/* ---- a job for faults alone: operators without state that no other job has ---- */

static void fill_texts(struct sim_disk *disk)
{
    char text[60 * 16];
    size_t n = 0;
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, i % 7 ? "%d,w%d\n" : "%d;w%d\n", i, i % 5);
    sim_disk_put(disk, "in/texts", text, n, 1600000000000000);
}

static const struct sweep_job parsed = {
    .name = "file-parse-file",
    .text = "{\"name\": \"parse\", \"trigger\": \"available_now\", \"checkpoint\": \"cp\","
            " \"sources\": {\"in\": {\"plugin\": \"file\", \"path\": \"in\", \"format\": \"text\","
            "                        \"max_records\": 25}},"
            " \"operators\": {\"p\": {\"plugin\": \"parse\", \"from\": \"in\", \"column\": \"value\","
            "                         \"format\": {\"type\": \"csv\", \"columns\": \"n int64, w string\"},"
            "                         \"on_error\": \"dead_letter\"},"
            "                 \"c\": {\"plugin\": \"with_column\", \"from\": \"p\", \"name\": \"m\","
            "                         \"expr\": \"n * 2\"},"
            "                 \"s\": {\"plugin\": \"with_column\", \"from\": \"p\", \"name\": \"m\","
            "                         \"expr\": \"n + 1000\"},"
            "                 \"u\": {\"plugin\": \"union\", \"from\": [\"c\", \"s\"]}},"
            " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"u\", \"path\": \"out\","
            "                       \"format\": \"csv\"}}}",
    .outputs = { "out" },
    .fill = fill_texts,
};

static const struct sweep_job *job_at(uint32_t i)
{
    return i == 0 ? &parsed : sweep_job_at(i - 1);
}

int main(int argc, char **argv)
{
    int status = 0;
    watch_crashes();
    for (uint32_t i = 0; job_at(i); i++) {
        struct sweep sweep;
        uint64_t io = sweep_level() > SWEEP_SAMPLE ? 1 : 7;
        if (argc > 1 && strcmp(argv[1], job_at(i)->name) != 0) continue;
        if (sweep_begin(&sweep, job_at(i), sweep_seed()) != 0) {
            printf("sweep fault %s: %s\n", sweep.job->name, sweep.why);
            return 1;
        }
        uint64_t calls = sweep.calls, memory = count_allocations(&sweep);
        uint64_t gap = sweep_level() == SWEEP_FULL ? 1 : memory / (sweep_level() ? 400 : 40) + 1;
        for (uint32_t k = 0; k < KINDS; k++) {
            if (!makes_sense(sweep.job, k)) continue;
            if (argc > 3) {
                if (strcmp(argv[2], kinds[k]) != 0) continue;
                uint64_t point = strtoull(argv[3], NULL, 10);
                fault_sweep(&sweep, k, point, 1, point);
            } else if (k < MEMORY_ONCE) {
                fault_sweep(&sweep, k, 1 + k, io, calls);
            } else if (k == FULL) {
                fault_sweep(&sweep, k, 100, 300 * io, 12000);
            } else {
                fault_sweep(&sweep, k, 1 + k % gap, gap, memory);
            }
        }
        status |= sweep.failed != 0;
        printf("sweep fault %s: %" PRIu64 " points: %s\n", sweep.job->name, sweep.points,
               sweep.failed ? "FAILED" : "0 lost, 0 doubled");
        fflush(stdout);
        sweep_end(&sweep);
    }
    return status;
}
