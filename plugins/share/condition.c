/*
 * condition.c - see condition.h.
 */
#include "plugins/share/condition.h"

/* Text in quotes at *at, into `out` with its length; 0: there is none, or it is too long. */
static int quoted(const char **at, char quote, char *out, uint32_t *length)
{
    const char *p = *at;
    uint32_t n = 0;
    if (*p++ != quote) return 0;
    for (;; p++) {
        if (*p == 0 || n + 1 >= CONDITION_TEXT) return 0;
        if (*p == quote && *++p != quote) break;
        out[n++] = *p;
    }
    out[n] = 0;
    *at = p;
    *length = n;
    return 1;
}

static int name(const char **at, char *out)
{
    uint32_t n = (uint32_t)strcspn(*at, " ,()'\"");
    if (**at == '"') return quoted(at, '"', out, &n);
    if (n == 0 || n >= CONDITION_TEXT) return 0;
    memcpy(out, *at, n);
    out[n] = 0;
    *at += n;
    return 1;
}

static int word(const char **at, const char *text)
{
    const size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0) return 0;
    *at += n;
    return 1;
}

int condition_parse(const char *text, struct condition *out)
{
    const char *at = text;
    memset(out, 0, sizeof *out);
    out->contains = (uint32_t)word(&at, "contains(");
    return name(&at, out->column) && word(&at, out->contains ? ", " : " = ") &&
           quoted(&at, '\'', (char *)out->text, &out->n_text) &&
           (!out->contains || word(&at, ")")) && *at == 0;
}
