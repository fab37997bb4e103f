/*
 * schema.c - schemas in host memory: making, copying, checking against the profile, comparing.
 *
 * A schema made here owns its name, its child structs and the array of pointers to them; formats
 * are constants, foreign ones in copies are not. A child that has no type yet has format "n",
 * which is outside of the profile, so that schema_check finds it.
 */
#include "core/data/node.h"

struct schema_private {
    char *name;
    char *format; /* a copy; NULL where the format is a constant */
    uint32_t grows; /* a nested struct made by schema_set: fields are added one by one */
};

static const char *const names[] = { "none",   "bool",   "int32",     "int64", "float64", "string",
                                     "binary", "timestamp", "date", "list",  "struct" };

const char *type_name(uint32_t type)
{
    return type < sizeof names / sizeof *names ? names[type] : "none";
}

static void private_release(struct ArrowSchema *schema)
{
    struct schema_private *own = schema->private_data;
    int64_t i;
    for (i = 0; i < schema->n_children; i++) {
        schema_release(schema->children[i]);
        mem_free(schema->children[i]);
    }
    mem_free(schema->children);
    mem_free(own->name);
    mem_free(own->format);
    mem_free(own);
    schema->release = NULL;
}

void schema_release(struct ArrowSchema *schema)
{
    if (schema && schema->release) schema->release(schema);
}

struct ArrowSchema *schema_grow(struct ArrowSchema *schema)
{
    const uint64_t n = (uint64_t)schema->n_children;
    struct ArrowSchema *child;
    if (n >= NODE_CHILDREN_MAX) return NULL;
    if ((n & (n - 1)) == 0) { /* room for the next power of two */
        void *more = mem_realloc(schema->children, (n ? 2 * n : 1) * sizeof *schema->children);
        if (!more) return NULL;
        schema->children = more;
    }
    child = mem_alloc(sizeof *child);
    if (!child) return NULL;
    memset(child, 0, sizeof *child);
    schema->children[schema->n_children++] = child;
    return child;
}

int32_t schema_begin(struct ArrowSchema *out, uint32_t type, const char *name, uint64_t n,
                     uint32_t n_children, struct weir_error *error)
{
    struct schema_private *own = mem_alloc(sizeof *own);
    const char *format = weir_type_format(type);
    memset(out, 0, sizeof *out);
    if (!own) return array_no_memory(error);
    memset(own, 0, sizeof *own);
    out->format = format ? format : "n";
    out->name = "";
    out->flags = ARROW_FLAG_NULLABLE;
    out->private_data = own;
    out->release = private_release;
    if (n) {
        own->name = mem_alloc(n + 1);
        if (!own->name) goto fail;
        memcpy(own->name, name, n);
        own->name[n] = 0;
        out->name = own->name;
    }
    while (n_children--) {
        struct ArrowSchema *child = schema_grow(out);
        if (!child || schema_begin(child, WEIR_TYPE_NONE, "", 0, 0, NULL)) goto fail;
    }
    return WEIR_OK;
fail:
    schema_release(out);
    return array_no_memory(error);
}

int32_t schema_struct(uint32_t n_children, struct ArrowSchema *out, struct weir_error *error)
{
    memset(out, 0, sizeof *out);
    if (n_children > NODE_CHILDREN_MAX)
        return weir_fail(error, WEIR_FATAL, "a struct of more than %d fields", NODE_CHILDREN_MAX);
    int32_t rc = schema_begin(out, WEIR_TYPE_STRUCT, "", 0, n_children, error);
    if (!rc) out->flags = 0;
    return rc;
}

int32_t schema_set(struct ArrowSchema *schema, uint32_t i, const char *name, uint32_t type,
                   struct weir_error *error)
{
    struct schema_private *own = schema->private_data;
    struct ArrowSchema fresh, *child;
    int32_t rc;
    if (!weir_type_format(type))
        return weir_fail(error, WEIR_CONFIG, "type %u is not in the profile", type);
    if (i > schema->n_children || (i == schema->n_children && !own->grows))
        return weir_fail(error, WEIR_CONFIG, "field %u of a %s of %lld", i,
                         type_name(weir_type_of(schema)), (long long)schema->n_children);
    rc = schema_begin(&fresh, type, name, strlen(name), type == WEIR_TYPE_LIST, error);
    if (rc) return rc;
    ((struct schema_private *)fresh.private_data)->grows = type == WEIR_TYPE_STRUCT;
    child = i < schema->n_children ? schema->children[i] : schema_grow(schema);
    if (!child) {
        schema_release(&fresh);
        return array_no_memory(error);
    }
    schema_release(child);
    *child = fresh;
    return WEIR_OK;
}

static int32_t copy_at(const struct ArrowSchema *schema, const char *name, struct ArrowSchema *out,
                       uint32_t depth, struct weir_error *error)
{
    const uint32_t type = weir_type_of(schema);
    int64_t i;
    int32_t rc;
    memset(out, 0, sizeof *out);
    if (depth > NODE_DEPTH_MAX || schema->dictionary)
        return weir_fail(error, WEIR_FATAL, "a schema outside of the profile can't be copied");
    if (!name) name = schema->name ? schema->name : "";
    rc = schema_begin(out, type, name, strlen(name), 0, error);
    if (rc) return rc;
    out->flags = schema->flags;
    if (type == WEIR_TYPE_NONE) {
        struct schema_private *own = out->private_data;
        own->format = mem_text(schema->format);
        out->format = own->format;
        if (!own->format) goto fail;
    }
    for (i = 0; i < schema->n_children; i++) {
        struct ArrowSchema *child = schema_grow(out);
        if (!child || copy_at(schema->children[i], NULL, child, depth + 1, NULL)) goto fail;
    }
    return WEIR_OK;
fail:
    schema_release(out);
    return array_no_memory(error);
}

int32_t schema_copy(const struct ArrowSchema *schema, const char *name, struct ArrowSchema *out,
                    struct weir_error *error)
{
    return copy_at(schema, name, out, 0, error);
}

static int32_t check_at(const struct ArrowSchema *schema, uint32_t depth, struct weir_error *error);

static int32_t check_children(const struct ArrowSchema *schema, uint32_t depth, int named,
                              struct weir_error *error)
{
    int64_t i, j;
    for (i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        int32_t rc;
        if (!child || !child->format)
            return weir_fail(error, WEIR_CONFIG, "field %lld is missing", (long long)i + 1);
        if (named && !child->name)
            return weir_fail(error, WEIR_CONFIG, "field %lld has no name", (long long)i + 1);
        if (named && !utf8_valid((const uint8_t *)child->name, strlen(child->name)))
            return weir_fail(error, WEIR_CONFIG, "the name of field %lld is not UTF-8",
                             (long long)i + 1);
        for (j = 0; named && j < i; j++)
            if (strcmp(schema->children[j]->name, child->name) == 0)
                return weir_fail(error, WEIR_CONFIG, "two fields are called '%.100s'",
                                 child->name);
        rc = check_at(child, depth + 1, error);
        if (rc) return rc;
    }
    return WEIR_OK;
}

static int32_t check_at(const struct ArrowSchema *schema, uint32_t depth, struct weir_error *error)
{
    const uint32_t type = weir_type_of(schema);
    const char *name = schema->name ? schema->name : "";
    if (strncmp(schema->format, "tD", 2) == 0)
        return weir_fail(error, WEIR_CONFIG,
                         "column '%.100s' would be an interval, which lives in expressions only: "
                         "extract(epoch from …) makes seconds of it",
                         name);
    if (type == WEIR_TYPE_NONE || schema->dictionary)
        return weir_fail(error, WEIR_CONFIG, "field '%.100s': type '%.40s'%s is not in the profile",
                         name, schema->format, schema->dictionary ? " with a dictionary" : "");
    if (depth > NODE_DEPTH_MAX)
        return weir_fail(error, WEIR_CONFIG, "types are nested deeper than %d", NODE_DEPTH_MAX);
    if (schema->n_children && !schema->children)
        return weir_fail(error, WEIR_CONFIG, "field '%.100s' has no children", name);
    if (type == WEIR_TYPE_STRUCT) {
        if (schema->n_children < 0 || schema->n_children > NODE_CHILDREN_MAX)
            return weir_fail(error, WEIR_CONFIG, "a struct of %lld fields",
                             (long long)schema->n_children);
        return check_children(schema, depth, 1, error);
    }
    if (schema->n_children != (type == WEIR_TYPE_LIST))
        return weir_fail(error, WEIR_CONFIG, "field '%.100s': a %s with %lld children", name,
                         type_name(type), (long long)schema->n_children);
    return check_children(schema, depth, 0, error);
}

int32_t schema_check(const struct ArrowSchema *schema, struct weir_error *error)
{
    if (!schema->release || !schema->format)
        return weir_fail(error, WEIR_CONFIG, "the schema is released");
    if (weir_type_of(schema) != WEIR_TYPE_STRUCT)
        return weir_fail(error, WEIR_CONFIG, "the schema is not a struct");
    return check_at(schema, 0, error);
}

static int compare(const struct ArrowSchema *a, const struct ArrowSchema *b, int with_names)
{
    const uint32_t type = weir_type_of(a);
    int64_t i;
    if (type != weir_type_of(b) || a->n_children != b->n_children) return 0;
    for (i = 0; i < a->n_children; i++) {
        if (with_names && type == WEIR_TYPE_STRUCT &&
            strcmp(a->children[i]->name, b->children[i]->name) != 0)
            return 0;
        if (!compare(a->children[i], b->children[i], with_names)) return 0;
    }
    return 1;
}

/* The names of the fields count, those of the two roots and of list items don't. */
int schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    return compare(a, b, 1);
}

int schema_same_type(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    return compare(a, b, 0);
}
