/*
 * types.c - the types of nodes, and which casts there are.
 *
 * Flat types point to schemas of this file; nested ones to copies that live with the expression.
 */
#include "core/expr/tree.h"

#include <stdlib.h>

struct schema_link {
    struct schema_link *next;
    struct ArrowSchema schema;
};

static void keep(struct ArrowSchema *schema) { (void)schema; }

#define FLAT(format) { format, "", NULL, ARROW_FLAG_NULLABLE, 0, NULL, NULL, keep, NULL }

/* by WEIR_TYPE_…; 0 is a bare null, the last one an interval */
const struct ArrowSchema type_schemas[] = { FLAT("n"), FLAT("b"), FLAT("i"), FLAT("l"),
                                            FLAT("g"), FLAT("u"), FLAT("z"), FLAT("tsu:UTC"),
                                            FLAT("tdD"), FLAT("tDu") };

struct type type_flat(uint32_t id)
{
    struct type type = { id, NULL };
    if (id != TYPE_INTERVAL && id > WEIR_TYPE_DATE) abort();
    type.schema = id == TYPE_INTERVAL ? &type_schemas[9] : &type_schemas[id];
    return type;
}

struct type type_of_schema(const struct ArrowSchema *schema)
{
    struct type type = { weir_type_of(schema), schema };
    if (strcmp(schema->format, "tDu") == 0) return type_flat(TYPE_INTERVAL);
    return type_is_nested(type.id) ? type : type_flat(type.id);
}

int type_is_nested(uint32_t id) { return id == WEIR_TYPE_LIST || id == WEIR_TYPE_STRUCT; }

int type_is_number(uint32_t id) { return id >= WEIR_TYPE_INT32 && id <= WEIR_TYPE_FLOAT64; }

int type_is_time(uint32_t id) { return id == WEIR_TYPE_TIMESTAMP || id == WEIR_TYPE_DATE; }

int type_equal(const struct type *a, const struct type *b)
{
    if (a->id != b->id) return 0;
    return !type_is_nested(a->id) || schema_same_type(a->schema, b->schema);
}

uint32_t type_width(uint32_t id) { return id == TYPE_INTERVAL ? 8 : weir_type_width(id); }

const char *type_name_of(const struct type *type, char out[64])
{
    static const char *const names[] = { "null",   "bool",   "int32",     "int64", "float64",
                                         "string", "binary", "timestamp", "date" };
    if (type->id == TYPE_INTERVAL) {
        snprintf(out, 64, "interval");
    } else if (type_is_nested(type->id)) {
        char *ddl = type_ddl(type->schema);
        snprintf(out, 64, "%s", ddl ? ddl : "nested");
        mem_free(ddl);
    } else {
        snprintf(out, 64, "%s", names[type->id]);
    }
    return out;
}

static struct ArrowSchema *schema_slot(struct weir_expr *expr)
{
    struct schema_link *link = arena_alloc(&expr->arena, sizeof *link);
    if (!link) return NULL;
    link->next = expr->schemas;
    expr->schemas = link;
    return &link->schema;
}

void types_free(struct weir_expr *expr)
{
    struct schema_link *link;
    for (link = expr->schemas; link; link = link->next) schema_release(&link->schema);
    expr->schemas = NULL;
}

int32_t type_keep(struct weir_expr *expr, struct type *type, struct weir_error *error)
{
    struct ArrowSchema *copy;
    int32_t rc;
    if (!type_is_nested(type->id)) return WEIR_OK;
    copy = schema_slot(expr);
    if (!copy) return weir_fail(error, WEIR_FATAL, "out of memory");
    rc = weir_data_1.schema_copy(type->schema, "", copy, error);
    if (rc) return rc;
    copy->flags |= ARROW_FLAG_NULLABLE; /* what becomes of a `not null` column may hold nulls */
    type->schema = copy;
    return WEIR_OK;
}

int32_t type_parse(struct weir_expr *expr, const char *ddl, uint32_t at, struct type *out,
                   struct weir_error *error)
{
    struct weir_error inner = WEIR_ERROR_INIT;
    struct ArrowSchema *schema = schema_slot(expr);
    const uint64_t n = strlen(ddl);
    char *column = arena_alloc(&expr->arena, n + 3);
    int32_t rc;
    if (!schema || !column) return weir_fail(error, WEIR_FATAL, "out of memory");
    memcpy(column, "c ", 2);
    memcpy(column + 2, ddl, n);
    rc = weir_data_1.schema_parse(column, schema, &inner);
    if (rc == WEIR_CONFIG)
        return text_error(&expr->source, at, error, "%s", inner.text);
    if (rc) return weir_fail(error, rc, "%s", inner.text);
    *out = type_of_schema(schema->children[0]);
    return WEIR_OK;
}

static int is_text_or_binary(uint32_t id)
{
    return id == WEIR_TYPE_UTF8 || id == WEIR_TYPE_BINARY;
}

static int is_plain(uint32_t id) { return id == WEIR_TYPE_BOOL || type_is_number(id); }

int cast_allowed(const struct type *from, const struct type *to)
{
    if (from->id == TYPE_NULL || type_equal(from, to)) return 1;
    if (type_is_nested(from->id) || type_is_nested(to->id)) return 0;
    if (from->id == TYPE_INTERVAL || to->id == TYPE_INTERVAL) return 0;
    if (is_text_or_binary(from->id) && is_text_or_binary(to->id)) return 1;
    if (from->id == WEIR_TYPE_BINARY || to->id == WEIR_TYPE_BINARY) return 0;
    if (from->id == WEIR_TYPE_UTF8 || to->id == WEIR_TYPE_UTF8) return 1;
    return is_plain(from->id) == is_plain(to->id);
}

int cast_may_fail(const struct type *from, const struct type *to)
{
    if (from->id == TYPE_NULL || type_equal(from, to)) return 0;
    if (from->id == WEIR_TYPE_UTF8) return to->id != WEIR_TYPE_BINARY;
    if (from->id == WEIR_TYPE_BINARY) return 1;
    if (to->id == WEIR_TYPE_INT32) return from->id != WEIR_TYPE_BOOL;
    if (to->id == WEIR_TYPE_INT64) return from->id == WEIR_TYPE_FLOAT64;
    if (to->id == WEIR_TYPE_TIMESTAMP) return 0;
    return 0;
}

/* ---- columns outside of a struct ---- */

/* A struct schema around one type. */
struct wrapping {
    struct ArrowSchema parent, child;
    struct ArrowSchema *children[1];
};

static void wrap(struct wrapping *w, const struct type *type)
{
    memset(w, 0, sizeof *w);
    w->child = type->id == TYPE_INTERVAL ? type_schemas[WEIR_TYPE_INT64] : *type->schema;
    w->child.name = "c";
    w->child.flags |= ARROW_FLAG_NULLABLE;
    w->children[0] = &w->child;
    w->parent.format = "+s";
    w->parent.name = "";
    w->parent.n_children = 1;
    w->parent.children = w->children;
    w->parent.release = keep;
}

static void kept_elsewhere(struct ArrowArray *array) { (void)array; }

int32_t type_validate(const struct type *type, struct ArrowArray *column, struct weir_error *error)
{
    const void *buffers[1] = { NULL };
    struct ArrowArray *children[1] = { column };
    struct ArrowArray parent = { .length = column->length, .n_buffers = 1, .n_children = 1,
                                 .buffers = buffers, .children = children,
                                 .release = kept_elsewhere };
    struct wrapping w;
    wrap(&w, type);
    return array_validate(&w.parent, &parent, 0, error);
}

int32_t nested_begin(const struct type *type, struct weir_builder **out, struct weir_error *error)
{
    struct wrapping w;
    wrap(&w, type);
    return weir_data_1.builder_create(&w.parent, out, error);
}

int32_t nested_end(struct weir_builder *builder, struct ArrowArray *out, struct weir_error *error)
{
    struct ArrowArray rows;
    int32_t rc = weir_data_1.builder_finish(builder, &rows, error);
    if (rc) return rc;
    *out = *rows.children[0];
    rows.children[0]->release = NULL;
    array_release(&rows);
    return WEIR_OK;
}

int32_t nested_nulls(const struct type *type, uint32_t rows, struct ArrowArray *out,
                     struct weir_error *error)
{
    struct weir_builder *builder;
    int32_t rc = nested_begin(type, &builder, error);
    if (rc) return rc;
    for (; rows && !rc; rows--) rc = weir_data_1.append_null(weir_data_1.builder_child(builder, 0));
    if (rc) weir_fail(error, rc, "out of memory");
    else rc = nested_end(builder, out, error);
    weir_data_1.builder_destroy(builder);
    return rc;
}
