/*
 * types.h - types of columns compared.
 */
#ifndef SHARE_TYPES_H
#define SHARE_TYPES_H

#include <weir/plugin.h>

/* Are two types equal? Names of struct fields count, those of list items and of the two columns
 * themselves don't, nor whether there may be nulls. [any] */
static inline int same_type(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    if (strcmp(a->format, b->format) != 0 || a->n_children != b->n_children) return 0;
    for (int64_t i = 0; i < a->n_children; i++)
        if ((weir_type_of(a) == WEIR_TYPE_STRUCT &&
             strcmp(a->children[i]->name, b->children[i]->name) != 0) ||
            !same_type(a->children[i], b->children[i]))
            return 0;
    return 1;
}

#endif
