/*
 * intake.h - a stream of bytes, cut into whole records: what `stdin` and `socket` do with a handle.
 */
#ifndef SOURCE_INTAKE_H
#define SOURCE_INTAKE_H

#include <weir/plugin.h>

/* What all streams of an instance share; constant after bind. */
struct intake_service {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_io *io;
    const struct weir_data *data;
    const struct weir_formats *formats;
    uint64_t most;      /* bytes that are held for one record, at most */
    uint32_t with_head; /* the format has heads */
};

/* One stream. One thread at a time; zeroed memory may be freed. */
struct intake {
    const struct intake_service *service;
    int64_t handle;
    /* what receives instead of weir_io.recv, and its argument; NULL: it does */
    int32_t (*recv)(void *stream, void *buffer, uint64_t n, uint64_t *got,
                    struct weir_error *error);
    void *stream;
    uint8_t *window; /* bytes not yet delivered, from the start of a record on */
    uint64_t length, capacity;
    uint64_t dry;    /* bytes of the window in which no whole record was found; 0: not looked */
    uint8_t *head;   /* what the format called the head of this stream */
    uint64_t head_length;
    uint32_t flags;  /* WEIR_FRAME_… of the next framing */
    uint32_t drained; /* everything up to the end of the stream was delivered */
    uint8_t position[8];
    uint8_t first[8]; /* of the last rows */
    uint64_t skipped_head; /* bytes of a head before them in their window */
};

/* [control], in create and bind. */
int32_t intake_service_init(struct intake_service *service, const struct weir_host *host,
                            struct weir_context *context, struct weir_error *error);
int32_t intake_service_bind(struct intake_service *service, const struct weir_source_bind *in,
                            struct weir_source_plan *out, struct weir_error *error);

void intake_init(struct intake *intake, const struct intake_service *service, int64_t handle);
void intake_free(struct intake *intake); /* the memory; the handle stays open */
void intake_end(struct intake *intake);  /* nothing more will be received */
void intake_drop(struct intake *intake); /* forgets what was received and not yet delivered */

/* Receives into the window. OK: there may be more, or the end was reached; PENDING: nothing more
 * just now; else the class of recv, or FATAL without memory. */
int32_t intake_fill(struct intake *intake, uint64_t target, struct weir_error *error);

/* The `next` of a stream: OK with rows, with a moved position alone, or with `drained` set; PENDING
 * with a watch on the handle; the class of recv, watch or frame; FATAL without memory. */
int32_t intake_next(struct intake *intake, const struct weir_next *in,
                    struct weir_next_result *out, struct weir_error *error);

/* `next` for rows that were read before a crash but not kept, as `spool` was off. */
int32_t intake_lost(const struct intake_service *service, const struct weir_next *in,
                    struct weir_next_result *out);

/* As weir_source.place. */
int32_t intake_place(void *self, struct weir_bytes first, uint64_t bytes, uint64_t rows,
                     uint8_t *out, uint32_t *length);
int32_t intake_position_text(struct weir_bytes position, char *text, uint32_t size);

#endif
