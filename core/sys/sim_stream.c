/*
 * sim_stream.c - scripted peers, standard input and output.
 *
 * What a peer sends comes in pieces: a piece is there at once or, by the seed, after one -EAGAIN;
 * so a reader that only watches and one that only tries again both get on. Sends take all, a part,
 * or now and then nothing (-EAGAIN), by the seed; a descriptor that was refused is writable.
 */
#include "core/sys/sim_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PORT 49152u

static struct sim *sim_of(struct weir_sys *sys)
{
    return (struct sim *)sys;
}

static int peer_add(struct sim *sim, uint32_t port, size_t piece)
{
    struct sim_peer *peer = sim_need(calloc(1, sizeof *peer));

    peer->port = port;
    peer->piece = piece;
    sim->peers = sim_grow(sim->peers, sim->n_peers, &sim->peers_room, sizeof *sim->peers);
    sim->peers[sim->n_peers] = peer;
    return (int)sim->n_peers++;
}

static void bytes_add(uint8_t **bytes, size_t *size, size_t *room, const void *more, size_t n)
{
    if (*bytes == NULL || n > *room - *size) {
        *room = (*size + n) * 2 + 64;
        *bytes = sim_need(realloc(*bytes, *room));
    }
    if (n > 0)
        memcpy(*bytes + *size, more, n);
    *size += n;
}

void sim_stream_init(struct sim *sim)
{
    sim->next_port = FIRST_PORT;
    for (int i = 0; i < 3; i++) {
        static const enum sim_kind kinds[] = {SIM_STDIN, SIM_STDOUT, SIM_STDERR};
        int fd = sim_fd_add(sim, kinds[i]);

        sim->fds[fd].peer = peer_add(sim, 0, 0);
        sim->peers[i]->taken = 1;
        sim->peers[i]->close = 1;
    }
}

void sim_stream_fini(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_peers; i++) {
        free(sim->peers[i]->bytes);
        free(sim->peers[i]->received);
        free(sim->peers[i]);
    }
    free(sim->peers);
}

/* A peer on the port that nobody has met yet. */
static int peer_next(struct sim *sim, uint32_t port)
{
    for (size_t i = 3; i < sim->n_peers; i++)
        if (sim->peers[i]->port == port && !sim->peers[i]->taken)
            return (int)i;
    return -1;
}

static int peer_meet(struct sim *sim, int number)
{
    int fd = sim_fd_add(sim, SIM_PEER);

    sim->fds[fd].peer = number;
    sim->peers[number]->taken = 1;
    return fd;
}

uint32_t sim_stream_ready(struct sim *sim, const struct sim_fd *fd)
{
    const struct sim_peer *peer;

    switch (fd->kind) {
    case SIM_LISTENER:
        return peer_next(sim, fd->port) >= 0 ? SYS_READ : 0;
    case SIM_PEER:
    case SIM_STDIN:
        peer = sim->peers[fd->peer];
        return SYS_WRITE | (peer->read < peer->size || peer->close ? SYS_READ : 0);
    default:
        return SYS_READ | SYS_WRITE;
    }
}

/* ---- calls ---- */

int sim_listen(struct weir_sys *sys, const char *host, uint32_t port)
{
    struct sim *sim = sim_of(sys);
    int fd = sim_enter(sim, 0);

    (void)host;
    if (fd < 0)
        return fd;
    if (port == 0)
        port = sim->next_port++;
    for (size_t i = 0; i < sim->n_fds; i++)
        if (sim->fds[i].kind == SIM_LISTENER && sim->fds[i].port == port)
            return -EADDRINUSE;
    fd = sim_fd_add(sim, SIM_LISTENER);
    sim->fds[fd].port = port;
    return fd;
}

int sim_local_port(struct weir_sys *sys, int number)
{
    struct sim_fd *fd = sim_fd_get(sim_of(sys), number);

    if (fd == NULL)
        return -EBADF;
    return fd->kind == SIM_LISTENER ? (int)fd->port : -ENOTSOCK;
}

int sim_connect(struct weir_sys *sys, const char *host, uint32_t port)
{
    struct sim *sim = sim_of(sys);
    int result = sim_enter(sim, 0);

    (void)host;
    if (result < 0)
        return result;
    result = peer_next(sim, port);
    return result < 0 ? -ECONNREFUSED : peer_meet(sim, result);
}

int sim_accept(struct weir_sys *sys, int number)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    int result = sim_enter(sim, 0);

    if (result < 0)
        return result;
    if (fd == NULL)
        return -EBADF;
    if (fd->kind != SIM_LISTENER)
        return -EINVAL;
    result = peer_next(sim, fd->port);
    return result < 0 ? -EAGAIN : peer_meet(sim, result);
}

/* Has a piece come? Says so now or at the next try. */
static int piece_here(struct sim *sim, struct sim_peer *peer)
{
    size_t left = peer->size - peer->read;

    if (peer->here > 0)
        return 1;
    if (!peer->waits && sim_draw(&sim->weather) % 2 == 0) {
        peer->waits = 1;
        return 0;
    }
    peer->waits = 0;
    peer->here = peer->piece > 0 && peer->piece < left ? peer->piece : left;
    return 1;
}

int64_t sim_recv(struct weir_sys *sys, int number, void *buffer, size_t n)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    struct sim_peer *peer;
    int cut = sim_enter(sim, SIM_SHORT);

    if (cut < 0)
        return cut;
    if (fd == NULL)
        return -EBADF;
    if (fd->kind != SIM_PEER && fd->kind != SIM_STDIN)
        return fd->kind == SIM_LISTENER ? -ENOTCONN : -EBADF;
    peer = sim->peers[fd->peer];
    if (peer->read == peer->size)
        return peer->close ? 0 : -EAGAIN;
    if (!piece_here(sim, peer))
        return -EAGAIN;
    if (n > peer->here)
        n = peer->here;
    if (cut)
        n = sim_part(sim, n);
    memcpy(buffer, peer->bytes + peer->read, n);
    peer->read += n;
    peer->here -= n;
    return (int64_t)n;
}

int64_t sim_send(struct weir_sys *sys, int number, const void *buffer, size_t n)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    struct sim_peer *peer;
    uint64_t draw;
    int cut = sim_enter(sim, SIM_SHORT);

    if (cut < 0)
        return cut;
    if (fd == NULL)
        return -EBADF;
    if (fd->kind != SIM_PEER && fd->kind != SIM_STDOUT && fd->kind != SIM_STDERR)
        return fd->kind == SIM_LISTENER ? -ENOTCONN : -EBADF;
    peer = sim->peers[fd->peer];
    if (peer->shut)
        return -EPIPE;
    draw = sim_draw(&sim->weather) % 16;
    if (draw == 0 && !peer->refused && n > 0) {
        peer->refused = 1;
        return -EAGAIN;
    }
    peer->refused = 0;
    if (cut || draw == 1 || draw == 2)
        n = sim_part(sim, n);
    bytes_add(&peer->received, &peer->received_size, &peer->received_room, buffer, n);
    return (int64_t)n;
}

/* Nobody else can run while a task waits here, but time passes and with it what the test planned.
 * */
int sim_poll(struct weir_sys *sys, int number, uint32_t events, int64_t timeout_us)
{
    struct sim *sim = sim_of(sys);
    struct sim_fd *fd = sim_fd_get(sim, number);
    int64_t until;
    uint32_t ready;
    int result = sim_enter(sim, 0);

    if (result < 0)
        return result;
    if (fd == NULL)
        return -EBADF;
    if (timeout_us < 0)
        timeout_us = 0;
    until = timeout_us > INT64_MAX - sim->mono ? INT64_MAX : sim->mono + timeout_us;
    while ((ready = sim_stream_ready(sim, &sim->fds[number]) & events) == 0) {
        if (sim->n_events > 0 && sim->events[0].at <= until) {
            sim_clock_to(sim, sim->events[0].at);
        } else if (until == INT64_MAX) {
            sim->stuck = sim->killed = 1;
            return -EIO;
        } else {
            sim_clock_to(sim, until);
            return 0;
        }
    }
    return (int)ready;
}

int sim_standard(struct weir_sys *sys, int number)
{
    (void)sys;
    return number >= 0 && number <= 2 ? number : -EBADF;
}

/* ---- the tests' doors ---- */

int sim_peer(struct weir_sys *sys, uint32_t port, const void *bytes, size_t n, size_t piece,
             int close)
{
    struct sim *sim = sim_of(sys);
    int number = peer_add(sim, port, piece);
    struct sim_peer *peer = sim->peers[number];

    bytes_add(&peer->bytes, &peer->size, &peer->room, bytes, n);
    peer->close = close;
    return number;
}

static struct sim_peer *peer_of(struct weir_sys *sys, int number)
{
    struct sim *sim = sim_of(sys);

    return number >= 0 && (size_t)number < sim->n_peers ? sim->peers[number] : NULL;
}

int sim_peer_send(struct weir_sys *sys, int number, const void *bytes, size_t n)
{
    struct sim_peer *peer = peer_of(sys, number);

    if (peer == NULL)
        return -EBADF;
    if (peer->shut)
        return -EPIPE;
    bytes_add(&peer->bytes, &peer->size, &peer->room, bytes, n);
    return 0;
}

const uint8_t *sim_peer_received(struct weir_sys *sys, int number, size_t *n)
{
    struct sim_peer *peer = peer_of(sys, number);

    *n = peer != NULL ? peer->received_size : 0;
    return *n > 0 ? peer->received : (const uint8_t *)"";
}

void sim_peer_close(struct weir_sys *sys, int number)
{
    struct sim_peer *peer = peer_of(sys, number);

    if (peer != NULL)
        peer->close = peer->shut = 1;
}

void sim_stdin(struct weir_sys *sys, const void *bytes, size_t n)
{
    struct sim_peer *peer = peer_of(sys, 0);

    bytes_add(&peer->bytes, &peer->size, &peer->room, bytes, n);
}

const uint8_t *sim_stdout(struct weir_sys *sys, size_t *n)
{
    return sim_peer_received(sys, 1, n);
}
