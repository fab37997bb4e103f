/*
 * tls.c - TLS by OpenSSL. The library sees two memory buffers and no socket: what it wants to say is taken out and sent,
 * what came is put in, so that all bytes go through weir.io/1 and nothing waits.
 *
 *  1. recv is called until it answers PENDING, and then a watch is set by the caller. So recv answers PENDING only when
 *     the socket has nothing left and the library can't go on without more.
 *  2. What could not be sent at once is kept and sent before anything else; the handle is watched for that.
 *  3. A connection that ends without the peer's word (close_notify) was cut: what came is good, but it is an error.
 */
#include "plugins/source_socket/tls.h"

#include "plugins/share/option.h"

#ifdef HAVE_OPENSSL

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <string.h>

#define PIECE 16384u
#define FILE_MOST (1u << 20)

struct tls {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const char *certificate, *key, *ca, *server_name;
    int listens;
    SSL_CTX *ctx;
};

struct tls_stream {
    struct tls *tls;
    int64_t handle;
    SSL *ssl;
    BIO *in, *out; /* of the SSL */
    uint8_t unsent[PIECE];
    uint64_t n_unsent;
    int ended; /* the socket gave its end */
};

/* ---- the instance ---- */

int32_t tls_create(const struct weir_host *host, struct weir_context *context, int listens,
                   struct tls **out, struct weir_error *error)
{
    const char *certificate = option_text(host, context, "tls.certificate", NULL);
    const char *key = option_text(host, context, "tls.key", NULL);
    const char *ca = option_text(host, context, "tls.ca", NULL);
    const char *name = option_text(host, context, "tls.server_name", NULL);
    struct tls *tls;
    *out = NULL;
    if (!certificate && !key && !ca && !name && !option_integer(host, context, "tls.enabled", 0))
        return WEIR_OK;
    if (listens && !certificate)
        return weir_fail_option(error, "tls", -1, "with `listen` TLS needs tls.certificate and "
                                "tls.key: PEM files of this side");
    if (!certificate != !key)
        return weir_fail_option(error, certificate ? "tls.certificate" : "tls.key", -1,
                                "a certificate and its key belong together: give both");
    if (listens && name)
        return weir_fail_option(error, "tls.server_name", -1,
                                "callers have no name to check: take it out");
    tls = host->alloc(sizeof *tls);
    if (!tls) return no_memory(error);
    memset(tls, 0, sizeof *tls);
    *tls = (struct tls){ .host = host, .context = context, .certificate = certificate, .key = key,
                         .ca = ca, .server_name = name, .listens = listens };
    tls->io = host->get_interface(WEIR_IO_ID);
    *out = tls;
    return tls->io ? WEIR_OK : weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_IO_ID);
}

void tls_destroy(struct tls *tls)
{
    if (!tls) return;
    SSL_CTX_free(tls->ctx);
    tls->host->free(tls);
}

/* The library's last word, without its numbers. */
static const char *reason(void)
{
    const unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "no reason is known";
}

static int32_t file_wrong(const char *option, const char *what, struct weir_error *error)
{
    return weir_fail_option(error, option, -1, "%s: %s", what, reason());
}

/* The bytes of a file as a BIO that the caller frees with them; NULL with the error. */
static BIO *read_file(struct tls *tls, const char *path, uint8_t **bytes, struct weir_error *error)
{
    int64_t handle = -1;
    uint64_t got = 0;
    BIO *bio = NULL;
    *bytes = NULL;
    if (tls->io->open(tls->context, path, WEIR_IO_READ, &handle, error) != WEIR_OK) return NULL;
    *bytes = tls->host->alloc(FILE_MOST);
    if (!*bytes)
        no_memory(error);
    else if (tls->io->pread(tls->context, handle, *bytes, FILE_MOST, 0, &got, error) == WEIR_OK)
        bio = BIO_new_mem_buf(*bytes, (int)got);
    tls->io->close(tls->context, handle);
    if (!bio) weir_fail(error, WEIR_FATAL, "out of memory");
    return bio;
}

static int32_t file_done(struct tls *tls, BIO *bio, uint8_t *bytes, int32_t result)
{
    BIO_free(bio);
    tls->host->free(bytes);
    return result;
}

/* Our certificate, and those that lead from it to an authority. */
static int32_t use_certificate(struct tls *tls, struct weir_error *error)
{
    uint8_t *bytes;
    BIO *bio = read_file(tls, tls->certificate, &bytes, error);
    int32_t result = WEIR_OK;
    X509 *x = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    if (!bio)
        result = error->error_class;
    else if (!x || SSL_CTX_use_certificate(tls->ctx, x) != 1)
        result = file_wrong("tls.certificate", "the file holds no PEM certificate", error);
    X509_free(x);
    while (result == WEIR_OK && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(tls->ctx, x) == 1) continue;
        X509_free(x);
        result = no_memory(error);
    }
    ERR_clear_error(); /* the end of the file */
    return file_done(tls, bio, bytes, result);
}

/* No pass phrase is asked for. */
static int no_phrase(char *buffer, int size, int writes, void *arg)
{
    (void)buffer, (void)size, (void)writes, (void)arg;
    return -1;
}

static int32_t use_key(struct tls *tls, struct weir_error *error)
{
    uint8_t *bytes;
    BIO *bio = read_file(tls, tls->key, &bytes, error);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL) : NULL;
    int32_t result = WEIR_OK;
    if (!bio)
        result = error->error_class;
    else if (!key)
        result = file_wrong("tls.key", "the file holds no PEM key without a pass phrase", error);
    else if (SSL_CTX_use_PrivateKey(tls->ctx, key) != 1)
        result = file_wrong("tls.key", "the key is not that of tls.certificate", error);
    EVP_PKEY_free(key);
    if (bytes) OPENSSL_cleanse(bytes, FILE_MOST);
    return file_done(tls, bio, bytes, result);
}

static int32_t trust(struct tls *tls, struct weir_error *error)
{
    uint8_t *bytes;
    BIO *bio = read_file(tls, tls->ca, &bytes, error);
    X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);
    int32_t result = bio ? WEIR_OK : error->error_class;
    uint32_t n = 0;
    X509 *x;
    while (result == WEIR_OK && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_cert(store, x) != 1) result = no_memory(error);
        if (result == WEIR_OK && tls->listens) SSL_CTX_add_client_CA(tls->ctx, x);
        X509_free(x);
        n++;
    }
    if (result == WEIR_OK && n == 0)
        result = file_wrong("tls.ca", "the file holds no PEM certificate", error);
    ERR_clear_error();
    return file_done(tls, bio, bytes, result);
}

int32_t tls_open(struct tls *tls, struct weir_error *error)
{
    int32_t result = WEIR_OK;
    tls->ctx = SSL_CTX_new(tls->listens ? TLS_server_method() : TLS_client_method());
    if (!tls->ctx || SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1)
        return weir_fail(error, WEIR_FATAL, "OpenSSL can't start: %s", reason());
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls->ctx, 0);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS);
    if (tls->certificate) result = use_certificate(tls, error);
    if (result == WEIR_OK && tls->key) result = use_key(tls, error);
    if (result == WEIR_OK && tls->ca) result = trust(tls, error);
    else if (result == WEIR_OK && !tls->listens) SSL_CTX_set_default_verify_paths(tls->ctx);
    if (!tls->listens) SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    else if (tls->ca)
        SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    ERR_clear_error();
    return result;
}

/* ---- a stream ---- */

/* Whose certificate it has to be: a name, or the address. */
static int expect_peer(struct tls_stream *s, const char *peer)
{
    const char *name = s->tls->server_name ? s->tls->server_name : peer;
    X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) return 1;
    ERR_clear_error();
    return SSL_set_tlsext_host_name(s->ssl, name) == 1 && SSL_set1_host(s->ssl, name) == 1;
}

int32_t tls_stream_create(struct tls *tls, int64_t handle, const char *peer,
                          struct tls_stream **out, struct weir_error *error)
{
    struct tls_stream *s = tls->host->alloc(sizeof *s);
    *out = s;
    if (!s) return no_memory(error);
    memset(s, 0, sizeof *s);
    s->tls = tls;
    s->handle = handle;
    s->ssl = SSL_new(tls->ctx);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    if (!s->ssl || !s->in || !s->out || (!tls->listens && !expect_peer(s, peer))) {
        BIO_free(s->in);
        BIO_free(s->out);
        SSL_free(s->ssl);
        tls->host->free(s);
        *out = NULL;
        return no_memory(error);
    }
    BIO_set_mem_eof_return(s->in, -1);
    SSL_set_bio(s->ssl, s->in, s->out);
    if (tls->listens) SSL_set_accept_state(s->ssl);
    else SSL_set_connect_state(s->ssl);
    return WEIR_OK;
}

void tls_stream_destroy(struct tls_stream *stream)
{
    if (!stream) return;
    SSL_free(stream->ssl);
    stream->tls->host->free(stream);
}

int tls_is_ready(const struct tls_stream *stream)
{
    return SSL_is_init_finished(stream->ssl);
}

/* Sends what the library wants to say. OK, also where the rest has to wait. */
static int32_t flush(struct tls_stream *s, struct weir_error *error)
{
    const struct weir_io *io = s->tls->io;
    for (;;) {
        uint64_t sent = 0;
        if (s->n_unsent == 0) {
            const int n = BIO_read(s->out, s->unsent, (int)PIECE);
            if (n <= 0) return WEIR_OK;
            s->n_unsent = (uint64_t)n;
        }
        int32_t status = io->send(s->tls->context, s->handle, s->unsent, s->n_unsent, &sent, error);
        memmove(s->unsent, s->unsent + sent, s->n_unsent - sent);
        s->n_unsent -= sent;
        if (status == WEIR_PENDING)
            return io->watch(s->tls->context, s->handle, WEIR_IO_WRITABLE, error);
        if (status != WEIR_OK) return status;
    }
}

/* Takes what the socket has. PENDING: nothing. */
static int32_t fetch(struct tls_stream *s, struct weir_error *error)
{
    uint8_t bytes[PIECE];
    uint64_t got = 0;
    int32_t status = s->tls->io->recv(s->tls->context, s->handle, bytes, sizeof bytes, &got, error);
    if (status != WEIR_OK) return status;
    if (got == 0) s->ended = 1;
    else if (BIO_write(s->in, bytes, (int)got) != (int)got) return no_memory(error);
    return WEIR_OK;
}

static int32_t broken(struct tls_stream *s, struct weir_error *error)
{
    const long verify = SSL_get_verify_result(s->ssl);
    struct weir_error ignored = WEIR_ERROR_INIT;
    const int ready = SSL_is_init_finished(s->ssl);
    flush(s, &ignored); /* the alert that says why */
    if (!ready && verify != X509_V_OK) {
        ERR_clear_error();
        return weir_fail(error, WEIR_RETRY, "the peer's certificate is refused: %s",
                         X509_verify_cert_error_string(verify));
    }
    return weir_fail(error, WEIR_RETRY, "%s: %s",
                     ready ? "TLS failed" : "the TLS handshake failed", reason());
}

/* The peer has ended. Our answer is for its sake: it may be gone. */
static int32_t say_goodbye(struct tls_stream *s)
{
    struct weir_error ignored = WEIR_ERROR_INIT;
    SSL_shutdown(s->ssl);
    flush(s, &ignored);
    ERR_clear_error();
    return WEIR_OK;
}

int32_t tls_recv(void *stream, void *buffer, uint64_t n, uint64_t *got, struct weir_error *error)
{
    struct tls_stream *s = stream;
    *got = 0;
    for (;;) {
        ERR_clear_error();
        const int r = SSL_read(s->ssl, buffer, n > INT32_MAX ? INT32_MAX : (int)n);
        const int why = r > 0 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, r);
        int32_t status = WEIR_OK;
        if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN)
            return broken(s, error);
        if (why == SSL_ERROR_ZERO_RETURN) return say_goodbye(s);
        status = flush(s, error);
        if (status != WEIR_OK) return status;
        if (r > 0) *got = (uint64_t)r;
        if (why != SSL_ERROR_WANT_READ) return WEIR_OK;
        if (s->ended)
            return weir_fail(error, WEIR_RETRY,
                             tls_is_ready(s) ? "the connection was cut: it ended without the end "
                                               "of TLS"
                                             : "the connection ended before the TLS handshake did");
        status = fetch(s, error);
        if (status != WEIR_OK) return status;
    }
}

#else

int32_t tls_create(const struct weir_host *host, struct weir_context *context, int listens,
                   struct tls **out, struct weir_error *error)
{
    static const char *const names[] = { "tls.certificate", "tls.key", "tls.ca",
                                         "tls.server_name" };
    (void)listens;
    *out = NULL;
    int given = option_integer(host, context, "tls.enabled", 0) != 0;
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        given |= option_text(host, context, names[i], NULL) != NULL;
    if (!given) return WEIR_OK;
    return weir_fail_option(error, "tls", -1, "TLS is not in this build: it was made without "
                            "OpenSSL (libssl-dev)");
}

int32_t tls_open(struct tls *tls, struct weir_error *error)
{
    (void)tls, (void)error;
    return WEIR_OK;
}

void tls_destroy(struct tls *tls)
{
    (void)tls;
}

int32_t tls_stream_create(struct tls *tls, int64_t handle, const char *peer,
                          struct tls_stream **out, struct weir_error *error)
{
    (void)tls, (void)handle, (void)peer, (void)out;
    return weir_fail(error, WEIR_UNSUPPORTED, "TLS is not in this build");
}

void tls_stream_destroy(struct tls_stream *stream)
{
    (void)stream;
}

int32_t tls_recv(void *stream, void *buffer, uint64_t n, uint64_t *got, struct weir_error *error)
{
    (void)stream, (void)buffer, (void)n, (void)got;
    return weir_fail(error, WEIR_UNSUPPORTED, "TLS is not in this build");
}

int tls_is_ready(const struct tls_stream *stream)
{
    (void)stream;
    return 0;
}

#endif
