/*
 * lane.h - a lane of grouping; shared by lane.c (rows of a batch) and windows.c (those of several).
 */
#ifndef OPERATOR_GROUP_LANE_H
#define OPERATOR_GROUP_LANE_H

#include "plugins/operator_group/group.h"
#include "plugins/share/column.h"

/* A chunk that is kept until the batch ends. */
struct kept {
    const struct weir_chunk *chunk;
    uint32_t input;
};

struct place {
    uint32_t kept, row;
};

struct group_lane {
    struct weir_context *context;
    struct weir_combine *keys;    /* of the batch; made on first use */
    struct weir_builder *builder; /* of the lists */
    struct kept *kept;
    struct place *places;         /* of the rows, in order of arrival */
    struct place *sorted;
    uint32_t *row_slots;          /* of the rows */
    uint32_t *ends;               /* by slot: where its rows end in `sorted` */
    uint32_t n_kept, room_kept, n_rows, room_rows;
    struct ArrowArray evaluated[BY_MAX];
    const struct ArrowArray *inputs[BY_MAX];
    struct weir_output_column *out;
    /* over windows of batches */
    struct weir_begin begin;
    struct weir_buffer packed;
    struct column list;           /* of the emission under way */
    uint32_t slots[TARGET_ROWS];
    uint32_t rows[WEIR_CHUNK_MAX_ROWS];
};

/* The end of a batch over windows: the rows of its n keys, sorted, go into state; rows that have
 * left go; a window that is due is emitted. */
int32_t lane_advance_windows(const struct group *g, struct group_lane *lane, uint32_t n,
                             struct weir_error *error);

#endif
