/*
 * sim_private.h - the state of a simulated sys, shared by sim.c (calls, files), sim_stream.c
 * (peers) and sim_task.c (executors, waiting). Inside core/sys only.
 */
#ifndef WEIR_CORE_SIM_PRIVATE_H
#define WEIR_CORE_SIM_PRIVATE_H

#include "core/sys/sim_disk.h"

enum sim_kind { SIM_FREE, SIM_FILE, SIM_LISTENER, SIM_PEER, SIM_STDIN, SIM_STDOUT, SIM_STDERR };

struct sim_fd {
    enum sim_kind kind;
    struct sim_inode *inode; /* file */
    char *path;              /* file: as opened */
    uint32_t flags;          /* file */
    uint32_t port;           /* listener */
    int peer;                /* peer, stdin, stdout: index in sim.peers */
    uint32_t events;         /* watched */
    sys_ready_fn ready;
    void *arg;
};

/* The other end of a stream. */
struct sim_peer {
    uint32_t port;
    int taken;      /* a connection was made */
    int close;      /* closes after the last byte */
    int shut;       /* closed by the test: sends fail */
    int waits;      /* the next piece was put off once */
    int refused;    /* the last send was put off */
    size_t piece;   /* bytes that come at once */
    size_t here;    /* of them, unread */
    uint8_t *bytes; /* to weir */
    size_t size, room, read;
    uint8_t *received; /* from weir */
    size_t received_size, received_room;
};

struct sim_event {
    int64_t at;
    void (*fn)(void *arg);
    void *arg;
};

struct sim {
    struct weir_sys base;
    struct sim_disk *disk;

    int64_t mono, wall_ahead; /* wall clock = mono + wall_ahead */
    int manual;               /* the test advances */
    struct sim_event *events; /* sorted by time, then as planned */
    size_t n_events, events_room;

    uint64_t order, chance, weather; /* draws: of tasks, of sys_random, of streams and faults */

    uint64_t calls, syncs, kill_at;
    int killed, stuck;
    uint64_t fault_at;
    uint32_t fault;
    int fault_forever;
    char ignore_below[SIM_PATH];
    int ignore;
    uint64_t ignore_nth, ignore_seen, ignored;
    void (*on_sync)(void *arg, uint64_t n, int after);
    void *on_sync_arg;

    struct sim_fd *fds;
    size_t n_fds, fds_room, n_watched;
    struct sim_peer **peers; /* 0: standard input, 1: standard output */
    size_t n_peers, peers_room;
    uint32_t next_port;

    struct weir_exec *execs; /* list */
    struct weir_task *posts, **posts_end;
    uint32_t terms, hangups;
    int signalled;
    uint64_t idle_waits; /* since the kill */
};

/* What a call may suffer besides EIO. */
#define SIM_ROOM 1u  /* needs room on the disk: ENOSPC */
#define SIM_SHORT 2u /* moves bytes: a part of them */

/* Passes the point at which kill and faults strike: 0, 1 for a short transfer, or a negative errno.
 * */
int sim_enter(struct sim *sim, uint32_t may);
/* The part of n bytes that a short transfer moves. */
size_t sim_part(struct sim *sim, size_t n);
void *sim_need(void *memory);
void *sim_grow(void *array, size_t n, size_t *room, size_t each);

int sim_fd_add(struct sim *sim, enum sim_kind kind);
struct sim_fd *sim_fd_get(struct sim *sim, int fd);
/* Moves the clock forward and runs what the test has planned on the way. */
void sim_clock_to(struct sim *sim, int64_t mono_us);

/* sim_stream.c */
void sim_stream_init(struct sim *sim);
void sim_stream_fini(struct sim *sim);
uint32_t sim_stream_ready(struct sim *sim, const struct sim_fd *fd);
int sim_listen(struct weir_sys *sys, const char *host, uint32_t port);
int sim_local_port(struct weir_sys *sys, int fd);
int sim_connect(struct weir_sys *sys, const char *host, uint32_t port);
int sim_accept(struct weir_sys *sys, int fd);
int64_t sim_recv(struct weir_sys *sys, int fd, void *buffer, size_t n);
int64_t sim_send(struct weir_sys *sys, int fd, const void *buffer, size_t n);
int sim_poll(struct weir_sys *sys, int fd, uint32_t events, int64_t timeout_us);
int sim_standard(struct weir_sys *sys, int number);

/* sim_task.c */
struct weir_exec *sim_exec_create(struct weir_sys *sys, const char *name, uint32_t threads);
void sim_exec_destroy(struct weir_exec *exec);
void sim_submit(struct weir_exec *exec, struct weir_task *task);
void sim_post(struct weir_sys *sys, struct weir_task *task);
int sim_wait(struct weir_sys *sys, int64_t deadline_us);
int sim_watch(struct weir_sys *sys, int fd, uint32_t events, sys_ready_fn ready, void *arg);
void sim_unwatch(struct weir_sys *sys, int fd);
uint32_t sim_signals(struct weir_sys *sys, uint32_t *hangups);

#endif
