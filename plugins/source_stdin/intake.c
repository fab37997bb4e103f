/*
 * intake.c - a stream of bytes, cut into whole records.
 *
 * Bytes are received into a window that always begins at the start of a record (or inside of one
 * that was too long). The host's `frame` says how many of them are whole records; these go out as
 * one row of `bytes`, and the rest moves to the front of the window.
 *
 *  1. The window grows by doubling while the record in it is unfinished, and after each doubling is
 *     framed once more, so a long record costs a constant number of looks per byte. It never holds
 *     more than max_record + GROWTH: a longer record is skipped by `frame`, window by window, with
 *     WEIR_FRAME_INSIDE in between.
 *  2. A stream that waits with an empty window has no window.
 *  3. At the end of the stream what is left is framed with WEIR_FRAME_END; what even then is no
 *     record is dropped. `drained` is set when nothing is left.
 *  4. The position counts delivered and skipped bytes: 8 bytes, little endian, counted on from
 *     `from`, so it goes on growing over restarts. It says how much was read, not where to go on:
 *     the stream can't be read twice.
 */
#include "plugins/source_stdin/intake.h"

#include "plugins/share/column.h"
#include "plugins/share/option.h"

#define READ_BYTES (256u << 10) /* received before it is framed */
#define FIRST_BYTES (16u << 10)
#define GROWTH (64u << 10)
#define MOST_RECORD (1u << 30) /* offsets of a column are int32 */
#define BEHIND 64u             /* readable bytes behind what is framed */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the instance ---- */

int32_t intake_service_init(struct intake_service *service, const struct weir_host *host,
                            struct weir_context *context, struct weir_error *error)
{
    int64_t max_record = option_integer(host, context, "max_record", 1 << 20);
    service->host = host;
    service->context = context;
    service->io = host->get_interface(WEIR_IO_ID);
    service->data = host->get_interface(WEIR_DATA_ID);
    service->formats = host->get_interface(WEIR_FORMAT_ID);
    if (!service->io || !service->data || !service->formats)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "the host lacks " WEIR_IO_ID ", " WEIR_DATA_ID " or " WEIR_FORMAT_ID);
    if (max_record < 1 || max_record > MOST_RECORD)
        return weir_fail_option(error, "max_record", -1, "a record has 1 byte to 1Gi");
    service->most = (uint64_t)max_record + GROWTH;
    return WEIR_OK;
}

int32_t intake_service_bind(struct intake_service *service, const struct weir_source_bind *in,
                            struct weir_source_plan *out, struct weir_error *error)
{
    service->with_head = in->head;
    return service->data->schema_parse(in->head ? "bytes binary not null, head binary not null"
                                                : "bytes binary not null",
                                       &out->schema, error);
}

/* ---- the stream ---- */

void intake_init(struct intake *intake, const struct intake_service *service, int64_t handle)
{
    memset(intake, 0, sizeof *intake);
    intake->service = service;
    intake->handle = handle;
    intake->flags = WEIR_FRAME_START;
}

static void window_free(struct intake *intake)
{
    intake->service->host->free(intake->window);
    intake->window = NULL;
    intake->length = intake->capacity = intake->dry = 0;
}

void intake_free(struct intake *intake)
{
    if (!intake->service) return;
    window_free(intake);
    intake->service->host->free(intake->head);
    intake->head = NULL;
}

void intake_end(struct intake *intake)
{
    intake->flags |= WEIR_FRAME_END;
}

void intake_drop(struct intake *intake)
{
    window_free(intake);
}

static int32_t window_grow(struct intake *intake, struct weir_error *error)
{
    uint64_t capacity = intake->capacity ? intake->capacity * 2 : FIRST_BYTES;
    uint8_t *window;
    capacity = least(capacity, intake->service->most);
    window = intake->service->host->realloc(intake->window, capacity + BEHIND);
    if (!window) return no_memory(error);
    memset(window + intake->length, 0, capacity + BEHIND - intake->length);
    intake->window = window;
    intake->capacity = capacity;
    return WEIR_OK;
}

int32_t intake_fill(struct intake *intake, uint64_t target, struct weir_error *error)
{
    const struct intake_service *service = intake->service;
    target = least(target, service->most);
    while (intake->length < target && !(intake->flags & WEIR_FRAME_END)) {
        uint64_t got = 0;
        int32_t status = WEIR_OK;
        if (intake->length == intake->capacity) status = window_grow(intake, error);
        if (status != WEIR_OK) return status;
        const uint64_t room = least(intake->capacity, target) - intake->length;
        uint8_t *to = intake->window + intake->length;
        status = intake->recv ? intake->recv(intake->stream, to, room, &got, error)
                              : service->io->recv(service->context, intake->handle, to, room, &got,
                                                  error);
        if (status != WEIR_OK) return status;
        if (got == 0) intake_end(intake);
        intake->length += got;
    }
    return WEIR_OK;
}

/* Takes n bytes off the front of the window. */
static void consume(struct intake *intake, uint64_t n)
{
    memmove(intake->window, intake->window + n, intake->length - n);
    intake->length -= n;
    intake->dry = 0;
    if (n) intake->flags &= ~WEIR_FRAME_START;
}

static int32_t keep_head(struct intake *intake, uint64_t n, struct weir_error *error)
{
    const struct weir_host *host = intake->service->host;
    uint8_t *head = host->alloc(n + 1);
    if (!head) return no_memory(error);
    memcpy(head, intake->window, n);
    host->free(intake->head);
    intake->head = head;
    intake->head_length = n;
    return WEIR_OK;
}

static int32_t make_cell(const struct weir_data *data, const uint8_t *bytes, uint64_t n,
                         struct ArrowArray *out, struct weir_error *error)
{
    int32_t status = data->column(WEIR_TYPE_BINARY, 1, n, 0, out, error);
    if (status != WEIR_OK) return status;
    ((int32_t *)(uintptr_t)out->buffers[1])[1] = (int32_t)n;
    if (n) memcpy((uint8_t *)(uintptr_t)out->buffers[2], bytes, n);
    return WEIR_OK;
}

/* One row: [from, end) of the window, and the head where the format has one. */
static int32_t make_row(struct intake *intake, uint64_t from, uint64_t end, struct ArrowArray *out,
                        struct weir_error *error)
{
    const struct intake_service *service = intake->service;
    struct ArrowArray columns[2];
    int32_t status = make_cell(service->data, intake->window + from, end - from, &columns[0],
                               error);
    if (status != WEIR_OK) return status;
    if (service->with_head) {
        status = make_cell(service->data, intake->head, intake->head_length, &columns[1], error);
        if (status != WEIR_OK) {
            columns[0].release(&columns[0]);
            return status;
        }
    }
    return array_of_columns(service->host, columns, service->with_head ? 2 : 1, 1, out, error);
}

static uint64_t position_of(struct weir_bytes position)
{
    uint64_t at = 0;
    uint32_t i;
    for (i = 0; position.length == 8 && i < 8; i++) at |= (uint64_t)position.data[i] << (8 * i);
    return at;
}

static void position_set(uint8_t position[8], uint64_t at)
{
    for (uint32_t i = 0; i < 8; i++) position[i] = (uint8_t)(at >> (8 * i));
}

static void move_on(struct intake *intake, const struct weir_next *in, uint64_t moved,
                    struct weir_next_result *out)
{
    if (moved == 0) return;
    position_set(intake->position, position_of(in->from) + moved);
    out->position.data = intake->position;
    out->position.length = sizeof intake->position;
}

/* Nothing more now. */
static int32_t wait_for_more(struct intake *intake, uint64_t moved, struct weir_error *error)
{
    const struct intake_service *service = intake->service;
    int32_t status;
    if (intake->length == 0) window_free(intake);
    status = service->io->watch(service->context, intake->handle, WEIR_IO_READABLE, error);
    if (status != WEIR_OK) return status;
    return moved ? WEIR_OK : WEIR_PENDING;
}

/* Frames the window and takes off what can go. *took: bytes; 0: the record is unfinished. */
static int32_t take(struct intake *intake, const struct weir_next *in,
                    struct weir_next_result *out, uint64_t *took, struct weir_error *error)
{
    const struct intake_service *service = intake->service;
    struct weir_bytes bytes = { intake->window, intake->length };
    struct weir_frame frame;
    int32_t status;
    *took = 0;
    memset(&frame, 0, sizeof frame);
    frame.size = (uint32_t)sizeof frame;
    status = service->formats->frame(service->context, bytes, intake->flags, in->max_rows, &frame,
                                     error);
    if (status != WEIR_OK) return status;
    if (frame.end && (intake->flags & WEIR_FRAME_START))
        status = keep_head(intake, frame.head_end, error);
    if (status == WEIR_OK && frame.end > frame.head_end)
        status = make_row(intake, frame.head_end, frame.end, &out->array, error);
    if (status != WEIR_OK) return status;
    out->records = frame.records;
    intake->skipped_head = frame.head_end;
    *took = frame.end + frame.skipped;
    if (*took == 0 && (intake->flags & WEIR_FRAME_END)) *took = intake->length; /* no record */
    if (*took == 0 && intake->length >= service->most)
        return weir_fail(error, WEIR_FATAL, "the format frames no record in %llu bytes",
                         (unsigned long long)intake->length);
    intake->flags = (intake->flags & ~WEIR_FRAME_INSIDE) | (frame.flags & WEIR_FRAME_INSIDE);
    consume(intake, *took);
    if (*took == 0) intake->dry = intake->length;
    return WEIR_OK;
}

int32_t intake_next(struct intake *intake, const struct weir_next *in,
                    struct weir_next_result *out, struct weir_error *error)
{
    const struct intake_service *service = intake->service;
    uint64_t moved = 0, took;
    for (;;) {
        uint64_t target = least(READ_BYTES, in->max_bytes ? in->max_bytes : 1);
        int32_t filled, status = WEIR_OK;
        if (intake->dry * 2 > target) target = intake->dry * 2;
        filled = intake_fill(intake, target, error);
        if (filled > WEIR_PENDING) return filled;
        if (intake->length == 0 && (intake->flags & WEIR_FRAME_END)) {
            window_free(intake);
            intake->drained = 1;
            move_on(intake, in, moved, out);
            return WEIR_OK;
        }
        took = 0;
        if (intake->length > intake->dry || (intake->flags & WEIR_FRAME_END))
            status = take(intake, in, out, &took, error);
        if (status != WEIR_OK) return status;
        if (out->array.release) {
            position_set(intake->first, position_of(in->from) + moved + intake->skipped_head);
            out->first = (struct weir_bytes){ intake->first, sizeof intake->first };
        }
        moved += took;
        move_on(intake, in, moved, out);
        if (out->array.release) return WEIR_OK;
        if (filled == WEIR_PENDING && (took == 0 || intake->length == 0))
            return wait_for_more(intake, moved, error);
        if (service->host->now_us(service->context) >= in->deadline_us) {
            out->flags |= WEIR_NEXT_MORE;
            return WEIR_OK;
        }
    }
}

int32_t intake_lost(const struct intake_service *service, const struct weir_next *in,
                    struct weir_next_result *out)
{
    if (!option_integer(service->host, service->context, "spool", 1))
        service->host->log(service->context, WEIR_LOG_WARN,
                           "the input of the batch that was under way was not kept (spool is "
                           "false): it is lost");
    out->position = in->replay_to;
    out->flags = WEIR_NEXT_BATCH_END;
    return WEIR_OK;
}

int32_t intake_place(void *self, struct weir_bytes first, uint64_t bytes, uint64_t rows,
                     uint8_t *out, uint32_t *length)
{
    (void)self, (void)rows;
    if (first.length != 0 && first.length != 8) return WEIR_DATA;
    position_set(out, position_of(first) + bytes);
    *length = 8;
    return WEIR_OK;
}

int32_t intake_position_text(struct weir_bytes position, char *text, uint32_t size)
{
    if (position.length != 0 && position.length != 8) return WEIR_DATA;
    snprintf(text, size, "%llu bytes", (unsigned long long)position_of(position));
    return WEIR_OK;
}
