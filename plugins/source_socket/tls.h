/*
 * tls.h - TLS over streams of weir.io/1, for both sides of a connection.
 */
#ifndef SOURCE_SOCKET_TLS_H
#define SOURCE_SOCKET_TLS_H

#include <weir/plugin.h>

struct tls;        /* of an instance: certificates, who is trusted */
struct tls_stream; /* of a connection */

/* [control], in create: from the options tls.…; *out is NULL where there are none. `listens`: it
 * is the server. CONFIG with the option; FATAL. */
int32_t tls_create(const struct weir_host *host, struct weir_context *context, int listens,
                   struct tls **out, struct weir_error *error);
/* [control], in open: reads the files. CONFIG; FATAL; what reading them gives. */
int32_t tls_open(struct tls *tls, struct weir_error *error);
void tls_destroy(struct tls *tls); /* NULL is allowed; its streams are gone before */

/* A stream over a connected handle, which stays the caller's. `peer`: the address that was
 * called. FATAL. */
int32_t tls_stream_create(struct tls *tls, int64_t handle, const char *peer,
                          struct tls_stream **out, struct weir_error *error);
void tls_stream_destroy(struct tls_stream *stream); /* NULL is allowed */
/* As weir_io.recv, over a struct tls_stream: the handshake runs in it. RETRY where the peer
 * broke it, sent no TLS, is not trusted, or ended without saying so. One thread at a time. */
int32_t tls_recv(void *stream, void *buffer, uint64_t n, uint64_t *got, struct weir_error *error);
int tls_is_ready(const struct tls_stream *stream); /* the handshake is done */

#endif
