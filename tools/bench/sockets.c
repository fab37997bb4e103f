/*
 * sockets.c - four senders, each a process of its own, write lines in pieces of 16 KiB to a job that listens. The
 * clock runs from the first connection to the end of the batch with the last line; CPU is that of
 * the job alone.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define SENDERS 4u
#define PIECE 16384u

struct times {
    double connected[SENDERS], done;
    uint64_t records;
};

int bench_free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), port = -1;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0) close(fd);
    return port;
}

int bench_connect(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int tries = 0; tries < 10000; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct timespec pause = { 0, 1000000 };
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
        if (fd >= 0) close(fd);
        nanosleep(&pause, NULL);
    }
    return -1;
}

/* Lines of `width` bytes, their feed included: as many as fill whole pieces. */
static char *make_lines(uint32_t width, uint64_t *size)
{
    struct bench_random random = { 9 };
    *size = (uint64_t)width * PIECE;
    char *lines = malloc(*size);
    for (uint64_t i = 0; lines && i < *size; i++)
        lines[i] = i % width == width - 1 ? '\n' : (char)('a' + bench_below(&random, 26));
    return lines;
}

static void send_lines(int port, uint32_t width, uint64_t records, double *connected)
{
    uint64_t size, left = records * width, at = 0;
    char *lines = make_lines(width, &size);
    int fd = bench_connect(port);
    if (!lines || fd < 0) _exit(1);
    *connected = bench_now_s();
    while (left) {
        uint64_t n = left < PIECE ? left : PIECE;
        ssize_t sent = write(fd, lines + at, n);
        if (sent <= 0) _exit(1);
        at = (at + (uint64_t)sent) % size;
        left -= (uint64_t)sent;
        if (at > size - PIECE && left) { /* up to the end, so that pieces stay whole */
            uint64_t rest = size - at < left ? size - at : left;
            while (rest) {
                sent = write(fd, lines + at, rest);
                if (sent <= 0) _exit(1);
                at = (at + (uint64_t)sent) % size;
                left -= (uint64_t)sent;
                rest -= (uint64_t)sent;
            }
        }
    }
    _exit(0);
}

int bench_send(int port, uint32_t width, uint64_t records)
{
    double connected;
    int failed = 0, status;
    pid_t pids[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++)
        if ((pids[i] = fork()) == 0) send_lines(port, width, records / SENDERS, &connected);
    for (uint32_t i = 0; i < SENDERS; i++)
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) != pids[i] || status != 0) failed = 1;
    return failed;
}

static void stop_when_all(void *arg, const struct run *run, uint64_t batch)
{
    struct times *times = arg;
    (void)batch;
    if (run->summary.rows_in < times->records || times->done > 0) return;
    times->done = bench_now_s();
    raise(SIGTERM);
}

static int run_senders(const struct bench_options *o, int port, uint32_t width, const char *text,
                       struct bench_result *result)
{
    pid_t pids[SENDERS];
    struct times *times = mmap(NULL, sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (times == MAP_FAILED) return 71;
    result->records -= result->records % SENDERS;
    result->bytes = result->records * width;
    times->records = result->records;
    for (uint32_t i = 0; i < SENDERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) send_lines(port, width, result->records / SENDERS, &times->connected[i]);
    }
    struct bench_job job = { .text = text, .hooks = { .batch_done = stop_when_all, .arg = times } };
    bench_seen_reset();
    int status = bench_run_job(o, &job, result);
    double began = times->connected[0];
    for (uint32_t i = 0; i < SENDERS; i++) {
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
        if (times->connected[i] < began) began = times->connected[i];
    }
    result->wall_s = times->done - began;
    if (status == 0 && times->done <= 0)
        snprintf(result->wrong, sizeof result->wrong, "not all of the lines came");
    munmap(times, sizeof *times);
    return status;
}

int bench_socket_count(const struct bench_options *o, const char *directory, uint64_t records,
                       struct bench_result *result)
{
    char text[2048], checkpoint[1024];
    int port = bench_free_port();
    (void)records;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    snprintf(text, sizeof text,
             "{\"name\": \"sockets\", \"trigger\": \"100ms\",%s"
             " \"sources\": {\"in\": {\"plugin\": \"socket\", \"listen\": true, \"host\": \"127.0.0.1\","
             "                        \"port\": %d}},"
             " \"operators\": {\"n\": {\"plugin\": \"count\", \"from\": \"in\"}},"
             " \"sinks\": {\"out\": {\"plugin\": \"bench\", \"from\": \"n\"}}}",
             bench_checkpoint_member(result->checkpoint ? checkpoint : NULL), port);
    int status = run_senders(o, port, 100, text, result);
    if (status == 0 && bench_seen.sum != result->records)
        snprintf(result->wrong, sizeof result->wrong, "%llu lines were counted, not %llu",
                 (unsigned long long)bench_seen.sum, (unsigned long long)result->records);
    result->checksum = bench_seen.sum;
    return status;
}

/* Lines in the files that a reader of the directory sees. */
static uint64_t count_lines(const char *directory)
{
    char command[1200];
    unsigned long long lines = 0;
    snprintf(command, sizeof command, "find '%s/out' -name 'part-*' -exec cat {} + | wc -l", directory);
    FILE *pipe = popen(command, "r");
    if (!pipe) return 0;
    if (fscanf(pipe, "%llu", &lines) != 1) lines = 0;
    pclose(pipe);
    return lines;
}

int bench_socket_file(const struct bench_options *o, const char *directory, uint64_t records,
                      struct bench_result *result)
{
    char text[4096], checkpoint[1024];
    int port = bench_free_port();
    (void)records;
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", directory);
    snprintf(text, sizeof text,
             "{\"name\": \"sockets\", \"trigger\": \"1s\",%s"
             " \"sources\": {\"in\": {\"plugin\": \"socket\", \"listen\": true, \"host\": \"127.0.0.1\","
             "                        \"port\": %d}},"
             " \"sinks\": {\"out\": {\"plugin\": \"file\", \"from\": \"in\", \"path\": \"%s/out\","
             "                       \"format\": \"text\"}}}",
             bench_checkpoint_member(result->checkpoint ? checkpoint : NULL), port, directory);
    int status = run_senders(o, port, 200, text, result);
    uint64_t lines = status == 0 ? count_lines(directory) : 0;
    if (status == 0 && lines != result->records)
        snprintf(result->wrong, sizeof result->wrong, "%llu lines in the files, not %llu",
                 (unsigned long long)lines, (unsigned long long)result->records);
    result->checksum = lines;
    return status;
}
