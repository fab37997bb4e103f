/*
 * unknown.c - schemas of which something is not known, since what makes them has a mistake.
 *
 * A check goes on behind a mistake: the other columns of a stream are known all the same, and what
 * is wrong with them can be told in the same run. So there are two marks, both outside of the
 * profile, which no running job has:
 *
 *     a column whose type is not known     has the format "n"
 *     a schema that may have more columns  has a column "?" of that format ("open")
 */
#include "core/data/node.h"

#include "core/data/array.h"

#define OPEN_NAME "?"

int schema_has_unknown(const struct ArrowSchema *schema)
{
    if (weir_type_of(schema) == WEIR_TYPE_NONE) return 1;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema_has_unknown(schema->children[i])) return 1;
    return 0;
}

int schema_is_open(const struct ArrowSchema *schema)
{
    const int32_t k = weir_column_index(schema, OPEN_NAME);
    return k >= 0 && weir_type_of(schema->children[k]) == WEIR_TYPE_NONE;
}

int32_t schema_open(struct ArrowSchema *schema)
{
    struct ArrowSchema *child;
    if (!schema->release) {
        int32_t rc = schema_begin(schema, WEIR_TYPE_STRUCT, "", 0, 0, NULL);
        if (rc) return rc;
    }
    if (schema_is_open(schema)) return WEIR_OK;
    child = schema_grow(schema);
    return child ? schema_begin(child, WEIR_TYPE_NONE, OPEN_NAME, 1, 0, NULL) : WEIR_FATAL;
}
