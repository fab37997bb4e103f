/*
 * socket.c - the source `socket`: records over TCP, called (`listen`) or calling.
 *
 * A connection has a place, the lowest that is free, and the place is the partition: "c00000001"
 * and so on. A place is never said to END, since another connection takes it; it is only not named
 * while nobody has it. So the log holds at most MOST positions, however many connections come, and
 * after a restart the places are taken again where they were, as if nothing had ended.
 *
 *  1. A connection is *waiting* until its first bytes are here: it has no place and makes no
 *     partition, so attempts that were refused, and callers that say nothing, leave no trace in the
 *     log.
 *  2. With its first bytes it is *open*: partitions() names it, next() alone receives.
 *  3. When it was drained to its end, next() makes it *done*: nobody touches it but partitions(),
 *     which closes the handle and gives the place away.
 *  4. partitions() runs on the coordinator, also while next() runs for others on workers. `lock`
 *     guards the list of places and the states; what is in an open connection is its next()'s.
 *  5. When MOST connections are there, the listener is not watched; others wait in its backlog.
 *
 * A connection that breaks is logged and ends like one that was closed: what came before is
 * delivered. A failure to accept or to connect is tried again after 2 s where time can heal it.
 */
#include <weir/plugin.h>

#include <pthread.h>
#include <stdlib.h>

#include "plugins/share/option.h"
#include "plugins/source_socket/tls.h"
#include "plugins/source_stdin/intake.h"

#define MOST 1024u
#define RECONNECT_US 2000000
#define HANDSHAKE_US 10000000
#define FIRST_BYTES 4096u

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "host", "127.0.0.1", NULL,
                "address to call, or to be called at"),
    WEIR_OPTION(WEIR_OPTION_INT, WEIR_OPTION_REQUIRED, "port", NULL, NULL,
                "TCP port; with `listen` 0 takes a free one"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "listen", "false", NULL,
                "wait for connections instead of making one"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "format", "text", NULL,
                "name of the format, or an object with `type` and its options"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "tls.enabled", "false", NULL,
                "TLS; it is on where any of these is given"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "tls.certificate", NULL, NULL,
                "PEM file: the certificate of this side, then those up to its authority"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "tls.key", NULL, NULL,
                "PEM file: its key, without a pass phrase"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "tls.ca", NULL, NULL,
                "PEM file: authorities of the other side; with `listen` callers then need a "
                "certificate, else the system's are taken"),
    WEIR_OPTION(WEIR_OPTION_TEXT, 0, "tls.server_name", NULL, NULL,
                "name in the certificate of the side that is called: host"),
};

enum state { WAITING, OPEN, DONE };

struct connection {
    struct intake intake;
    enum state state;
    int64_t handle;
    int64_t since; /* host clock: when it came */
    struct tls_stream *tls;
};

struct socket {
    struct intake_service service;
    const char *host;
    struct tls *tls; /* NULL: bytes go plain */
    uint32_t port, listens;
    pthread_mutex_t lock;
    int has_lock;
    int64_t listener;
    int64_t retry_at;                 /* host clock; no attempt to connect or accept before */
    struct connection *places[MOST];  /* open and done ones; place i is partition i + 1 */
    struct connection *waiting[MOST]; /* [control] only */
    uint32_t n_waiting, n_places;     /* n_places: used ones */
};

static int32_t socket_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct socket *s = host->alloc(sizeof *s);
    int64_t port;
    int32_t status;
    *self = s;
    if (!s) return no_memory(error);
    memset(s, 0, sizeof *s);
    s->service.host = host;
    s->listener = -1;
    status = intake_service_init(&s->service, host, context, error);
    if (status != WEIR_OK) return status;
    if (pthread_mutex_init(&s->lock, NULL) != 0) return no_memory(error);
    s->has_lock = 1;
    s->host = option_text(host, context, "host", "127.0.0.1");
    s->listens = (uint32_t)option_integer(host, context, "listen", 0);
    port = option_integer(host, context, "port", -1);
    if (port < (s->listens ? 0 : 1) || port > 65535)
        return weir_fail_option(error, "port", -1, "a port is %d to 65535", s->listens ? 0 : 1);
    s->port = (uint32_t)port;
    return tls_create(host, context, (int)s->listens, &s->tls, error);
}

static void connection_free(struct socket *s, struct connection *c)
{
    if (!c) return;
    tls_stream_destroy(c->tls);
    s->service.io->close(s->service.context, c->handle);
    intake_free(&c->intake);
    s->service.host->free(c);
}

static void socket_close(void *self)
{
    struct socket *s = self;
    uint32_t i;
    for (i = 0; i < s->n_waiting; i++) connection_free(s, s->waiting[i]);
    for (i = 0; i < MOST; i++) {
        connection_free(s, s->places[i]);
        s->places[i] = NULL;
    }
    s->n_waiting = s->n_places = 0;
    s->service.io->close(s->service.context, s->listener);
    s->listener = -1;
}

static void socket_destroy(void *self)
{
    struct socket *s = self;
    if (!s) return;
    if (s->service.io) socket_close(s);
    tls_destroy(s->tls);
    if (s->has_lock) pthread_mutex_destroy(&s->lock);
    s->service.host->free(s);
}

static int32_t socket_bind(void *self, const struct weir_source_bind *in,
                           struct weir_source_plan *out, struct weir_error *error)
{
    struct socket *s = self;
    return intake_service_bind(&s->service, in, out, error);
}

static int32_t socket_open(void *self, struct weir_error *error)
{
    struct socket *s = self;
    char line[320];
    int32_t status = s->tls ? tls_open(s->tls, error) : WEIR_OK;
    if (status != WEIR_OK || !s->listens) return status;
    status = s->service.io->listen(s->service.context, s->host, s->port, &s->listener, error);
    if (status != WEIR_OK) return status;
    snprintf(line, sizeof line, "listens on %s:%u%s", s->host,
             s->service.io->local_port(s->service.context, s->listener), s->tls ? ", by TLS" : "");
    s->service.host->log(s->service.context, WEIR_LOG_INFO, line);
    return WEIR_OK;
}

static int64_t now(const struct socket *s)
{
    return s->service.host->now_us(s->service.context);
}

static void complain(const struct socket *s, const char *what, const struct weir_error *error)
{
    char line[900];
    snprintf(line, sizeof line, "%s:%u: %s: %s", s->host, s->port, what, error->text);
    s->service.host->log(s->service.context, WEIR_LOG_WARN, line);
}

/* ---- partitions: [control] ---- */

static void retry_later(struct socket *s)
{
    s->retry_at = now(s) + RECONNECT_US;
}

/* How long until the next attempt. The clock may step: it is never longer than one pause. */
static int64_t pause_left(struct socket *s)
{
    int64_t left = s->retry_at - now(s);
    if (left > RECONNECT_US) s->retry_at = now(s) + RECONNECT_US;
    return left > RECONNECT_US ? RECONNECT_US : left;
}

static int32_t connection_add(struct socket *s, int64_t handle, struct weir_error *error)
{
    struct connection *c = s->service.host->alloc(sizeof *c);
    if (!c) {
        s->service.io->close(s->service.context, handle);
        return no_memory(error);
    }
    memset(c, 0, sizeof *c);
    c->state = WAITING;
    c->handle = handle;
    c->since = now(s);
    intake_init(&c->intake, &s->service, handle);
    if (s->tls) {
        int32_t status = tls_stream_create(s->tls, handle, s->host, &c->tls, error);
        if (status != WEIR_OK) {
            connection_free(s, c);
            return status;
        }
        c->intake.recv = tls_recv;
        c->intake.stream = c->tls;
    }
    s->waiting[s->n_waiting++] = c;
    return WEIR_OK;
}

/* After a failure to accept or connect: what time can heal is tried again, the rest is final. */
static int32_t give_up_for_now(struct socket *s, int32_t status, const struct weir_error *why,
                               struct weir_error *error)
{
    if (status != WEIR_RETRY) return weir_fail(error, status, "%s", why->text);
    complain(s, "next attempt in 2 s", why);
    retry_later(s);
    return WEIR_OK;
}

static int32_t accept_all(struct socket *s, struct weir_error *error)
{
    struct weir_error e = WEIR_ERROR_INIT;
    while (s->n_places + s->n_waiting < MOST) {
        int64_t handle;
        int32_t status =
            s->service.io->accept(s->service.context, s->listener, &handle, &e);
        if (status == WEIR_PENDING)
            return s->service.io->watch(s->service.context, s->listener, WEIR_IO_READABLE, error);
        if (status != WEIR_OK) return give_up_for_now(s, status, &e, error);
        status = connection_add(s, handle, error);
        if (status != WEIR_OK) return status;
    }
    return WEIR_OK;
}

static int32_t call_out(struct socket *s, struct weir_error *error)
{
    struct weir_error e = WEIR_ERROR_INIT;
    int64_t handle;
    int32_t status;
    if (s->n_places + s->n_waiting > 0) return WEIR_OK;
    status = s->service.io->connect(s->service.context, s->host, s->port, &handle, &e);
    if (status == WEIR_OK) return connection_add(s, handle, error);
    return give_up_for_now(s, status, &e, error);
}

static void place_give(struct socket *s, struct connection *c)
{
    uint32_t i = 0;
    while (s->places[i]) i++;
    c->state = OPEN;
    s->places[i] = c;
    s->n_places++;
}

/* A TLS handshake that takes longer holds a place from others. 0: there is none to wait for. */
static int64_t handshake_left(const struct socket *s, const struct connection *c)
{
    int64_t passed = now(s) - c->since;
    if (!c->tls || tls_is_ready(c->tls)) return 0;
    if (passed < 0) passed = 0; /* the clock was set back */
    return passed < HANDSHAKE_US ? HANDSHAKE_US - passed : -1;
}

static const char *failed_words(const struct socket *s)
{
    return s->listens ? "a connection failed" : "a connection failed, next attempt in 2 s";
}

/* Looks for first bytes. Those that end without any are gone. */
static int32_t greet(struct socket *s, struct weir_error *error)
{
    uint32_t i, kept = 0;
    int32_t result = WEIR_OK;
    for (i = 0; i < s->n_waiting; i++) {
        struct connection *c = s->waiting[i];
        struct weir_error e = WEIR_ERROR_INIT;
        int32_t status = intake_fill(&c->intake, FIRST_BYTES, &e);
        if (status > WEIR_PENDING) {
            complain(s, failed_words(s), &e);
            s->service.host->wake(s->service.context); /* the listener will say if all is broken */
        }
        if (c->intake.length > 0) {
            if (status > WEIR_PENDING) intake_end(&c->intake);
            place_give(s, c);
        } else if (status == WEIR_PENDING && handshake_left(s, c) < 0) {
            weir_fail(&e, WEIR_RETRY, "no TLS handshake within 10 s");
            complain(s, failed_words(s), &e);
            connection_free(s, c);
            if (!s->listens) retry_later(s);
        } else if (status == WEIR_PENDING) {
            s->waiting[kept++] = c;
            status = s->service.io->watch(s->service.context, c->handle, WEIR_IO_READABLE, &e);
            if (status != WEIR_OK && result == WEIR_OK)
                result = weir_fail(error, status, "%s", e.text);
        } else {
            connection_free(s, c);
            if (!s->listens) retry_later(s);
        }
    }
    s->n_waiting = kept;
    return result;
}

static void clear_done(struct socket *s)
{
    uint32_t i;
    for (i = 0; i < MOST && s->n_places; i++) {
        if (!s->places[i] || s->places[i]->state != DONE) continue;
        connection_free(s, s->places[i]);
        s->places[i] = NULL;
        s->n_places--;
        if (!s->listens) retry_later(s);
    }
}

static int32_t name_places(const struct socket *s, struct weir_partitions *list)
{
    int32_t status = WEIR_OK;
    uint32_t i;
    for (i = 0; i < MOST && status == WEIR_OK; i++) {
        char name[16];
        if (!s->places[i]) continue;
        snprintf(name, sizeof name, "c%08u", i + 1);
        status = list->add(list->names, name);
    }
    return status;
}

/* The time until something is due: the next attempt, or the end of the patience with a
 * handshake. 0: nothing is. */
static int64_t due_in(struct socket *s)
{
    int64_t least = pause_left(s);
    if (least < 0) least = 0;
    for (uint32_t i = 0; i < s->n_waiting; i++) {
        int64_t left = handshake_left(s, s->waiting[i]);
        if (left > 0 && (least == 0 || left < least)) least = left;
    }
    return least;
}

static int32_t socket_partitions(void *self, struct weir_partitions *list,
                                 struct weir_error *error)
{
    struct socket *s = self;
    int64_t left;
    int32_t status = WEIR_OK;
    pthread_mutex_lock(&s->lock);
    clear_done(s);
    status = greet(s, error);
    if (status == WEIR_OK && pause_left(s) <= 0) {
        status = s->listens ? accept_all(s, error) : call_out(s, error);
        if (status == WEIR_OK) status = greet(s, error);
    }
    left = due_in(s);
    if (status == WEIR_OK && left > 0) s->service.host->wake_after(s->service.context, left);
    if (status == WEIR_OK) status = name_places(s, list);
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- next: [worker] ---- */

static struct connection *connection_of(struct socket *s, const char *partition)
{
    struct connection *c = NULL;
    unsigned long place = partition[0] == 'c' ? strtoul(partition + 1, NULL, 10) : 0;
    pthread_mutex_lock(&s->lock);
    if (place >= 1 && place <= MOST) c = s->places[place - 1];
    if (c && c->state != OPEN) c = NULL;
    pthread_mutex_unlock(&s->lock);
    return c;
}

static void connection_done(struct socket *s, struct connection *c)
{
    pthread_mutex_lock(&s->lock);
    c->state = DONE;
    pthread_mutex_unlock(&s->lock);
    s->service.host->wake(s->service.context); /* partitions() clears it */
}

/* An error of the peer or of its bytes, not of this process. */
static int is_the_peers(int32_t status, const struct weir_error *error)
{
    return status == WEIR_RETRY || status == WEIR_DATA || error->code != 0;
}

static int32_t socket_next(void *self, const struct weir_next *in, struct weir_next_result *out,
                           struct weir_error *error)
{
    struct socket *s = self;
    struct connection *c;
    int32_t status;
    if (in->replay_to.data) return intake_lost(&s->service, in, out);
    c = connection_of(s, in->partition);
    if (!c) return WEIR_PENDING;
    status = intake_next(&c->intake, in, out, error);
    while (status > WEIR_PENDING && is_the_peers(status, error)) {
        complain(s, in->partition, error);
        weir_error_init(error);
        if (status == WEIR_DATA) intake_drop(&c->intake);
        intake_end(&c->intake);
        status = intake_next(&c->intake, in, out, error);
    }
    if (status == WEIR_OK && c->intake.drained) connection_done(s, c);
    return status;
}

static int32_t socket_commit(void *self, const char *partition, struct weir_bytes position,
                             struct weir_error *error)
{
    (void)self, (void)partition, (void)position, (void)error;
    return WEIR_OK;
}

static int32_t socket_position_text(void *self, struct weir_bytes position, char *text,
                                    uint32_t size)
{
    (void)self;
    return intake_position_text(position, text, size);
}

/* `next` never waits and looks at its deadline. */
static void socket_cancel(void *self)
{
    (void)self;
}

static const struct weir_source source = {
    .size = sizeof source,
    .create = socket_create,
    .destroy = socket_destroy,
    .bind = socket_bind,
    .open = socket_open,
    .partitions = socket_partitions,
    .next = socket_next,
    .commit = socket_commit,
    .position_text = socket_position_text,
    .cancel = socket_cancel,
    .close = socket_close,
    .place = intake_place,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SOURCE,
      .name = "socket",
      .summary = "records over TCP, one partition per connection",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .capabilities = WEIR_CAP_BYTES | WEIR_CAP_NEEDS_FORMAT,
      .table = &source },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
                                           "weir.source.socket", "1.0", "MIT", WEIR_SDK_VERSION,
                                           components, sizeof *components, 1 };
WEIR_PLUGIN(plugin)
