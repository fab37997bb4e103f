/*
 * latency.c - open loop: a process sends lines by a schedule, whatever comes back, and takes the time from when a
 * line was due to when a count came back that includes it.
 *
 * Line i has key i mod KEYS and is the (i / KEYS + 1)th of it, so a count of n says that all lines
 * up to that one are in.
 */
#define _GNU_SOURCE /* ppoll */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define KEYS 100u
#define PER_SECOND 10000u
#define WARM_S 1u /* not counted */

struct loop {
    uint64_t records, sent, back;
    double began;
    double *ms;             /* by record */
    uint64_t counts[KEYS];
    char in[65536];
    size_t n_in;
    int out_fd, in_fd;
};

static double due(const struct loop *l, uint64_t i)
{
    return l->began + (double)i / PER_SECOND;
}

static int listen_on(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 4) != 0) return -1;
    return fd;
}

static void send_due(struct loop *l)
{
    char lines[65536];
    size_t n = 0;
    double now = bench_now_s();
    while (l->sent < l->records && due(l, l->sent) <= now && n < sizeof lines - 32) {
        n += (size_t)snprintf(lines + n, 32, "%llu\n", (unsigned long long)(l->sent % KEYS));
        l->sent++;
    }
    for (size_t at = 0; at < n;) {
        ssize_t sent = write(l->out_fd, lines + at, n - at);
        if (sent <= 0) _exit(1);
        at += (size_t)sent;
    }
}

static void note(struct loop *l, uint64_t key, uint64_t count)
{
    double now = bench_now_s();
    if (key >= KEYS) _exit(2);
    for (uint64_t n = l->counts[key]; n < count; n++) {
        uint64_t i = n * KEYS + key;
        if (i >= l->sent) _exit(3); /* more than was sent */
        l->ms[i] = (now - due(l, i)) * 1e3;
        l->back++;
    }
    if (count > l->counts[key]) l->counts[key] = count;
}

static void take_answers(struct loop *l)
{
    ssize_t got = read(l->in_fd, l->in + l->n_in, sizeof l->in - l->n_in);
    char *line = l->in, *end;
    if (got <= 0) _exit(4);
    l->n_in += (size_t)got;
    while ((end = memchr(line, '\n', l->n_in - (size_t)(line - l->in)))) {
        unsigned long long key, count;
        *end = 0;
        if (sscanf(line, "%llu,%llu", &key, &count) != 2) _exit(5);
        note(l, key, count);
        line = end + 1;
    }
    l->n_in -= (size_t)(line - l->in);
    memmove(l->in, line, l->n_in);
}

static void wait_for_something(struct loop *l)
{
    struct pollfd fd = { .fd = l->in_fd, .events = POLLIN };
    double left = l->sent < l->records ? due(l, l->sent) - bench_now_s() : 1;
    if (left < 0) left = 0;
    struct timespec pause = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
    if (ppoll(&fd, 1, &pause, NULL) > 0) take_answers(l);
}

/* The process at both ends of the job; it stops the job, and writes percentiles to `result_fd`. */
static void both_ends(uint64_t records, int port, int listener, int result_fd)
{
    static struct loop loop;
    double four[4];
    uint64_t warm = (uint64_t)WARM_S * PER_SECOND < records / 2 ? (uint64_t)WARM_S * PER_SECOND : 0;
    loop.records = records;
    loop.ms = calloc(records, sizeof *loop.ms);
    loop.out_fd = bench_connect(port);
    if (!loop.ms || loop.out_fd < 0) _exit(1);
    loop.began = bench_now_s();
    send_due(&loop); /* the job connects when it has rows to give */
    loop.in_fd = accept(listener, NULL, NULL);
    if (loop.in_fd < 0) _exit(1);
    while (loop.back < records) {
        send_due(&loop);
        wait_for_something(&loop);
    }
    bench_percentiles(loop.ms + warm, records - warm, four);
    if (write(result_fd, four, sizeof four) != (ssize_t)sizeof four) _exit(1);
    kill(getppid(), SIGTERM);
    _exit(0);
}

int bench_latency(const struct bench_options *o, const char *directory, uint64_t records,
                  struct bench_result *result)
{
    char text[4096], checkpoint[1024];
    int port = bench_free_port(), back = bench_free_port(), pipes[2], status, listener;
    listener = listen_on(back);
    if (listener < 0 || pipe(pipes) != 0) return 71;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    snprintf(text, sizeof text,
             "{\"name\": \"latency\", \"trigger\": \"1ms\",%s \"backpressure\": {\"enabled\": false},"
             " \"sources\": {\"in\": {\"plugin\": \"socket\", \"listen\": true, \"host\": \"127.0.0.1\","
             "     \"port\": %d, \"format\": \"csv\", \"columns\": \"k int64\"}},"
             " \"operators\": {\"n\": {\"plugin\": \"aggregate\", \"from\": \"in\", \"by\": [\"k\"],"
             "     \"values\": {\"n\": \"count(*)\"}, \"output_mode\": \"update\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"socket\", \"from\": \"n\", \"host\": \"127.0.0.1\","
             "     \"port\": %d, \"format\": \"csv\"}}}",
             bench_checkpoint_member(result->checkpoint ? checkpoint : NULL), port, back);
    pid_t pid = fork();
    if (pid == 0) both_ends(records, port, listener, pipes[1]);
    close(pipes[1]);
    struct bench_job job = { .text = text };
    bench_seen_reset();
    status = bench_run_job(o, &job, result);
    result->bytes = records * 3;
    if (read(pipes[0], result->latency_ms, sizeof result->latency_ms) != (ssize_t)sizeof result->latency_ms)
        snprintf(result->wrong, sizeof result->wrong, "not every line came back");
    close(pipes[0]);
    close(listener);
    if (pid > 0) waitpid(pid, NULL, 0);
    return status;
}
