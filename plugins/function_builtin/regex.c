/*
 * regex.c - regular expressions: PCRE2 with UTF and UCP, compiled to machine code.
 *
 * A literal pattern is compiled by bind and shared by all threads; one from a column is compiled
 * where it differs from the row before. Matching is unanchored. A match has a limit of steps:
 * past it the row fails, so a hostile text can't hang a batch.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "functions.h"

#include <pcre2.h>

#define MATCH_LIMIT 1000000u
#define PATTERN_MOST (64u << 10)
#define STACK_MOST (1u << 20)
#define TOO_MANY_STEPS "the match took too many steps"

struct regex_bound {
    struct bound base;
    pcre2_code *code; /* of a literal pattern */
    int64_t group;    /* of regexp_extract: a literal, or -1 */
};

/* What one call needs; `code` is the row's. */
struct matcher {
    pcre2_code *code, *own;
    struct weir_bytes pattern; /* of `own` */
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    uint32_t groups;
    int32_t failed; /* no memory */
};

static pcre2_code *compile(struct weir_bytes pattern, char *problem, size_t size)
{
    PCRE2_SIZE at = 0;
    int code = 0;
    pcre2_code *re = NULL;
    if (pattern.length > PATTERN_MOST) {
        snprintf(problem, size, "the pattern is too long");
        return NULL;
    }
    re = pcre2_compile(pattern.data, pattern.length, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (re) {
        pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without it matching is only slower */
    } else {
        char text[100] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
        snprintf(problem, size, "bad pattern at %zu: %s", (size_t)at, text);
    }
    return re;
}

static void regex_unbind(void *bound)
{
    if (!bound) return;
    pcre2_code_free(((struct regex_bound *)bound)->code);
    free_bound(bound);
}

static int32_t regex_bind(const struct weir_host *host, const char *name, const char *signature,
                          uint32_t result, const struct weir_argument *args, uint32_t n_args,
                          struct ArrowSchema *schema, void **bound, struct weir_error *error)
{
    struct regex_bound *b;
    char problem[160];
    int32_t rc = bind_as(host, name, signature, result, sizeof *b, args, n_args, schema, bound,
                         error);
    if (rc) return rc;
    b = *bound;
    b->group = -1;
    if (!is_literal(&args[1])) return WEIR_OK;
    b->code = compile(weir_get_bytes(args[1].value, 0), problem, sizeof problem);
    if (b->code) return WEIR_OK;
    regex_unbind(b);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "%s: %s", name, problem);
}

static void matcher_end(struct matcher *m)
{
    pcre2_code_free(m->own);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
}

static void matcher_use(struct matcher *m, pcre2_code *code)
{
    m->code = code;
    pcre2_match_data_free(m->data);
    m->data = pcre2_match_data_create_from_pattern(code, NULL);
    if (!m->data) m->failed = WEIR_FATAL;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &m->groups);
}

static void matcher_begin(struct matcher *m, const struct regex_bound *b)
{
    memset(m, 0, sizeof *m);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(32u << 10, STACK_MOST, NULL);
    if (m->context && m->stack) {
        pcre2_set_match_limit(m->context, MATCH_LIMIT);
        pcre2_jit_stack_assign(m->context, NULL, m->stack);
    } else {
        m->failed = WEIR_FATAL;
    }
    if (b->code) matcher_use(m, b->code);
}

/* The pattern of a row; 0 if the row failed. */
static int matcher_row(struct matcher *m, const struct regex_bound *b, const struct weir_call *call,
                       uint32_t row)
{
    struct weir_bytes pattern;
    char problem[160];
    if (m->failed) return 0;
    if (b->code) return 1;
    pattern = arg_text(call, 1, row);
    if (m->own && pattern.length == m->pattern.length &&
        memcmp(pattern.data, m->pattern.data, pattern.length) == 0)
        return 1;
    pcre2_code_free(m->own);
    m->own = compile(pattern, problem, sizeof problem);
    m->pattern = pattern;
    if (!m->own) {
        row_fail(call, row, "a pattern that is no regular expression");
        return 0;
    }
    matcher_use(m, m->own);
    return !m->failed;
}

/* 1 match, 0 none or failed */
static int match(struct matcher *m, const struct weir_call *call, uint32_t row, struct weir_bytes s)
{
    const int rc = pcre2_match(m->code, s.data, s.length, 0, PCRE2_NO_UTF_CHECK, m->data,
                               m->context);
    if (rc == PCRE2_ERROR_NOMEMORY) m->failed = WEIR_FATAL;
    else if (rc < 0 && rc != PCRE2_ERROR_NOMATCH) row_fail(call, row, TOO_MANY_STEPS);
    return rc > 0;
}

/* ---- rlike ---- */

static int32_t rlike_bind(const struct weir_host *host, const struct weir_argument *args,
                          uint32_t n_args, struct ArrowSchema *schema, void **bound,
                          struct weir_error *error)
{
    return regex_bind(host, "rlike", "tt", WEIR_TYPE_BOOL, args, n_args, schema, bound, error);
}

static int32_t rlike_eval(const struct weir_host *host, void *bound, const struct weir_call *call,
                          struct ArrowArray *out, struct weir_error *error)
{
    const struct regex_bound *b = bound;
    struct matcher m;
    void *values;
    uint32_t i;
    int32_t rc = make_column(&b->base, WEIR_TYPE_BOOL, call, out, &values, error);
    (void)host;
    if (rc) return rc;
    matcher_begin(&m, b);
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i);
        if (!matcher_row(&m, b, call, row)) continue;
        if (match(&m, call, row, arg_text(call, 0, row)))
            ((uint8_t *)values)[row >> 3] |= (uint8_t)(1u << (row & 7));
    }
    matcher_end(&m);
    if (m.failed) out->release(out);
    return m.failed ? weir_fail(error, WEIR_FATAL, "out of memory") : WEIR_OK;
}
SCALAR_TABLE(rlike, regex_unbind)

/* ---- regexp_extract ---- */

static int32_t regexp_extract_bind(const struct weir_host *host, const struct weir_argument *args,
                                   uint32_t n_args, struct ArrowSchema *schema, void **bound,
                                   struct weir_error *error)
{
    int32_t rc = regex_bind(host, "regexp_extract", "tt|i", WEIR_TYPE_UTF8, args, n_args, schema,
                            bound, error);
    struct regex_bound *b = *bound;
    uint32_t groups = 0;
    if (rc) return rc;
    if (n_args < 3) b->group = 1;
    else if (is_literal(&args[2]))
        b->group = b->base.types[2] == WEIR_TYPE_INT32 ? weir_get_int32(args[2].value, 0)
                                                       : weir_get_int64(args[2].value, 0);
    else return WEIR_OK;
    if (b->code) pcre2_pattern_info(b->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (b->group >= 0 && (!b->code || b->group <= groups)) return WEIR_OK;
    rc = weir_fail(error, WEIR_CONFIG, "regexp_extract: no group %lld, the pattern has %u",
                   (long long)b->group, groups);
    regex_unbind(b);
    *bound = NULL;
    return rc;
}

static void extract_group(struct text_writer *w, struct matcher *m, const struct regex_bound *b,
                          const struct weir_call *call, uint32_t row)
{
    const struct weir_bytes s = arg_text(call, 0, row);
    const int64_t group = b->group >= 0 ? b->group : arg_int(call, &b->base, 2, row);
    const PCRE2_SIZE *places;
    if (group < 0 || group > m->groups) {
        row_fail(call, row, "a group that the pattern does not have");
        return;
    }
    if (!match(m, call, row, s)) return;
    places = pcre2_get_ovector_pointer(m->data) + 2 * group;
    if (places[0] != PCRE2_UNSET && places[1] >= places[0])
        writer_add(w, s.data + places[0], places[1] - places[0]);
}

static int32_t regexp_extract_eval(const struct weir_host *host, void *bound,
                                   const struct weir_call *call, struct ArrowArray *out,
                                   struct weir_error *error)
{
    const struct regex_bound *b = bound;
    struct text_writer w;
    struct matcher m;
    uint32_t i;
    writer_begin(&w, host, &b->base, call);
    matcher_begin(&m, b);
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i);
        writer_row(&w, row);
        if (matcher_row(&m, b, call, row)) extract_group(&w, &m, b, call, row);
    }
    matcher_end(&m);
    if (m.failed) w.failed = m.failed;
    return writer_end(&w, out, error);
}
SCALAR_TABLE(regexp_extract, regex_unbind)

/* ---- regexp_replace ---- */

/* Does every $1 and ${1} of a literal replacement name a group? Other forms show when matching. */
static int groups_exist(const pcre2_code *code, struct weir_bytes to)
{
    uint32_t groups = 0;
    uint64_t i, number;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    for (i = 0; i < to.length; i++) {
        if (to.data[i] != '$') continue;
        if (++i == to.length) return 0;
        if (to.data[i] == '{' && i + 1 < to.length) i++;
        if (to.data[i] < '0' || to.data[i] > '9') continue;
        for (number = 0; i < to.length && to.data[i] >= '0' && to.data[i] <= '9'; i++)
            if (number <= groups) number = number * 10 + (to.data[i] - '0');
        if (number > groups) return 0;
        i--;
    }
    return 1;
}

static int32_t regexp_replace_bind(const struct weir_host *host, const struct weir_argument *args,
                                   uint32_t n_args, struct ArrowSchema *schema, void **bound,
                                   struct weir_error *error)
{
    int32_t rc = regex_bind(host, "regexp_replace", "ttt", WEIR_TYPE_UTF8, args, n_args, schema,
                            bound, error);
    struct regex_bound *b = *bound;
    if (rc || !b->code || !is_literal(&args[2])) return rc;
    if (groups_exist(b->code, weir_get_bytes(args[2].value, 0))) return WEIR_OK;
    regex_unbind(b);
    *bound = NULL;
    return weir_fail(error, WEIR_CONFIG, "regexp_replace: the replacement names no group of the "
                                         "pattern");
}

static void replace_all(struct text_writer *w, struct matcher *m, const struct weir_call *call,
                        uint32_t row)
{
    const uint32_t flags = PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_UNSET_EMPTY |
                           PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_NO_UTF_CHECK;
    const struct weir_bytes s = arg_text(call, 0, row), to = arg_text(call, 2, row);
    PCRE2_SIZE room = s.length + s.length / 2 + to.length + 64, used;
    int rc = PCRE2_ERROR_NOMEMORY;
    while (rc == PCRE2_ERROR_NOMEMORY) {
        uint8_t *p;
        if (room > TEXT_MOST) {
            row_fail(call, row, "the text is too long");
            return;
        }
        p = writer_room(w, room);
        if (!p) return;
        used = room;
        rc = pcre2_substitute(m->code, s.data, s.length, 0, flags, m->data, m->context, to.data,
                              to.length, p, &used);
        if (rc == PCRE2_ERROR_NOMEMORY && used <= room) break;
        if (rc == PCRE2_ERROR_NOMEMORY) room = used + 1;
    }
    if (rc >= 0) writer_used(w, used);
    else if (rc == PCRE2_ERROR_NOMEMORY) m->failed = WEIR_FATAL;
    else if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_JIT_STACKLIMIT ||
             rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT)
        row_fail(call, row, TOO_MANY_STEPS);
    else row_fail(call, row, "a replacement that names no group of the pattern");
}

static int32_t regexp_replace_eval(const struct weir_host *host, void *bound,
                                   const struct weir_call *call, struct ArrowArray *out,
                                   struct weir_error *error)
{
    const struct regex_bound *b = bound;
    struct text_writer w;
    struct matcher m;
    uint32_t i;
    writer_begin(&w, host, &b->base, call);
    matcher_begin(&m, b);
    for (i = 0; i < call->selected; i++) {
        const uint32_t row = call_row(call, i);
        writer_row(&w, row);
        if (matcher_row(&m, b, call, row)) replace_all(&w, &m, call, row);
    }
    matcher_end(&m);
    if (m.failed) w.failed = m.failed;
    return writer_end(&w, out, error);
}
SCALAR_TABLE(regexp_replace, regex_unbind)
