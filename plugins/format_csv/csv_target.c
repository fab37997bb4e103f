/*
 * csv_target.c - which column takes which field.
 */
#include "plugins/format_csv/csv_cell.h"

#include "plugins/share/option.h"
#include "plugins/share/record.h"
#include "plugins/share/render.h"

#define FIELDS_MAX 16384u

static int target_add(struct csv_lane *lane, int32_t column)
{
    if (lane->n_targets == lane->target_room) {
        uint32_t room_for = lane->target_room ? lane->target_room * 2 : 32;
        int32_t *p = lane->csv->host->realloc(lane->target, room_for * sizeof *p);
        if (!p) return 0;
        lane->target = p;
        lane->target_room = room_for;
    }
    lane->target[lane->n_targets++] = column;
    return 1;
}

/* Fields by place. */
int32_t csv_target_by_place(struct csv_lane *lane, struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    int64_t i;
    if (lane->n_targets) return WEIR_OK;
    for (i = 0; i < csv->declared.n_children; i++)
        if (strcmp(csv->declared.children[i]->name, CSV_CORRUPT) != 0 &&
            !target_add(lane, csv->wanted_of[i]))
            return no_memory(error);
    return WEIR_OK;
}

static int32_t header_column(const struct csv *csv, struct weir_bytes name)
{
    int64_t i;
    for (i = 0; i < csv->declared.n_children; i++) {
        const char *declared = csv->declared.children[i]->name;
        if (strlen(declared) == name.length && memcmp(declared, name.data, name.length) == 0 &&
            strcmp(declared, CSV_CORRUPT) != 0)
            return (int32_t)i;
    }
    return -1;
}

static int32_t header_complete(const struct csv *csv, const uint8_t *seen,
                               struct weir_error *error)
{
    int64_t i;
    for (i = 0; i < csv->declared.n_children; i++) {
        const char *name = csv->declared.children[i]->name;
        if (!seen[i] && strcmp(name, CSV_CORRUPT) != 0)
            return weir_fail(error, WEIR_DATA, "the header line lacks column '%s'", name);
    }
    return WEIR_OK;
}

/* Fields by the names of the header line; made once per head. */
int32_t csv_target_by_header(struct csv_lane *lane, struct weir_bytes head,
                             struct weir_error *error)
{
    const struct csv *csv = lane->csv;
    struct csv_scan scan;
    struct csv_field field;
    uint64_t at = mark_length(head);
    uint8_t *seen;
    int32_t status = WEIR_OK;
    if (lane->n_targets && head.length == lane->head.length &&
        memcmp(head.data, lane->head.data, head.length) == 0)
        return WEIR_OK;
    lane->n_targets = 0;
    lane->head.length = 0;
    seen = csv->host->alloc((uint64_t)csv->declared.n_children);
    if (!seen) return no_memory(error);
    memset(seen, 0, (uint64_t)csv->declared.n_children);
    csv_begin(&scan, &csv->dialect, head.data, head.length, at, lane->marks);
    do {
        struct weir_bytes name;
        int32_t column;
        csv_next(&scan, at, &field);
        name.data = head.data + field.start;
        name.length = field.end - field.start;
        if (field.doubled && !csv_unescape(lane, &name)) status = no_memory(error);
        if (field.open || lane->n_targets == FIELDS_MAX)
            status = weir_fail(error, WEIR_DATA, "the header line is no line of names");
        if (status != WEIR_OK) break;
        column = header_column(csv, name);
        if (column >= 0 && seen[column])
            status = weir_fail(error, WEIR_DATA, "the header line has column '%s' twice",
                               csv->declared.children[column]->name);
        else if (!target_add(lane, column < 0 ? -1 : csv->wanted_of[column]))
            status = no_memory(error);
        if (column >= 0) seen[column] = 1;
        at = field.next;
    } while (status == WEIR_OK && !field.last);
    if (status == WEIR_OK) status = header_complete(csv, seen, error);
    if (status == WEIR_OK &&
        render_bytes(csv->host, head.data, head.length, &lane->head) != WEIR_OK)
        status = no_memory(error);
    if (status != WEIR_OK) lane->n_targets = 0;
    csv->host->free(seen);
    return status;
}
