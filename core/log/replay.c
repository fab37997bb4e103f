/*
 * replay.c - all segments in order.
 *
 * What a power loss can leave, and what it can't. A group of records is one write followed by
 * one sync; a new segment is begun only when the one before it is synced to its end and its name
 * is durable. Thus:
 *
 *  1. Valid is a record with right checksums, the log's salt, the next sequence number, and a
 *     generation not below that of the record before it: a stale record of a tail that was cut
 *     has an older one.
 *  2. In a segment that has a successor everything was synced: damage in it is corruption. So is
 *     a missing segment between two others, and one that is shorter than its successor says.
 *  3. In the last segment the first invalid place is a torn tail, unless some valid record
 *     behind it (rule 1, but for numbers left out) names a durable position above that place:
 *     then these bytes had been synced, and it is corruption. Records of one write may land in
 *     any order, so a valid record behind damage alone says nothing.
 *  4. The first segment was synced before weir.json named the checkpoint, or before its
 *     predecessors went: its first record is never a torn tail.
 *  5. Bit rot in the group that was synced last looks like a torn tail, as nothing names it
 *     durable yet. Sinks that keep job and batch find that out.
 */
#include "core/log/replay.h"

struct place {
    struct reader reader;
    struct segment_info *info;
    int least, last;
};

static int32_t damage(struct replay *r, const char *why, struct weir_error *error)
{
    char name[NAME_BYTES];

    r->damaged = 1;
    r->why = why;
    family_name(FAMILY_LOG, r->end.segment, name);
    return weir_fail(error, WEIR_DATA, "%.300s/%s: offset %llu: damaged: %s%s", r->dir->path, name,
                     (unsigned long long)r->end.offset, why,
                     r->sequence ? "" : "; nothing sound stands before it");
}

static int32_t missing(struct replay *r, uint32_t number, struct weir_error *error)
{
    r->end.segment = number;
    r->end.offset = 0;
    r->missing = 1;
    return damage(r, "the segment is missing", error);
}

/* The first record of a segment; its number and predecessor must be right. */
static int32_t first_check(struct replay *r, const struct place *at, const struct frame *frame,
                           struct weir_bytes payload, const char **why, struct weir_error *error)
{
    uint8_t id[16];

    if (frame->type != LOG_SEGMENT || payload.length < 4) {
        *why = "a segment begins with another record";
        return WEIR_OK;
    }
    if (get_u32(payload.data) > SEGMENT_FORMAT)
        return weir_fail(error, WEIR_CONFIG,
                         "%.300s/%s: the segment has format %u, this weir knows up to %u; use the "
                         "newer weir", r->dir->path, at->reader.name, get_u32(payload.data),
                         SEGMENT_FORMAT);
    identity_id(r->identity, id);
    if (payload.length != SEGMENT_PAYLOAD || get_u32(payload.data + 4) != at->info->number)
        *why = "the segment has another number";
    else if (memcmp(payload.data + 16, id, 16) != 0)
        *why = "the segment belongs to another job";
    else if (!at->least && get_u64(payload.data + 8) != r->previous)
        *why = "the segment before this one has another length";
    return WEIR_OK;
}

static const char *chain_check(const struct replay *r, const struct frame *frame, uint64_t offset)
{
    struct position own = {r->end.segment, offset};

    if (r->sequence ? frame->sequence != r->sequence + 1
                    : !frame->sequence || (own.segment == 1 && frame->sequence != 1))
        return "the sequence number does not follow";
    if (frame->generation < r->generation)
        return "the record was left over by an earlier run";
    if (position_above(frame->durable, own))
        return "the record names a durable offset behind itself";
    if (offset && frame->type == LOG_SEGMENT)
        return "a segment begins inside another";
    return NULL;
}

static int32_t record_show(struct replay *r, const struct place *at, const struct frame *frame,
                           struct weir_bytes payload, uint64_t offset, struct weir_error *error)
{
    struct log_record record = {
        .type = frame->type,
        .version = frame->version,
        .sequence = frame->sequence,
        .batch = frame->batch,
        .payload = payload,
        .segment = at->info->number,
        .offset = offset,
    };

    if (frame->type >= LOG_INTERNAL)
        return WEIR_OK;
    r->records++;
    return r->fn ? r->fn(r->arg, &record, error) : WEIR_OK;
}

/* Reads records up to the end of the segment or the first invalid one (r->why). */
static int32_t segment_read(struct replay *r, struct place *at, struct weir_error *error)
{
    uint64_t offset = 0, next = 0;

    r->end.segment = at->info->number;
    r->end.offset = 0;
    while (offset < at->reader.size || !offset) {
        struct frame frame;
        struct weir_bytes payload;
        int32_t class = frame_read(&at->reader, r->identity->salt, offset, &frame, &payload, &next,
                                   &r->why, error);

        if (class == WEIR_OK && !r->why)
            r->why = chain_check(r, &frame, offset);
        if (class == WEIR_OK && !r->why && !offset)
            class = first_check(r, at, &frame, payload, &r->why, error);
        if (class != WEIR_OK || r->why)
            return class;
        if (!offset)
            at->info->first_sequence = frame.sequence;
        r->sequence = frame.sequence;
        r->generation = frame.generation;
        r->end.offset = next;
        class = record_show(r, at, &frame, payload, offset, error);
        if (class != WEIR_OK)
            return class;
        offset = next;
    }
    return WEIR_OK;
}

/* Rules 2 to 4 at an invalid place. */
static int32_t segment_judge(struct replay *r, struct place *at, struct weir_error *error)
{
    struct survey survey = {0};
    int32_t class;

    r->behind = at->reader.size - r->end.offset;
    if (!at->last || (at->least && !r->end.offset))
        return damage(r, r->why, error);
    class = segment_survey(&at->reader, r->identity->salt, r->end.offset, r->sequence,
                           r->generation, &survey, error);
    if (class != WEIR_OK)
        return class;
    return position_above(survey.durable, r->end) ? damage(r, r->why, error) : WEIR_OK;
}

/* Fills in what the pointers don't say, and the list of segments. */
static int32_t segments_find(struct replay *r, struct weir_error *error)
{
    uint32_t first, n, family, i, k = 0;

    for (family = 0; family < FAMILIES; family++) {
        n = listing_of(r->listing, family, &first);
        if (!r->certain && n && r->listing->files[first].number > r->need.first[family])
            r->need.first[family] = r->listing->files[first].number;
        if (!r->need.first[family])
            r->need.first[family] = 1;
    }
    n = listing_of(r->listing, FAMILY_LOG, &first);
    r->segments = mem_alloc(((uint64_t)n + 1) * sizeof *r->segments);
    if (!r->segments)
        return weir_fail(error, WEIR_FATAL, "%.300s: no memory", r->dir->path);
    for (i = first; i < first + n; i++) {
        uint32_t number = r->listing->files[i].number;

        if (number < r->need.first[FAMILY_LOG])
            continue;
        if (number != r->need.first[FAMILY_LOG] + k)
            break;
        r->segments[k].number = number;
        r->segments[k++].first_sequence = 0;
    }
    r->n_segments = k;
    return k ? WEIR_OK : missing(r, r->need.first[FAMILY_LOG], error);
}

int32_t replay_run(struct replay *r, struct weir_error *error)
{
    int32_t class = segments_find(r, error);
    uint32_t i, greatest = 0, first, n;

    if (class != WEIR_OK)
        return class;
    n = listing_of(r->listing, FAMILY_LOG, &first);
    greatest = r->listing->files[first + n - 1].number;
    for (i = 0; i < r->n_segments; i++) {
        struct place at = {.info = &r->segments[i], .least = i == 0};

        at.last = at.info->number == greatest;
        r->previous = r->end.offset;
        class = reader_open(&at.reader, r->dir, at.info->number, error);
        if (class == WEIR_OK)
            class = segment_read(r, &at, error);
        if (class == WEIR_OK && r->why)
            class = segment_judge(r, &at, error);
        reader_close(&at.reader);
        if (class != WEIR_OK || r->why)
            return class;
    }
    if (r->end.segment != greatest)
        return missing(r, r->end.segment + 1, error);
    return WEIR_OK;
}
