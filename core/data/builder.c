/*
 * builder.c - rows appended cell by cell.
 *
 * A builder is a tree like its schema. Invariants between calls:
 *
 *  1. A leaf of `rows` values has rows * width bytes (bits for bool) in `values`; text has rows + 1
 *     offsets there once `values` exists, and as many bytes in `bytes` as the last one says.
 *  2. `valid` is NULL until the first null; from then on it has a bit per row.
 *  3. A list has rows + 1 offsets; the items behind the last offset belong to the value that is
 *     being built. A struct's fields have `rows` rows each, or one more while a value is built.
 *  4. Of a root only the fields count: its rows are those of the least filled one.
 *
 * Memory is made ready before anything is written, so a failed call leaves no trace. The buffers
 * move into the finished array as they are; the next ones begin with the size that was enough
 * for the last rows.
 */
#include "core/data/node.h"

struct pile {
    uint8_t *data;
    uint64_t capacity;
    uint64_t hint; /* capacity to begin with */
};

struct weir_builder {
    uint32_t type;
    uint32_t rows;
    uint32_t nulls;
    uint32_t n_children;
    uint32_t nullable;
    uint32_t root;
    uint32_t room; /* rows that fit into `values`, and into `valid` where there is one */
    struct pile valid, values, bytes;
    struct weir_builder *children;
};

static int32_t pile_grow(struct pile *pile, uint64_t need)
{
    uint64_t capacity = pile->capacity ? pile->capacity * 2 : pile->hint;
    void *data;
    if (capacity < need) capacity = need;
    if (capacity < 64) capacity = 64;
    data = mem_realloc(pile->data, capacity);
    if (!data) return WEIR_FATAL;
    pile->data = data;
    pile->capacity = capacity;
    return WEIR_OK;
}

static inline int32_t pile_need(struct pile *pile, uint64_t need)
{
    return need <= pile->capacity ? WEIR_OK : pile_grow(pile, need);
}

static int has_offsets(const struct weir_builder *b)
{
    return b->type == WEIR_TYPE_UTF8 || b->type == WEIR_TYPE_BINARY || b->type == WEIR_TYPE_LIST;
}

static int32_t last_offset(const struct weir_builder *b)
{
    return b->values.data ? ((const int32_t *)(void *)b->values.data)[b->rows] : 0;
}

/* Rows for which n bytes of values have room. */
static uint64_t rows_in(const struct weir_builder *b, uint64_t n)
{
    switch (b->type) {
    case WEIR_TYPE_STRUCT: return NODE_ROWS_MAX;
    case WEIR_TYPE_BOOL: return n * 8;
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY:
    case WEIR_TYPE_LIST: return n / 4 ? n / 4 - 1 : 0;
    default: return n / weir_type_width(b->type);
    }
}

static uint64_t bytes_for(const struct weir_builder *b, uint64_t rows)
{
    if (b->type == WEIR_TYPE_STRUCT) return 0;
    if (b->type == WEIR_TYPE_BOOL) return bits_bytes(rows);
    if (has_offsets(b)) return (rows + 1) * 4;
    return rows * weir_type_width(b->type);
}

static int32_t row_grow(struct weir_builder *b, int null)
{
    const uint64_t rows = (uint64_t)b->rows + 1;
    uint64_t room;
    int32_t rc;
    if (rows > NODE_ROWS_MAX) return WEIR_DATA;
    if (null || b->valid.data) {
        const int fresh = !b->valid.data;
        rc = pile_need(&b->valid, bits_bytes(rows));
        if (rc) return rc;
        if (fresh) {
            memset(b->valid.data, 0, b->valid.capacity);
            bits_fill(b->valid.data, 0, b->rows);
            b->room = 0; /* until the values are there, too */
        }
    }
    if (b->type != WEIR_TYPE_STRUCT) {
        const int fresh = !b->values.data;
        rc = pile_need(&b->values, bytes_for(b, rows));
        if (rc) return rc;
        if (fresh && has_offsets(b)) memset(b->values.data, 0, 4);
    }
    room = rows_in(b, b->values.capacity);
    if (b->valid.data && room > b->valid.capacity * 8) room = b->valid.capacity * 8;
    b->room = (uint32_t)(room < NODE_ROWS_MAX ? room : NODE_ROWS_MAX);
    return WEIR_OK;
}

/* Room for one more row: of validity if `null` or if there is some already, and of values. */
static inline int32_t row_need(struct weir_builder *b, int null)
{
    if (b->rows < b->room && (!null || b->valid.data)) return WEIR_OK;
    return row_grow(b, null);
}

static inline void bit_put(uint8_t *bits, uint32_t row, uint32_t bit)
{
    if ((row & 7) == 0) bits[row >> 3] = (uint8_t)bit;
    else bits[row >> 3] = (uint8_t)((bits[row >> 3] & ~(1u << (row & 7))) | bit << (row & 7));
}

/* Ends the row, whose memory is ready. */
static inline void row_done(struct weir_builder *b, uint32_t valid)
{
    if (b->valid.data) bit_put(b->valid.data, b->rows, valid);
    b->nulls += !valid;
    b->rows++;
}

static int32_t init(struct weir_builder *b, const struct ArrowSchema *schema,
                    struct weir_error *error)
{
    int64_t i;
    b->type = weir_type_of(schema);
    b->nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
    if (!schema->n_children) return WEIR_OK;
    b->children = mem_alloc((uint64_t)schema->n_children * sizeof *b->children);
    if (!b->children) return array_no_memory(error);
    memset(b->children, 0, (uint64_t)schema->n_children * sizeof *b->children);
    b->n_children = (uint32_t)schema->n_children;
    for (i = 0; i < schema->n_children; i++) {
        int32_t rc = init(&b->children[i], schema->children[i], error);
        if (rc) return rc;
    }
    return WEIR_OK;
}

static void fini(struct weir_builder *b)
{
    uint32_t i;
    for (i = 0; i < b->n_children; i++) fini(&b->children[i]);
    mem_free(b->children);
    mem_free(b->valid.data);
    mem_free(b->values.data);
    mem_free(b->bytes.data);
}

void builder_destroy(struct weir_builder *builder)
{
    if (!builder) return;
    fini(builder);
    mem_free(builder);
}

int32_t builder_create(const struct ArrowSchema *schema, struct weir_builder **out,
                       struct weir_error *error)
{
    struct weir_builder *b;
    int32_t rc = schema_check(schema, error);
    *out = NULL;
    if (rc) return rc;
    b = mem_alloc(sizeof *b);
    if (!b) return array_no_memory(error);
    memset(b, 0, sizeof *b);
    b->root = 1;
    rc = init(b, schema, error);
    if (rc) builder_destroy(b);
    else *out = b;
    return rc;
}

struct weir_builder *builder_child(struct weir_builder *builder, uint32_t i)
{
    return i < builder->n_children ? &builder->children[i] : NULL;
}

uint32_t builder_rows(const struct weir_builder *builder)
{
    uint32_t rows = builder->rows, i;
    if (!builder->root || !builder->n_children) return rows;
    rows = builder->children[0].rows;
    for (i = 1; i < builder->n_children; i++)
        if (builder->children[i].rows < rows) rows = builder->children[i].rows;
    return rows;
}

/* Cuts back to the first `rows` rows. */
static void cut(struct weir_builder *b, uint32_t rows)
{
    uint32_t i;
    if (rows >= b->rows && b->type != WEIR_TYPE_LIST && b->type != WEIR_TYPE_STRUCT) return;
    for (i = rows; i < b->rows && b->valid.data; i++)
        b->nulls -= !(b->valid.data[i >> 3] >> (i & 7) & 1);
    if (rows < b->rows) b->rows = rows;
    if (b->type == WEIR_TYPE_LIST) cut(&b->children[0], (uint32_t)last_offset(b));
    if (b->type == WEIR_TYPE_STRUCT)
        for (i = 0; i < b->n_children; i++) cut(&b->children[i], rows);
}

/* The zero, empty value or null of a field below a null. */
static int32_t append_nothing(struct weir_builder *b)
{
    const uint32_t null = b->nullable;
    uint32_t i;
    int32_t rc = row_need(b, (int)null);
    for (i = 0; i < b->n_children && !rc && b->type == WEIR_TYPE_STRUCT; i++) {
        rc = append_nothing(&b->children[i]);
        if (rc)
            while (i-- > 0) cut(&b->children[i], b->rows);
    }
    if (rc) return rc;
    if (has_offsets(b)) {
        int32_t *offsets = (int32_t *)(void *)b->values.data;
        offsets[b->rows + 1] = offsets[b->rows];
    } else if (b->type == WEIR_TYPE_BOOL) {
        bit_put(b->values.data, b->rows, 0);
    } else if (b->type != WEIR_TYPE_STRUCT) {
        const uint32_t width = weir_type_width(b->type);
        memset(b->values.data + (uint64_t)b->rows * width, 0, width);
    }
    row_done(b, !null);
    return WEIR_OK;
}

/* Are all fields (items) exactly as far as the last value? */
static int at_rest(const struct weir_builder *b)
{
    uint32_t i;
    if (b->type == WEIR_TYPE_LIST) return b->children[0].rows == (uint32_t)last_offset(b);
    for (i = 0; i < b->n_children; i++)
        if (b->children[i].rows != b->rows) return 0;
    return 1;
}

int32_t builder_append_null(struct weir_builder *b)
{
    if (!b->nullable || b->root || !at_rest(b)) return WEIR_DATA;
    return append_nothing(b);
}

int32_t builder_append_int(struct weir_builder *b, int64_t value)
{
    int32_t rc;
    switch (b->type) {
    case WEIR_TYPE_INT64: break;
    case WEIR_TYPE_BOOL:
        if (value != 0 && value != 1) return WEIR_DATA;
        break;
    case WEIR_TYPE_INT32:
        if (value != (int32_t)value) return WEIR_DATA;
        break;
    case WEIR_TYPE_TIMESTAMP:
        if (value < TIMESTAMP_MIN || value > TIMESTAMP_MAX) return WEIR_DATA;
        break;
    case WEIR_TYPE_DATE:
        if (value < DATE_MIN || value > DATE_MAX) return WEIR_DATA;
        break;
    default: return WEIR_DATA;
    }
    rc = row_need(b, 0);
    if (rc) return rc;
    if (b->type == WEIR_TYPE_BOOL)
        bit_put(b->values.data, b->rows, (uint32_t)value);
    else if (weir_type_width(b->type) == 4)
        ((int32_t *)(void *)b->values.data)[b->rows] = (int32_t)value;
    else
        ((int64_t *)(void *)b->values.data)[b->rows] = value;
    row_done(b, 1);
    return WEIR_OK;
}

int32_t builder_append_float(struct weir_builder *b, double value)
{
    int32_t rc;
    if (b->type != WEIR_TYPE_FLOAT64) return WEIR_DATA;
    rc = row_need(b, 0);
    if (rc) return rc;
    ((double *)(void *)b->values.data)[b->rows] = value;
    row_done(b, 1);
    return WEIR_OK;
}

static int32_t append_text(struct weir_builder *b, const void *bytes, uint64_t length)
{
    uint64_t end;
    int32_t rc = row_need(b, 0);
    if (rc) return rc;
    end = (uint64_t)last_offset(b) + length;
    if (length > INT32_MAX || end > INT32_MAX) return WEIR_DATA;
    rc = pile_need(&b->bytes, end);
    if (rc) return rc;
    if (length) memcpy(b->bytes.data + (end - length), bytes, length);
    ((int32_t *)(void *)b->values.data)[b->rows + 1] = (int32_t)end;
    row_done(b, 1);
    return WEIR_OK;
}

int32_t builder_append_bytes(struct weir_builder *b, const void *bytes, uint64_t length)
{
    if (b->type != WEIR_TYPE_UTF8 && b->type != WEIR_TYPE_BINARY) return WEIR_DATA;
    if (b->type == WEIR_TYPE_UTF8 && !utf8_valid(bytes, length)) return WEIR_DATA;
    return append_text(b, bytes, length);
}

int32_t builder_append_valid(struct weir_builder *b)
{
    uint32_t i;
    int32_t rc;
    if (b->type == WEIR_TYPE_LIST) {
        rc = row_need(b, 0);
        if (rc) return rc;
        ((int32_t *)(void *)b->values.data)[b->rows + 1] = (int32_t)b->children[0].rows;
        row_done(b, 1);
        return WEIR_OK;
    }
    if (b->type != WEIR_TYPE_STRUCT) return WEIR_DATA;
    if (b->root && b->n_children) { /* nothing to note, but the row must be whole */
        for (i = 1; i < b->n_children; i++)
            if (b->children[i].rows != b->children[0].rows) return WEIR_DATA;
        return WEIR_OK;
    }
    for (i = 0; i < b->n_children; i++)
        if (b->children[i].rows != b->rows + 1) return WEIR_DATA;
    rc = row_need(b, 0);
    if (rc) return rc;
    row_done(b, 1);
    return WEIR_OK;
}

static int32_t copy_value(struct weir_builder *b, const struct ArrowArray *array, uint32_t row)
{
    switch (b->type) {
    case WEIR_TYPE_BOOL: return builder_append_int(b, weir_get_bool(array, row));
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_DATE: return builder_append_int(b, weir_get_int32(array, row));
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_TIMESTAMP: return builder_append_int(b, weir_get_int64(array, row));
    case WEIR_TYPE_FLOAT64: return builder_append_float(b, weir_get_float64(array, row));
    case WEIR_TYPE_UTF8:
    case WEIR_TYPE_BINARY: {
        const struct weir_bytes bytes = weir_get_bytes(array, row);
        return append_text(b, bytes.data, bytes.length);
    }
    default: return builder_append_valid(b);
    }
}

int32_t builder_append_from(struct weir_builder *b, const struct ArrowArray *array, uint32_t row)
{
    const uint32_t rows = builder_rows(b);
    uint32_t i;
    int32_t rc = WEIR_OK;
    if (weir_is_null(array, row)) return builder_append_null(b);
    if (b->type == WEIR_TYPE_LIST) {
        const int32_t *offsets = array->buffers[1];
        int32_t at;
        if (!at_rest(b)) return WEIR_DATA;
        for (at = offsets[row]; at < offsets[row + 1] && !rc; at++)
            rc = builder_append_from(&b->children[0], array->children[0], (uint32_t)at);
    } else if (b->type == WEIR_TYPE_STRUCT) {
        for (i = 0; i < b->n_children; i++)
            if (b->children[i].rows != rows) return WEIR_DATA;
        for (i = 0; i < b->n_children && !rc; i++)
            rc = builder_append_from(&b->children[i], array->children[i], row);
    }
    if (!rc) rc = copy_value(b, array, row);
    if (rc) cut(b, rows);
    return rc;
}

static int32_t check_whole(const struct weir_builder *b, uint32_t rows, struct weir_error *error)
{
    uint32_t i;
    if (b->rows != rows)
        return weir_fail(error, WEIR_DATA, "columns of %u and of %u rows", rows, b->rows);
    for (i = 0; i < b->n_children; i++) {
        const uint32_t want = b->type == WEIR_TYPE_LIST ? (uint32_t)last_offset(b) : rows;
        int32_t rc = check_whole(&b->children[i], want, error);
        if (rc) return rc;
    }
    return WEIR_OK;
}

/* The nodes of the array, without buffers. */
static int32_t make_nodes(const struct weir_builder *b, uint32_t rows, struct ArrowArray *out,
                          struct weir_error *error)
{
    uint32_t i;
    int32_t rc = array_begin(out, b->type, rows, b->n_children, 0, NULL, error);
    for (i = 0; i < b->n_children && !rc; i++)
        rc = make_nodes(&b->children[i], b->children[i].rows, out->children[i], error);
    if (rc) array_release(out);
    return rc;
}

static void pile_move(struct pile *pile, uint64_t used, void **memory, const void **buffer)
{
    if (!pile->data) return;
    *memory = pile->data;
    *buffer = pile->data;
    pile->hint = used + used / 8;
    pile->data = NULL;
    pile->capacity = 0;
}

static void move_buffers(struct weir_builder *b, struct ArrowArray *out)
{
    struct array_node *node = array_node_of(out);
    const uint64_t rows = b->rows;
    uint32_t i;
    for (i = 0; i < b->n_children; i++) move_buffers(&b->children[i], out->children[i]);
    pile_move(&b->bytes, (uint64_t)(has_offsets(b) ? last_offset(b) : 0), &node->memory[2],
              &node->buffers[2]);
    pile_move(&b->values, bytes_for(b, rows), &node->memory[1], &node->buffers[1]);
    pile_move(&b->valid, bits_bytes(rows), &node->memory[0], &node->buffers[0]);
    if (!b->nulls) node->buffers[0] = NULL; /* nulls that were cut again */
    out->null_count = b->nulls;
    b->rows = 0;
    b->room = 0;
    b->nulls = 0;
}

int32_t builder_finish(struct weir_builder *b, struct ArrowArray *out, struct weir_error *error)
{
    const uint32_t rows = builder_rows(b);
    uint32_t i;
    int32_t rc = WEIR_OK;
    memset(out, 0, sizeof *out);
    for (i = 0; i < b->n_children && !rc; i++) rc = check_whole(&b->children[i], rows, error);
    if (!rc) rc = make_nodes(b, rows, out, error);
    if (!rc) move_buffers(b, out);
    return rc;
}
