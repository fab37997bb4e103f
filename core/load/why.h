/*
 * why.h - how load/ says no: "needs …; …: …" (need, have, remedy) into a caller's text.
 */
#ifndef WEIR_CORE_WHY_H
#define WEIR_CORE_WHY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Always -1. */
__attribute__((format(printf, 3, 4))) static inline int why_not(char *why, size_t size,
                                                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, size, format, args);
    va_end(args);
    return -1;
}

/* In functions that have the parameters `why` and `size`. */
#define refuse(...) why_not(why, size, __VA_ARGS__)

#endif
