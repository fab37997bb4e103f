/*
 * socket.c - the sink `socket`: rows in a format, over TCP to somebody who listens.
 *
 * The connection is made when the first bytes are due, and again after it broke; each begins with
 * the head of the format (a header line), if there is one. Rows of a batch are sent in pieces of
 * about 1 MiB, the rest when the batch ends.
 *
 * What TCP took is gone: nobody says that it arrived. So a batch whose bytes could not all be
 * handed over is sent again from its start over a new connection (at least once), and a receiver
 * that dies may have lost what it had not read.
 */
#include <weir/plugin.h>

#include "plugins/share/option.h"

#define PIECE (1u << 20)

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_TEXT, WEIR_OPTION_REQUIRED, "host", NULL, NULL, "where to connect to"),
    WEIR_OPTION(WEIR_OPTION_INT, WEIR_OPTION_REQUIRED, "port", NULL, NULL, "its TCP port"),
};

struct socket_sink {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const struct weir_formats *formats;
    const char *peer;
    uint32_t port;
    int64_t handle; /* -1: not connected */
    struct weir_buffer out;
};

static int32_t socket_create(const struct weir_host *host, struct weir_context *context,
                             void **self, struct weir_error *error)
{
    struct socket_sink *s = host->alloc(sizeof *s);
    int64_t port = option_integer(host, context, "port", 0);
    *self = s;
    if (!s) return no_memory(error);
    memset(s, 0, sizeof *s);
    s->host = host;
    s->context = context;
    s->handle = -1;
    s->io = host->get_interface(WEIR_IO_ID);
    s->formats = host->get_interface(WEIR_FORMAT_ID);
    if (!s->io || !s->formats)
        return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_IO_ID " or "
                         WEIR_FORMAT_ID);
    s->peer = option_text(host, context, "host", "");
    if (!*s->peer) return weir_fail_option(error, "host", -1, "a host has a name or an address");
    if (port < 1 || port > 65535)
        return weir_fail_option(error, "port", -1, "a port is 1 to 65535");
    s->port = (uint32_t)port;
    return WEIR_OK;
}

static void socket_close(void *self)
{
    struct socket_sink *s = self;
    if (s->handle >= 0) s->io->close(s->context, s->handle);
    s->handle = -1;
}

static void socket_destroy(void *self)
{
    struct socket_sink *s = self;
    if (!s) return;
    s->host->free(s->out.data);
    s->host->free(s);
}

static int32_t socket_bind(void *self, const struct weir_sink_bind *in, struct weir_error *error)
{
    (void)self, (void)in, (void)error;
    return WEIR_OK;
}

static int32_t socket_open(void *self, const struct weir_identity *identity,
                           struct weir_error *error)
{
    (void)self, (void)identity, (void)error;
    return WEIR_OK; /* a receiver that is not there yet must not stop the start */
}

static int32_t socket_begin(void *self, const struct weir_sink_batch *batch,
                            struct weir_error *error)
{
    struct socket_sink *s = self;
    (void)batch, (void)error;
    s->out.length = 0;
    return WEIR_OK;
}

static int32_t send_bytes(struct socket_sink *s, const struct weir_buffer *bytes,
                          struct weir_error *error)
{
    uint64_t at = 0, sent;
    int32_t status = WEIR_OK;
    while (at < bytes->length && status == WEIR_OK) {
        status = s->io->send(s->context, s->handle, bytes->data + at, bytes->length - at, &sent,
                             error);
        at += sent;
        if (status == WEIR_PENDING) status = WEIR_OK;
    }
    return status;
}

static int32_t connect_peer(struct socket_sink *s, struct weir_error *error)
{
    struct weir_buffer head = { NULL, 0, 0 };
    int32_t status;
    if (s->handle >= 0) return WEIR_OK;
    status = s->io->connect(s->context, s->peer, s->port, &s->handle, error);
    if (status == WEIR_OK)
        status = s->formats->encode(s->context, NULL, WEIR_ENCODE_HEAD, &head, error);
    if (status == WEIR_OK) status = send_bytes(s, &head, error);
    s->host->free(head.data);
    return status;
}

static int32_t send_rows(struct socket_sink *s, struct weir_error *error)
{
    int32_t status;
    if (s->out.length == 0) return WEIR_OK;
    status = connect_peer(s, error);
    if (status == WEIR_OK) status = send_bytes(s, &s->out, error);
    if (status != WEIR_OK) socket_close(s);
    s->out.length = 0;
    return status;
}

static int32_t socket_write(void *self, const struct weir_chunk *chunk, struct weir_error *error)
{
    struct socket_sink *s = self;
    int32_t status = s->formats->encode(s->context, chunk, 0, &s->out, error);
    return status == WEIR_OK && s->out.length >= PIECE ? send_rows(s, error) : status;
}

static int32_t socket_finish(void *self, struct weir_error *error)
{
    return send_rows(self, error);
}

/* Some of the batch may have been sent, up to the middle of a record: a new connection is due. */
static int32_t socket_abort(void *self, struct weir_error *error)
{
    struct socket_sink *s = self;
    (void)error;
    s->out.length = 0;
    socket_close(s);
    return WEIR_OK;
}

static void socket_cancel(void *self) { (void)self; /* weir.io/1 asks the host while it waits */ }

static const struct weir_sink sink = {
    .size = sizeof sink,
    .create = socket_create,
    .destroy = socket_destroy,
    .bind = socket_bind,
    .open = socket_open,
    .begin = socket_begin,
    .write = socket_write,
    .finish = socket_finish,
    .abort = socket_abort,
    .cancel = socket_cancel,
    .close = socket_close,
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_SINK,
      .name = "socket",
      .summary = "rows in a format, over TCP",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .level = WEIR_SINK_AT_LEAST_ONCE,
      .accepts = WEIR_FORM_APPEND | WEIR_FORM_UPSERT | WEIR_FORM_REPLACE,
      .capabilities = WEIR_CAP_SELECTION | WEIR_CAP_NEEDS_FORMAT,
      .table = &sink },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
                                           "weir.sink.socket", "1.0", "MIT", WEIR_SDK_VERSION,
                                           components, sizeof *components, 1 };
WEIR_PLUGIN(plugin)
