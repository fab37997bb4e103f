/*
 * over.h - windows over batches: length, slide and the grid on which they are given.
 *
 * The stream has batches at T = zero + k · trigger. A window is given where T - zero is a multiple
 * of the slide, and holds the batches in (T - length, T]. Ticks may be missing (an absent input, a
 * long downtime), so everything goes by T and never by numbers of batches.
 */
#ifndef SHARE_OVER_H
#define SHARE_OVER_H

#include <weir/plugin.h>

#include "plugins/share/option.h"

struct over {
    int64_t length_us, slide_us;
    uint32_t slide; /* in triggers */
};

static inline int32_t over_multiple(int64_t value, int64_t unit, const char *option,
                                    struct weir_error *error)
{
    if (value > 0 && value % unit == 0) return WEIR_OK;
    return weir_fail_option(error, option, -1,
                            "must be a multiple of %lld ms, at which the input comes",
                            (long long)(unit / 1000));
}

/* Reads the options `prefix`length and `prefix`slide, in bind. The option `length` is there. */
static inline int32_t over_read(const struct weir_host *host, struct weir_context *context,
                                const char *prefix, const struct weir_operator_bind *in,
                                struct over *over, struct weir_error *error)
{
    char length[32], slide[32];
    int64_t unit = (int64_t)in->inputs[0].slide * in->trigger_us;
    snprintf(length, sizeof length, "%slength", prefix);
    snprintf(slide, sizeof slide, "%sslide", prefix);
    if (unit <= 0)
        return weir_fail_option(error, length, -1,
                                "windows over batches need a job that ticks: its `trigger` must be "
                                "an interval, such as \"1s\"");
    over->length_us = option_integer(host, context, length, 0);
    over->slide_us = option_integer(host, context, slide, unit);
    int32_t result = over_multiple(over->length_us, unit, length, error);
    if (result == WEIR_OK) result = over_multiple(over->slide_us, unit, slide, error);
    over->slide = (uint32_t)(over->slide_us / in->trigger_us);
    return result;
}

/* 1 where a window is given in this batch. */
static inline int over_is_due(const struct over *over, const struct weir_begin *in)
{
    return (in->time_us - in->zero_us) % over->slide_us == 0;
}

/* The batches of a window at T are those behind this time. */
static inline int64_t over_begins(const struct over *over, const struct weir_begin *in)
{
    return in->time_us - over->length_us;
}

/* 1 where some window, of this batch or later, holds the batch: not all do if length < slide. */
static inline int over_holds(const struct over *over, const struct weir_begin *in)
{
    int64_t past = (in->time_us - in->zero_us) % over->slide_us;
    return past == 0 || over->slide_us - past < over->length_us;
}

#endif
