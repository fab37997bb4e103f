/*
 * condition.h - simple conditions as the host offers them to a format (weir_decode_bind.conjuncts),
 * of the two forms on text that formats make use of:
 *
 *     name = 'text'          contains(name, 'text')
 *
 * A name that is not plain is "quoted"; a quote within quotes is doubled.
 */
#ifndef SHARE_CONDITION_H
#define SHARE_CONDITION_H

#include <weir/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CONDITION_TEXT 256u

struct condition {
    uint32_t contains; /* 1: contains, 0: equals */
    uint32_t n_text;
    char column[CONDITION_TEXT]; /* zero-terminated */
    uint8_t text[CONDITION_TEXT];
};

/* 1: *out is what `text` says. 0: it is of another form, or longer; nobody minds. [any] */
int condition_parse(const char *text, struct condition *out);

#ifdef __cplusplus
}
#endif
#endif
