/*
 * names.h - the columns of an input, for messages.
 */
#ifndef SHARE_NAMES_H
#define SHARE_NAMES_H

#include <weir/plugin.h>

/* CONFIG: the option names a column that the input does not have; says which it has. [control] */
static inline int32_t no_such_column(const struct ArrowSchema *input, const char *option,
                                     const char *name, struct weir_error *error)
{
    char known[300] = "";
    size_t at = 0;
    for (int64_t i = 0; i < input->n_children && at + 70 < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%.60s", at ? ", " : "",
                               input->children[i]->name);
    return weir_fail_option(error, option, -1, "there is no column \"%s\"; the input has: %s", name,
                            at ? known : "none");
}

#endif
