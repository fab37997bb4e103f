/*
 * tables.h - the function tables of components: whole copies of shorter ones, and what must be in
 * them.
 */
#ifndef WEIR_CORE_TABLES_H
#define WEIR_CORE_TABLES_H

#include <weir/plugin.h>

/* A table as this weir knows it, by kind. */
union table {
    uint32_t size;
    struct weir_source source;
    struct weir_format format;
    struct weir_operator operation;
    struct weir_sink sink;
    struct weir_scalar scalar;
    struct weir_aggregate aggregate;
};

/* Copies a component's table into `out`: what it lacks at the tail become stubs that answer
 * UNSUPPORTED (optional functions: NULL), what it has beyond this weir's is left away. 0; -1 with
 * "needs …" in `why` where a function that must be there is NULL. `kind` is a known one. [any] */
int table_copy(const struct weir_component *component, union table *out, char *why, size_t size);

#endif
