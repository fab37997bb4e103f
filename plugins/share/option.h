/*
 * option.h - options of an instance, read in one line. [any], inside and after create.
 */
#ifndef SHARE_OPTION_H
#define SHARE_OPTION_H

#include <weir/plugin.h>

static inline int option_get(const struct weir_host *host, struct weir_context *context,
                             const char *name, struct weir_value *value)
{
    memset(value, 0, sizeof *value);
    value->size = (uint32_t)sizeof *value;
    return host->option(context, name, value) == WEIR_OK;
}

/* Text, or `otherwise` where neither the job nor a default has it. Valid with the instance. */
static inline const char *option_text(const struct weir_host *host, struct weir_context *context,
                                      const char *name, const char *otherwise)
{
    struct weir_value value;
    return option_get(host, context, name, &value) && value.text ? value.text : otherwise;
}

/* Booleans, integers, durations (µs) and sizes (bytes). */
static inline int64_t option_integer(const struct weir_host *host, struct weir_context *context,
                                     const char *name, int64_t otherwise)
{
    struct weir_value value;
    return option_get(host, context, name, &value) ? value.integer : otherwise;
}

static inline double option_number(const struct weir_host *host, struct weir_context *context,
                                   const char *name, double otherwise)
{
    struct weir_value value;
    return option_get(host, context, name, &value) ? value.number : otherwise;
}

static inline int option_is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static inline int32_t no_memory(struct weir_error *error)
{
    return weir_fail(error, WEIR_FATAL, "out of memory");
}

#endif
