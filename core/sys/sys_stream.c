/*
 * sys_stream.c - streams of the real sys: TCP, standard input and output.
 *
 * Sockets are non-blocking from birth. Names are numbers or "localhost": anything else would ask a
 * name server, and that waits.
 *
 * Standard input is opened a second time where it can be (a pipe or terminal, through /proc),
 * because O_NONBLOCK belongs to the open file description, which a terminal shares with our own
 * output and with the shell that started us; only where that fails is the flag set on the original,
 * and taken back at the end. A file as standard input is always ready. Standard output is left as
 * it is: a write happens only when there is room, and to a pipe of no more than what "has room"
 * promises.
 *
 * When descriptors have run out, a listener stays readable and its connection can't be taken: a
 * reserve descriptor is given up to take it and hang up, so that the caller sees -EMFILE once per
 * connection and not a listener that is ready for ever.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/sys/sys_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 128

enum { OUT_PLAIN, OUT_PIPE, OUT_SOCKET };

static int reserve_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int streams_init(struct streams *streams)
{
    streams->reserve = reserve_open();
    streams->in = -1;
    streams->in_flags = -1;
    for (int i = 1; i < 3; i++) {
        struct stat stat;

        if (fstat(i, &stat) == 0 && S_ISFIFO(stat.st_mode))
            streams->out_kind[i] = OUT_PIPE;
        else if (fstat(i, &stat) == 0 && S_ISSOCK(stat.st_mode))
            streams->out_kind[i] = OUT_SOCKET;
        else
            streams->out_kind[i] = OUT_PLAIN;
    }
    return -pthread_mutex_init(&streams->lock, NULL);
}

void streams_fini(struct streams *streams)
{
    if (streams->in_flags >= 0)
        fcntl(STDIN_FILENO, F_SETFL, streams->in_flags);
    if (streams->in > STDERR_FILENO)
        close(streams->in);
    if (streams->reserve >= 0)
        close(streams->reserve);
    pthread_mutex_destroy(&streams->lock);
}

/* ---- TCP ---- */

static int resolve(const char *host, uint32_t port, int flags, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    char service[16];
    int result;

    if (port > 65535)
        return -EINVAL;
    if (host != NULL && strcmp(host, "localhost") != 0)
        hints.ai_flags |= AI_NUMERICHOST;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    result = getaddrinfo(host, service, &hints, out);
    if (result != 0 && host != NULL && strcmp(host, "localhost") == 0)
        result = getaddrinfo("127.0.0.1", service, &hints, out); /* a system without /etc/hosts */
    switch (result) {
    case 0:
        return 0;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return -errno;
    default:
        return -EADDRNOTAVAIL;
    }
}

static int socket_make(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);

    return fd < 0 ? -errno : fd;
}

static void send_at_once(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int listen_at(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket_make(address);
    int error;

    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    return -error;
}

static int connect_to(const struct addrinfo *address)
{
    int fd = socket_make(address);
    int error;

    if (fd < 0)
        return fd;
    send_at_once(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS ||
        errno == EINTR) /* goes on by itself */
        return fd;
    error = errno;
    close(fd);
    return -error;
}

static int try_all(const char *host, uint32_t port, int flags,
                   int (*one)(const struct addrinfo *address))
{
    struct addrinfo *addresses = NULL;
    int result = resolve(host != NULL && *host != '\0' ? host : NULL, port, flags, &addresses);

    if (result < 0)
        return result;
    result = -EADDRNOTAVAIL;
    for (struct addrinfo *at = addresses; at != NULL && result < 0; at = at->ai_next)
        result = one(at);
    freeaddrinfo(addresses);
    return result;
}

int posix_listen(struct weir_sys *sys, const char *host, uint32_t port)
{
    (void)sys;
    return try_all(host, port, AI_PASSIVE, listen_at);
}

int posix_connect(struct weir_sys *sys, const char *host, uint32_t port)
{
    (void)sys;
    return try_all(host, port, 0, connect_to);
}

int posix_local_port(struct weir_sys *sys, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    (void)sys;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}

static int accept_one(int fd)
{
    int got;

    do
        got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNABORTED));
    return got < 0 ? -errno : got;
}

int posix_accept(struct weir_sys *sys, int fd)
{
    struct streams *streams = real_streams(sys);
    int got = accept_one(fd);

    if (got >= 0)
        send_at_once(got);
    if (got != -EMFILE && got != -ENFILE)
        return got;
    pthread_mutex_lock(&streams->lock);
    if (streams->reserve >= 0) {
        int refused;

        close(streams->reserve);
        refused = accept_one(fd);
        if (refused >= 0)
            close(refused);
        else
            got = refused; /* -EAGAIN: nobody was waiting */
        streams->reserve = reserve_open();
    }
    pthread_mutex_unlock(&streams->lock);
    return got;
}

/* ---- reading, writing, waiting ---- */

int64_t posix_recv(struct weir_sys *sys, int fd, void *buffer, size_t n)
{
    ssize_t got;

    (void)sys;
    do
        got = read(fd, buffer, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int ready_now(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    return poll(&poll_fd, 1, 0) > 0;
}

int64_t posix_send(struct weir_sys *sys, int fd, const void *buffer, size_t n)
{
    int kind = fd > STDIN_FILENO && fd <= STDERR_FILENO ? real_streams(sys)->out_kind[fd] : -1;
    ssize_t put;

    if (kind == OUT_PLAIN || kind == OUT_PIPE) {
        if (!ready_now(fd, POLLOUT))
            return -EAGAIN;
        if (kind == OUT_PIPE && n > PIPE_BUF)
            n = PIPE_BUF;
    }
    do
        put = kind == OUT_SOCKET ? send(fd, buffer, n, MSG_DONTWAIT) : write(fd, buffer, n);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

static int64_t mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The events that are there, 0 at the timeout. Errors and hang-ups make a descriptor ready for all.
 * */
int posix_poll(struct weir_sys *sys, int fd, uint32_t events, int64_t timeout_us)
{
    struct pollfd poll_fd = {.fd = fd};
    int64_t start = mono_us();
    int64_t deadline;

    (void)sys;
    if (timeout_us < 0)
        timeout_us = 0;
    deadline = timeout_us > INT64_MAX - start ? INT64_MAX : start + timeout_us;
    poll_fd.events = (short)((events & SYS_READ ? POLLIN : 0) | (events & SYS_WRITE ? POLLOUT : 0));
    for (;;) {
        int64_t left = deadline - mono_us();
        struct timespec wait = {.tv_sec = left > 0 ? left / 1000000 : 0,
                                .tv_nsec = left > 0 ? left % 1000000 * 1000 : 0};
        int n = ppoll(&poll_fd, 1, deadline == INT64_MAX ? NULL : &wait, NULL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        if (poll_fd.revents & POLLNVAL)
            return -EBADF;
        if (poll_fd.revents & (POLLERR | POLLHUP))
            return (int)events;
        return (poll_fd.revents & POLLIN ? (int)SYS_READ : 0) |
               (poll_fd.revents & POLLOUT ? (int)SYS_WRITE : 0);
    }
}

/* Called once; see the essay. */
static int input_open(struct streams *streams)
{
    struct stat stat;
    int fd;

    if (fstat(STDIN_FILENO, &stat) < 0)
        return -errno;
    if (!S_ISFIFO(stat.st_mode) && !S_ISSOCK(stat.st_mode) && !isatty(STDIN_FILENO))
        return STDIN_FILENO;
    if (!S_ISSOCK(stat.st_mode)) {
        fd = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd > STDERR_FILENO)
            return fd;
        if (fd >= 0)
            close(fd);
    }
    streams->in_flags = fcntl(STDIN_FILENO, F_GETFL);
    if (streams->in_flags < 0 || fcntl(STDIN_FILENO, F_SETFL, streams->in_flags | O_NONBLOCK) < 0)
        return -errno;
    return STDIN_FILENO;
}

int posix_standard(struct weir_sys *sys, int number)
{
    struct streams *streams = real_streams(sys);
    int fd;

    if (number == STDOUT_FILENO || number == STDERR_FILENO)
        return fcntl(number, F_GETFD) < 0 ? -errno : number;
    if (number != STDIN_FILENO)
        return -EBADF;
    pthread_mutex_lock(&streams->lock);
    if (streams->in < 0)
        streams->in = input_open(streams);
    fd = streams->in;
    pthread_mutex_unlock(&streams->lock);
    return fd;
}
