/*
 * json.c - the format `json`: a record is a line with one object, a row has the declared columns.
 *
 *  1. A column reads the member of its name, or what its path in `paths` names: `$.a.b`,
 *     `$.a[0].b`. Only columns that the job reads are parsed; the rest of a record is skipped
 *     (json_shim.cpp).
 *  2. Lines are found by their feeds alone, so no mistake inside of a record moves the bounds of
 *     the next one.
 *  3. A missing member, a null, and a scalar where the path goes on are null.
 *  4. With `multi_line` a partition is one document: an object is a row, an array has a row per
 *     element.
 *  5. A bad record is rejected as a whole. With on_error "null" bad fields are null, and
 *     `_corrupt_record`, if it is declared, gets the text.
 *
 * A condition "column = 'text'" that the job puts on all rows is looked at while a record is read: one for
 * which it is not true is checked like any other, and rejected if it is bad, but makes no row.
 *
 * The paths of all columns are one tree, so that a record is walked once.
 */
#include <weir/plugin.h>

#include "plugins/format_json/json_shim.h"
#include "plugins/share/condition.h"
#include "plugins/share/option.h"
#include "plugins/share/record.h"
#include "plugins/share/render.h"
#include "plugins/share/text.h"

#define CHUNK_ROWS WEIR_CHUNK_TARGET_ROWS
#define CHUNK_BYTES (4u << 20)
#define INDEX_MAX 1000000
#define CORRUPT "_corrupt_record"

static const struct weir_option options[] = {
    WEIR_OPTION(WEIR_OPTION_COLUMNS, 0, "columns", NULL, NULL,
                "the columns, \"user string, amount double\" (needed by sources)"),
    WEIR_OPTION(WEIR_OPTION_MAP, 0, "paths", NULL, NULL,
                "where a column's value is, if not under its name: {\"city\": \"$.address.city\"}"),
    WEIR_OPTION(WEIR_OPTION_BOOL, 0, "multi_line", "false", NULL,
                "a file is one document; an array in it has a row per element"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "timestamp_unit", NULL, "s|ms|us",
                "timestamps are numbers since 1970 in this unit"),
    WEIR_OPTION(WEIR_OPTION_CHOICE, 0, "invalid", "dead_letter", "dead_letter|replace",
                "what becomes of text that is not UTF-8"),
};

struct json {
    const struct weir_host *host;
    struct weir_context *context;
    const struct weir_data *data;
    int multi_line, replace;
    struct json_plan plan;
    struct ArrowSchema wanted;
    int32_t corrupt; /* place of _corrupt_record among the wanted columns, or -1 */
    struct condition condition;
    const struct ArrowSchema *encoded;
    struct weir_buffer *keys; /* `"name":` of each column to encode */
};

struct lane {
    const struct json *json;
    struct weir_context *context;
    struct json_parser *parser;
    struct column *columns;
    uint32_t n_columns, rows;
    uint32_t left_out; /* rows since the last chunk */
    uint64_t bytes;    /* of records since then, less than CHUNK_BYTES */
    struct weir_buffer mended;
    int32_t status; /* inside a document */
    struct weir_error *error;
};

/* ---- the tree of paths ---- */

static void path_free(const struct weir_host *host, struct json_path *path)
{
    uint32_t i;
    for (i = 0; i < path->n_parts; i++) path_free(host, &path->parts[i]);
    host->free(path->parts);
    host->free(path->columns);
    host->free(path->below);
    host->free((void *)(uintptr_t)path->name);
}

static int push_number(const struct weir_host *host, uint32_t **list, uint32_t *n, uint32_t value)
{
    uint32_t *p = host->realloc(*list, (*n + 1) * sizeof **list);
    if (!p) return 0;
    p[(*n)++] = value;
    *list = p;
    return 1;
}

/* The part of `path` with this name or index, made if there is none; NULL without memory. */
static struct json_path *part_get(const struct weir_host *host, struct json_path *path,
                                  const char *name, uint64_t n, int64_t index)
{
    struct json_path *parts, *part;
    char *copy;
    uint32_t i;
    for (i = 0; i < path->n_parts; i++) {
        part = &path->parts[i];
        if (part->index != index) continue;
        if (index >= 0 || (part->n_name == n && memcmp(part->name, name, n) == 0)) return part;
    }
    copy = host->alloc(n + 1);
    parts = copy ? host->realloc(path->parts, (path->n_parts + 1) * sizeof *parts) : NULL;
    if (!parts) {
        host->free(copy);
        return NULL;
    }
    if (n) memcpy(copy, name, n);
    copy[n] = 0;
    path->parts = parts;
    part = &parts[path->n_parts++];
    memset(part, 0, sizeof *part);
    part->name = copy;
    part->n_name = n;
    part->index = index;
    return part;
}

static int32_t bad_path(struct weir_error *error, const char *column, const char *text,
                        const char *at)
{
    char option[64];
    snprintf(option, sizeof option, "paths.%s", column);
    return weir_fail_option(error, option, (int32_t)(at - text),
                            "a path is like $.a.b or $.a[0].b");
}

/* One step of a path at *at: 1, 0 at the end, -1 if it is none. */
static int path_step(const char **at, const char **name, uint64_t *n, int64_t *index)
{
    const char *p = *at;
    *index = -1;
    *n = 0;
    *name = "";
    if (*p == 0) return 0;
    if (*p == '.') {
        *name = ++p;
        *n = strcspn(p, ".[");
        *at = p + *n;
        return *n ? 1 : -1;
    }
    if (*p != '[' || p[1] < '0' || p[1] > '9') return -1;
    for (*index = 0, p++; *p >= '0' && *p <= '9'; p++) {
        *index = *index * 10 + (*p - '0');
        if (*index > INDEX_MAX) return -1;
    }
    if (*p != ']') return -1;
    *at = p + 1;
    return 1;
}

/* Enters column `number` with its path (NULL: its name) into the tree. */
static int32_t path_add(struct json *json, uint32_t number, const char *column, const char *text,
                        struct weir_error *error)
{
    const struct weir_host *host = json->host;
    struct json_path *path = &json->plan.root;
    const char *at, *name = column;
    uint64_t n = strlen(column);
    int64_t index = -1;
    int more = 1, steps = 0;
    if (text && text[0] != '$') return bad_path(error, column, text, text);
    at = text ? text + 1 : "";
    if (text) more = path_step(&at, &name, &n, &index);
    for (; more == 1; more = path_step(&at, &name, &n, &index)) {
        path = part_get(host, path, name, n, index);
        if (!path || !push_number(host, &path->below, &path->n_below, number))
            return no_memory(error);
        if (++steps > JSON_NESTING_MAX) more = -1;
        if (more < 0) break;
    }
    if (more < 0 || steps == 0) return bad_path(error, column, text ? text : "", at);
    return push_number(host, &path->columns, &path->n_columns, number) ? WEIR_OK
                                                                       : no_memory(error);
}

static const char *path_option(struct json *json, const char *column)
{
    struct weir_value item;
    uint64_t i;
    for (i = 0;; i++) {
        memset(&item, 0, sizeof item);
        item.size = (uint32_t)sizeof item;
        if (json->host->option_item(json->context, "paths", i, &item) != WEIR_OK) return NULL;
        if (item.key && strcmp(item.key, column) == 0) return item.text;
    }
}

/* Every key of `paths` is a column. */
static int32_t paths_known(struct json *json, const struct ArrowSchema *declared,
                           struct weir_error *error)
{
    struct weir_value item;
    uint64_t i;
    for (i = 0;; i++) {
        memset(&item, 0, sizeof item);
        item.size = (uint32_t)sizeof item;
        if (json->host->option_item(json->context, "paths", i, &item) != WEIR_OK) return WEIR_OK;
        if (item.key && weir_column_index(declared, item.key) < 0)
            return weir_fail_option(error, "paths", -1, "there is no column '%s'", item.key);
    }
}

/* ---- create, bind ---- */

static int32_t json_create(const struct weir_host *host, struct weir_context *context, void **self,
                           struct weir_error *error)
{
    struct json *json = host->alloc(sizeof *json);
    const char *unit;
    *self = json;
    if (!json) return no_memory(error);
    memset(json, 0, sizeof *json);
    json->host = host;
    json->context = context;
    json->corrupt = -1;
    json->data = host->get_interface(WEIR_DATA_ID);
    if (!json->data) return weir_fail(error, WEIR_UNSUPPORTED, "the host lacks " WEIR_DATA_ID);
    json->multi_line = option_integer(host, context, "multi_line", 0) != 0;
    json->replace = option_is(option_text(host, context, "invalid", NULL), "replace");
    unit = option_text(host, context, "timestamp_unit", NULL);
    json->plan.root.index = -1;
    json->plan.condition = -1;
    json->plan.timestamp_unit = option_is(unit, "s")    ? 1000000
                                : option_is(unit, "ms") ? 1000
                                : option_is(unit, "us") ? 1
                                                        : 0;
    return WEIR_OK;
}

static void keys_free(struct json *json)
{
    int64_t i;
    for (i = 0; json->keys && i < json->encoded->n_children; i++)
        json->host->free(json->keys[i].data);
    json->host->free(json->keys);
    json->keys = NULL;
}

static void json_destroy(void *self)
{
    struct json *json = self;
    if (!json) return;
    path_free(json->host, &json->plan.root);
    if (json->wanted.release) json->wanted.release(&json->wanted);
    keys_free(json);
    json->host->free(json);
}

static int32_t want(struct json *json, const struct ArrowSchema *column, uint32_t at,
                    struct weir_error *error)
{
    struct ArrowSchema copy, *place = json->wanted.children[at];
    int32_t status = json->data->schema_copy(column, NULL, &copy, error);
    if (status != WEIR_OK) return status;
    if (place->release) place->release(place);
    *place = copy;
    if (strcmp(copy.name, CORRUPT) == 0) {
        if (weir_type_of(column) != WEIR_TYPE_UTF8)
            return weir_fail_option(error, "columns", -1, CORRUPT " must be a string");
        json->corrupt = (int32_t)at;
        return WEIR_OK;
    }
    return path_add(json, at, column->name, path_option(json, column->name), error);
}

/* The first condition on one of the texts. */
static uint64_t choose_condition(struct json *json, const struct weir_decode_bind *in)
{
    struct condition *c = &json->condition;
    for (uint32_t i = 0; i < in->n_conjuncts && i < 64; i++) {
        if (!condition_parse(in->conjuncts[i], c) || c->contains) continue;
        const int32_t at = weir_column_index(&json->wanted, c->column);
        if (at < 0 || at == json->corrupt || weir_type_of(json->wanted.children[at]) != WEIR_TYPE_UTF8)
            continue;
        json->plan.condition = at;
        json->plan.equals = (struct weir_bytes){ c->text, c->n_text };
        return (uint64_t)1 << i;
    }
    return 0;
}

static int32_t json_bind_decode(void *self, const struct weir_decode_bind *in,
                                struct weir_decode_plan *out, struct weir_error *error)
{
    struct json *json = self;
    uint32_t i, n;
    int32_t status;
    if (!in->declared || in->declared->n_children == 0)
        return weir_fail_option(error, "columns", -1,
                                "json needs its columns: \"user string, amount double\"");
    status = paths_known(json, in->declared, error);
    if (status != WEIR_OK) return status;
    json->plan.null_on_error = in->null_on_error != 0;
    n = in->wanted ? in->n_wanted : (uint32_t)in->declared->n_children;
    status = json->data->schema_struct(n, &json->wanted, error);
    for (i = 0; i < n && status == WEIR_OK; i++) {
        int32_t at = in->wanted ? weir_column_index(in->declared, in->wanted[i]) : (int32_t)i;
        status = at < 0 ? weir_fail_option(error, "columns", -1, "there is no column '%s'",
                                           in->wanted[i])
                        : want(json, in->declared->children[at], i, error);
    }
    if (status != WEIR_OK) return status;
    out->has_head = 0;
    out->one_to_one = json->multi_line ? 0 : 2;
    out->absorbed = choose_condition(json, in);
    json->plan.n_columns = n;
    return json->data->schema_copy(&json->wanted, NULL, &out->schema, error);
}

static int32_t json_frame(void *self, struct weir_bytes bytes, uint32_t flags,
                          uint64_t max_records, struct weir_frame *out, struct weir_error *error)
{
    struct json *json = self;
    (void)error;
    if (!json->multi_line) {
        record_frame(bytes, flags, max_records, "\n", 1, 0, 0, out);
        return WEIR_OK;
    }
    out->end = out->head_end = out->records = 0;
    if (!(flags & WEIR_FRAME_END) || max_records == 0) return WEIR_OK;
    if (flags & WEIR_FRAME_START) out->head_end = mark_length(bytes);
    out->end = bytes.length;
    out->records = out->end > out->head_end;
    return WEIR_OK;
}

/* ---- decode ---- */

static int32_t lane_create(void *self, struct weir_context *context, void **out,
                           struct weir_error *error)
{
    const struct json *json = self;
    const struct weir_host *host = json->host;
    struct lane *lane = host->alloc(sizeof *lane);
    uint32_t i, n = json->wanted.release ? (uint32_t)json->wanted.n_children : 0;
    int32_t status = WEIR_OK;
    *out = lane;
    if (!lane) return no_memory(error);
    memset(lane, 0, sizeof *lane);
    lane->json = json;
    lane->context = context;
    if (!json->wanted.release) return WEIR_OK;
    lane->parser = json_parser_create();
    if (!lane->parser) return no_memory(error);
    if (n == 0) return WEIR_OK;
    lane->columns = host->alloc(n * sizeof *lane->columns);
    if (!lane->columns) return no_memory(error);
    memset(lane->columns, 0, n * sizeof *lane->columns);
    for (i = 0; i < n && status == WEIR_OK; i++, lane->n_columns++)
        status = column_init(&lane->columns[i], host, json->wanted.children[i], 0, error);
    return status;
}

static void lane_destroy(void *self, void *p)
{
    const struct weir_host *host = ((struct json *)self)->host;
    struct lane *lane = p;
    uint32_t i;
    if (!lane) return;
    for (i = 0; i < lane->n_columns; i++) column_free(&lane->columns[i]);
    host->free(lane->columns);
    host->free(lane->mended.data);
    json_parser_destroy(lane->parser);
    host->free(lane);
}

static int32_t flush(struct lane *lane, struct weir_error *error)
{
    struct weir_emission emission;
    uint32_t rows = lane->rows;
    int32_t status = WEIR_OK;
    lane->rows = 0;
    lane->bytes = 0;
    memset(&emission, 0, sizeof emission);
    emission.size = (uint32_t)sizeof emission;
    if (lane->left_out) {
        emission.left_out = lane->left_out;
        lane->left_out = 0;
        status = lane->json->host->emit(lane->context, &emission, error);
        if (status != WEIR_OK) return status;
        emission.left_out = 0;
    }
    if (lane->n_columns)
        return columns_emit(lane->columns, lane->n_columns, rows, lane->context, error);
    emission.rows = rows;
    return rows ? lane->json->host->emit(lane->context, &emission, error) : WEIR_OK;
}

static void take_back(struct lane *lane)
{
    uint32_t i;
    for (i = 0; i < lane->n_columns; i++) column_truncate(&lane->columns[i], lane->rows);
}

/* Nulls for what the record left out. *missing: a column that may not be null. */
static int32_t complete_row(struct lane *lane, struct weir_bytes record, int bad,
                            const struct column **missing, struct weir_error *error)
{
    uint32_t i;
    for (i = 0; i < lane->n_columns; i++) {
        struct column *column = &lane->columns[i];
        int ok = 1;
        if ((int32_t)i == lane->json->corrupt)
            ok = bad && utf8_ok(record.data, record.length)
                     ? column_add_bytes(column, record.data, record.length)
                     : column_add_null(column);
        else if (column->rows == lane->rows) ok = column_add_null(column);
        if (!ok) return no_memory(error);
        if (column->not_null && column->nulls) *missing = column;
    }
    return WEIR_OK;
}

static int32_t reject(struct lane *lane, struct weir_bytes record, int32_t result,
                      const struct column *column, struct weir_error *error)
{
    static const char *const texts[] = { "", "not a JSON object", "not UTF-8",
                                         "nested over 64 levels" };
    char text[160];
    int32_t code = result == JSON_UTF8  ? WEIR_REJECT_UTF8
                   : result == JSON_FIT ? WEIR_REJECT_SCHEMA
                                        : WEIR_REJECT_DECODE;
    take_back(lane);
    if (result == JSON_FIT)
        snprintf(text, sizeof text, "column '%.80s' %s", column->name,
                 column->not_null && column->nulls ? "is null" : "does not fit its type");
    else snprintf(text, sizeof text, "%s", texts[result]);
    return lane->json->host->reject_bytes(lane->context, record, code, text, error);
}

/* Whether the condition is not true of the row that the record made. */
static int is_out(const struct lane *lane)
{
    const struct json_plan *plan = &lane->json->plan;
    if (plan->condition < 0) return 0;
    const struct column *c = &lane->columns[plan->condition];
    const int32_t *ends = (const int32_t *)(const void *)c->values + lane->rows;
    const uint64_t n = (uint64_t)(ends[1] - ends[0]);
    if (c->valid && !(c->valid[lane->rows / 8] >> lane->rows % 8 & 1)) return 1;
    return n != plan->equals.length ||
           (n && memcmp(c->bytes + ends[0], plan->equals.data, n) != 0);
}

/* What becomes of a record that was parsed with `result`. */
static int32_t end_record(struct lane *lane, struct weir_bytes record, int32_t result,
                          const struct json_fault *fault, struct weir_error *error)
{
    const struct column *missing = NULL;
    int32_t status;
    if (result == JSON_MEMORY) return no_memory(error);
    if (result != JSON_ROW && !lane->json->plan.null_on_error)
        return reject(lane, record, result,
                      fault->column >= 0 ? &lane->columns[fault->column] : NULL, error);
    if (result != JSON_ROW) take_back(lane);
    status = complete_row(lane, record, result != JSON_ROW || fault->column >= 0, &missing, error);
    if (status != WEIR_OK) return status;
    if (missing) {
        char text[160];
        snprintf(text, sizeof text, "column '%.80s' is null", missing->name);
        take_back(lane);
        return lane->json->host->reject_bytes(lane->context, record, WEIR_REJECT_SCHEMA, text,
                                              error);
    }
    if (is_out(lane)) {
        take_back(lane);
        lane->left_out++;
        return WEIR_OK;
    }
    lane->rows++;
    return WEIR_OK;
}

/* The record with U+FFFD for what is not UTF-8. */
static int32_t mend(struct lane *lane, struct weir_bytes *record, struct weir_error *error)
{
    const struct weir_host *host = lane->json->host;
    lane->mended.length = 0;
    if (lane->mended.capacity < 3 * record->length + 64 &&
        host->buffer_grow(&lane->mended, 3 * record->length + 64) != WEIR_OK)
        return no_memory(error);
    record->length = utf8_mend(record->data, record->length, lane->mended.data);
    record->data = lane->mended.data;
    memset(lane->mended.data + record->length, 0, 64);
    return WEIR_OK;
}

/* Before a record: a chunk of less than CHUNK_BYTES and one that is not long fit into
 * WEIR_CHUNK_MAX_BYTES, a long one begins a chunk. */
static int32_t make_room(struct lane *lane, uint64_t length, struct weir_error *error)
{
    return length > JSON_LONG_RECORD ? flush(lane, error) : WEIR_OK;
}

/* Behind records, of which line feeds are a part. */
static int32_t count_bytes(struct lane *lane, uint64_t length, struct weir_error *error)
{
    lane->bytes += length;
    return lane->rows == CHUNK_ROWS || lane->bytes >= CHUNK_BYTES ? flush(lane, error) : WEIR_OK;
}

static int32_t decode_record(struct lane *lane, struct weir_bytes record, struct weir_error *error)
{
    const struct json *json = lane->json;
    struct weir_bytes text = record;
    struct json_fault fault;
    int32_t result = make_room(lane, record.length, error);
    if (result != WEIR_OK) return result;
    result = json_parse(lane->parser, &json->plan, lane->columns, lane->rows, text.data,
                        text.length, &fault);
    if (result == JSON_UTF8 && json->replace) {
        int32_t status = mend(lane, &text, error);
        if (status != WEIR_OK) return status;
        take_back(lane);
        result = json_parse(lane->parser, &json->plan, lane->columns, lane->rows, text.data,
                            text.length, &fault);
    }
    return end_record(lane, record, result, &fault, error);
}

static int document_row(void *arg, int32_t result, const struct json_fault *fault,
                        const uint8_t *text, uint64_t length, uint32_t *row)
{
    struct lane *lane = arg;
    struct weir_bytes record = { text, length };
    lane->status = end_record(lane, record, result, fault, lane->error);
    if (lane->status == WEIR_OK) lane->status = count_bytes(lane, 0, lane->error);
    *row = lane->rows;
    return lane->status != WEIR_OK;
}

static int32_t decode_document(struct lane *lane, struct weir_bytes text, struct weir_error *error)
{
    const struct json *json = lane->json;
    struct json_fault none = { -1 };
    int32_t result, status = make_room(lane, text.length, error);
    if (status != WEIR_OK) return status;
    lane->status = WEIR_OK;
    lane->error = error;
    if (json->replace && !utf8_ok(text.data, text.length)) {
        status = mend(lane, &text, error);
        if (status != WEIR_OK) return status;
    }
    result = json_parse_document(lane->parser, &json->plan, lane->columns, lane->rows, text.data,
                                 text.length, document_row, lane);
    if (result != JSON_ROW) return end_record(lane, text, result, &none, error);
    return lane->status;
}

/* Records that look like ones before, from `text` on, up to the end of a chunk. *read: their bytes;
 * *odd: 1 if a record follows that looks otherwise. */
static int32_t decode_run(struct lane *lane, struct weir_bytes text, int32_t alone, uint64_t *read,
                          int32_t *odd, struct weir_error *error)
{
    struct json_run run = { .rows = lane->rows, .most = CHUNK_ROWS, .left_out = lane->left_out,
                            .alone = alone };
    run.enough = lane->bytes < CHUNK_BYTES ? CHUNK_BYTES - lane->bytes : 0;
    *read = json_run(lane->parser, &lane->json->plan, lane->columns, &run, text.data, text.length);
    *odd = run.odd;
    lane->rows = run.rows;
    lane->left_out = run.left_out;
    return count_bytes(lane, *read, error);
}

static int32_t decode_lines(struct lane *lane, const struct weir_records *records,
                            struct weir_error *error)
{
    struct record_walk walk = { records, 0 };
    int32_t status = WEIR_OK;
    while (status == WEIR_OK && walk.at < records->length) {
        struct weir_bytes rest = { records->bytes + walk.at, records->length - walk.at }, record;
        uint64_t read;
        int32_t odd;
        status = decode_run(lane, rest, 0, &read, &odd, error);
        walk.at += read;
        if (status != WEIR_OK || !odd) continue;
        const uint64_t before = walk.at;
        record_next_line(&walk, &record);
        if (record.length) status = decode_record(lane, record, error);
        if (status == WEIR_OK) status = count_bytes(lane, walk.at - before, error);
    }
    return status;
}

/* Records with offsets, and documents. */
static int32_t decode_records(struct lane *lane, const struct weir_records *records,
                              struct weir_error *error)
{
    const struct json_fault none = { -1 };
    struct record_walk walk = { records, 0 };
    struct weir_bytes record;
    int32_t status = WEIR_OK;
    while (status == WEIR_OK && record_next_line(&walk, &record)) {
        uint64_t read;
        int32_t odd = 1;
        if (record.length == 0) {
            status = end_record(lane, record, JSON_SYNTAX, &none, error);
            if (status == WEIR_OK) status = count_bytes(lane, 0, error);
            continue;
        }
        if (!lane->json->multi_line)
            do status = decode_run(lane, record, 1, &read, &odd, error);
            while (status == WEIR_OK && !odd && !read);
        if (status != WEIR_OK || !odd) continue;
        status = lane->json->multi_line ? decode_document(lane, record, error)
                                        : decode_record(lane, record, error);
        if (status == WEIR_OK) status = count_bytes(lane, record.length, error);
    }
    return status;
}

static int32_t json_decode(void *self, void *p, const struct weir_records *records,
                           struct weir_error *error)
{
    struct json *json = self;
    struct lane *lane = p;
    int32_t status = WEIR_OK;
    lane->rows = lane->left_out = 0;
    lane->bytes = 0;
    take_back(lane);
    if (records->n_offsets) {
        status = decode_records(lane, records, error);
    } else if (json->multi_line) {
        struct weir_bytes record = { records->bytes, records->length };
        if (record.length) status = decode_document(lane, record, error);
    } else {
        status = decode_lines(lane, records, error);
    }
    return status == WEIR_OK ? flush(lane, error) : status;
}

/* ---- encode ---- */

static int32_t json_bind_encode(void *self, const struct ArrowSchema *schema,
                                struct weir_error *error)
{
    struct json *json = self;
    int64_t i;
    keys_free(json);
    json->encoded = schema;
    json->keys = json->host->alloc(((uint64_t)schema->n_children + 1) * sizeof *json->keys);
    if (!json->keys) return no_memory(error);
    memset(json->keys, 0, ((uint64_t)schema->n_children + 1) * sizeof *json->keys);
    for (i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        if (render_bytes(json->host, i ? "," : "{", 1, &json->keys[i]) != WEIR_OK ||
            render_json_string(json->host, name, strlen(name), &json->keys[i]) != WEIR_OK ||
            render_bytes(json->host, ":", 1, &json->keys[i]) != WEIR_OK)
            return no_memory(error);
    }
    return WEIR_OK;
}

static int32_t json_encode(void *self, void *lane, const struct weir_chunk *chunk, uint32_t flags,
                           struct weir_buffer *out, struct weir_error *error)
{
    const struct json *json = self;
    uint64_t before = out->length;
    uint32_t i;
    int64_t c, n = json->encoded->n_children;
    (void)lane;
    (void)flags;
    for (i = 0; chunk && i < chunk->selected; i++) {
        uint32_t row = weir_row(chunk, i);
        int32_t status = n ? WEIR_OK : render_bytes(json->host, "{", 1, out);
        for (c = 0; c < n && status == WEIR_OK; c++) {
            status = render_bytes(json->host, json->keys[c].data, json->keys[c].length, out);
            if (status == WEIR_OK)
                status = render_json(json->host, json->encoded->children[c],
                                     chunk->array->children[c], row, out);
        }
        if (status != WEIR_OK || render_bytes(json->host, "}\n", 2, out) != WEIR_OK) {
            out->length = before;
            return no_memory(error);
        }
    }
    return WEIR_OK;
}

static const struct weir_format format = {
    .size = sizeof format,
    .create = json_create,
    .destroy = json_destroy,
    .bind_decode = json_bind_decode,
    .frame = json_frame,
    .lane_create = lane_create,
    .lane_destroy = lane_destroy,
    .decode = json_decode,
    .bind_encode = json_bind_encode,
    .encode = json_encode,
    .extension = "json",
};

static const struct weir_component components[] = {
    { .size = sizeof(struct weir_component),
      .kind = WEIR_KIND_FORMAT,
      .name = "json",
      .summary = "a record is a line with one object",
      .options = options,
      .n_options = sizeof options / sizeof *options,
      .table = &format },
};

static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0, "weir.format.json",
                                           "1.0", "MIT", WEIR_SDK_VERSION, components,
                                           sizeof *components, 1 };
WEIR_PLUGIN(plugin)
