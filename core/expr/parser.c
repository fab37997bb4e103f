/*
 * parser.c - tokens to a tree: recursive descent, one function per level of precedence.
 *
 *     or       and { "or" and }                      n-ary
 *     and      not { "and" not }                     n-ary
 *     not      "not" not | test
 *     test     concat { compare concat | is … | [not] between | in | like | rlike }
 *     concat   sum { "||" sum }                      n-ary
 *     sum      product { + - product }
 *     product  unary { * / % div unary }
 *     unary    + - unary | postfix
 *     postfix  primary { "::" type | "." name }
 *     primary  literal | ( or ) | case … end | cast( or as type ) | name [ ( arguments ) ]
 *
 * Invariants:
 *  1. The text is input: nesting is bounded (DEPTH_MOST, HEIGHT_MOST), memory is proportional to
 *     the text.
 *  2. `interval`, `timestamp`, `date`, `cast`, `try_cast` are names unless a literal or `(`
 *     follows; after a dot every word is a name. Reserved are the words of `reserved` only.
 *  3. `-9223372036854775808` is a number: the lexer passes one more than INT64_MAX, and only a
 *     minus right before it makes it one.
 */
#include "core/expr/ast.h"

#define DEPTH_MOST 250u  /* of brackets and the like, where the descent is deep */
#define HEIGHT_MOST 1000u /* of the tree */
#define TEXT_MOST (256u << 10)
#define TOO_DEEP "the expression is nested too deeply"

struct parser {
    const struct source_text *source;
    struct arena *arena;
    const struct token *token;
    uint32_t depth; /* of the descent */
    struct weir_error *error;
    int32_t failed; /* class of the first error; afterwards everything returns NULL */
};

/* A growing list of kids while their number is unknown. */
struct kids {
    struct ast **list;
    uint32_t n, room;
};

static struct ast *parse_or(struct parser *p);
static struct ast *parse_sum(struct parser *p);

/* ---- errors and nodes ---- */

WEIR_PRINTF(3, 4)
static void *fail_at(struct parser *p, uint32_t at, const char *format, ...)
{
    char line[256];
    va_list args;
    if (p->failed) return NULL;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    p->failed = text_error(p->source, at, p->error, "%s", line);
    return NULL;
}

static void *no_memory(struct parser *p)
{
    if (!p->failed) p->failed = weir_fail(p->error, WEIR_FATAL, "out of memory");
    return NULL;
}

static void *unexpected(struct parser *p, const char *wanted)
{
    const struct token *t = p->token;
    if (t->kind == TOKEN_END)
        return fail_at(p, t->begin, "the expression ends where %s is expected", wanted);
    if (t->kind == TOKEN_TEXT)
        return fail_at(p, t->begin, "a text stands where %s is expected", wanted);
    return fail_at(p, t->begin, "'%.*s' stands where %s is expected", (int)(t->end - t->begin),
                   p->source->text + t->begin, wanted);
}

static struct ast *make(struct parser *p, enum ast_kind kind, uint32_t begin)
{
    struct ast *ast;
    if (p->failed) return NULL;
    ast = arena_alloc(p->arena, sizeof *ast);
    if (!ast) return no_memory(p);
    ast->kind = kind;
    ast->begin = begin;
    ast->at = begin;
    ast->depth = 1;
    return ast;
}

static int kids_add(struct parser *p, struct kids *kids, struct ast *kid)
{
    if (!kid) return 0;
    if (kids->n == kids->room) {
        const uint32_t room = kids->room ? kids->room * 2 : 4;
        struct ast **list = arena_alloc(p->arena, room * sizeof *list);
        if (!list) return no_memory(p) != NULL;
        if (kids->n) memcpy(list, kids->list, kids->n * sizeof *list);
        kids->list = list;
        kids->room = room;
    }
    kids->list[kids->n++] = kid;
    return 1;
}

/* Ends a node: its kids are known, the last token read is the one before p->token. */
static struct ast *finish(struct parser *p, struct ast *ast, const struct kids *kids)
{
    uint32_t i;
    if (p->failed || !ast) return NULL;
    ast->end = p->token[-1].end;
    if (kids) {
        ast->kids = kids->list;
        ast->n_kids = kids->n;
        for (i = 0; i < kids->n; i++)
            if (kids->list[i]->depth >= ast->depth) ast->depth = kids->list[i]->depth + 1;
    }
    if (ast->depth > HEIGHT_MOST) return fail_at(p, ast->begin, TOO_DEEP);
    return ast;
}

static struct ast *make_binary(struct parser *p, enum ast_kind kind, uint32_t op, uint32_t at,
                               struct ast *left, struct ast *right)
{
    struct kids kids = { 0 };
    struct ast *ast;
    if (!left || !right) return NULL;
    ast = make(p, kind, left->begin);
    if (!ast || !kids_add(p, &kids, left) || !kids_add(p, &kids, right)) return NULL;
    ast->op = op;
    ast->at = at;
    return finish(p, ast, &kids);
}

/* ---- tokens ---- */

static int at_mark(const struct parser *p, uint32_t mark)
{
    return p->token->kind == TOKEN_MARK && p->token->mark == mark;
}

static int take_mark(struct parser *p, uint32_t mark)
{
    if (!at_mark(p, mark)) return 0;
    p->token++;
    return 1;
}

static int take_word(struct parser *p, const char *word)
{
    if (!word_is(p->token, word)) return 0;
    p->token++;
    return 1;
}

static int expect_mark(struct parser *p, uint32_t mark, const char *shown)
{
    if (p->failed) return 0;
    return take_mark(p, mark) || unexpected(p, shown) != NULL;
}

static int expect_word(struct parser *p, const char *word, const char *shown)
{
    if (p->failed) return 0;
    return take_word(p, word) || unexpected(p, shown) != NULL;
}

static int is_reserved(const struct token *token)
{
    static const char *const reserved[] = { "and",  "as",   "between", "case", "distinct", "div",
                                            "else", "end",  "false",   "from", "in",       "is",
                                            "like", "not",  "null",    "or",   "rlike",    "then",
                                            "true", "when", NULL };
    uint32_t i;
    if (token->kind != TOKEN_NAME) return 0;
    for (i = 0; reserved[i]; i++)
        if (word_is(token, reserved[i])) return 1;
    return 0;
}

/* ---- primaries ---- */

static struct ast *parse_time(struct parser *p)
{
    const struct token *word = p->token++;
    const struct token *text = p->token++;
    struct ast *ast;
    int rc;
    if (word_is(word, "interval")) {
        ast = make(p, AST_INTERVAL, word->begin);
        if (!ast) return NULL;
        rc = interval_of_text(text->text, text->length, &ast->integer);
        if (rc == -2) return fail_at(p, text->begin, "the interval is out of range");
        if (rc)
            return fail_at(p, text->begin, "not an interval: number and unit (us ms s m h d w), "
                                           "once or more");
    } else if (word_is(word, "timestamp")) {
        ast = make(p, AST_TIMESTAMP, word->begin);
        if (!ast) return NULL;
        rc = timestamp_of_text(text->text, text->length, &ast->integer);
        if (rc) return fail_at(p, text->begin, "not a timestamp of ISO 8601");
    } else {
        int32_t days = 0;
        ast = make(p, AST_DATE, word->begin);
        if (!ast) return NULL;
        rc = date_of_text(text->text, text->length, &days);
        if (rc) return fail_at(p, text->begin, "not a date of ISO 8601");
        ast->integer = days;
    }
    return finish(p, ast, NULL);
}

static struct ast *parse_case(struct parser *p)
{
    struct ast *ast = make(p, AST_CASE, p->token->begin);
    struct kids kids = { 0 };
    uint32_t branches = 0;
    p->token++;
    if (!ast) return NULL;
    if (!word_is(p->token, "when")) {
        ast->has_operand = 1;
        if (!kids_add(p, &kids, parse_or(p))) return NULL;
    }
    for (; take_word(p, "when"); branches++) {
        if (!kids_add(p, &kids, parse_or(p)) || !expect_word(p, "then", "then") ||
            !kids_add(p, &kids, parse_or(p)))
            return NULL;
    }
    if (!branches) return unexpected(p, "when");
    if (take_word(p, "else")) {
        ast->has_else = 1;
        if (!kids_add(p, &kids, parse_or(p))) return NULL;
    }
    if (!expect_word(p, "end", "end")) return NULL;
    return finish(p, ast, &kids);
}

/* A type: a word, or list<…>, struct<…> up to the matching bracket. Its text goes into `ast`. */
static int parse_type(struct parser *p, struct ast *ast)
{
    const struct token *first = p->token;
    uint32_t open = 0;
    if (p->failed) return 0;
    if (first->kind != TOKEN_NAME) return unexpected(p, "a type") != NULL;
    p->token++;
    if ((word_is(first, "list") || word_is(first, "struct")) && at_mark(p, '<')) {
        do {
            if (p->token->kind == TOKEN_END) return unexpected(p, "'>'") != NULL;
            if (at_mark(p, '<')) open++;
            else if (at_mark(p, '>')) open--;
            p->token++;
        } while (open);
    }
    ast->length = p->token[-1].end - first->begin;
    ast->text = arena_text(p->arena, p->source->text + first->begin, ast->length);
    ast->at = first->begin;
    return ast->text || no_memory(p) != NULL;
}

static struct ast *parse_cast(struct parser *p)
{
    struct ast *ast = make(p, AST_CAST, p->token->begin);
    struct kids kids = { 0 };
    if (!ast) return NULL;
    ast->is_try = word_is(p->token, "try_cast") != 0;
    p->token += 2;
    if (!kids_add(p, &kids, parse_or(p)) || !expect_word(p, "as", "as") || !parse_type(p, ast) ||
        !expect_mark(p, ')', "')'"))
        return NULL;
    return finish(p, ast, &kids);
}

/* extract(piece from x): the piece becomes a text */
static struct ast *parse_extract(struct parser *p, struct kids *kids)
{
    const struct token *piece = p->token++;
    struct ast *text = make(p, AST_TEXT, piece->begin);
    if (!text) return NULL;
    text->text = piece->text;
    text->length = piece->length;
    if (!kids_add(p, kids, finish(p, text, NULL))) return NULL;
    p->token++; /* from */
    return parse_or(p);
}

static struct ast *parse_call(struct parser *p)
{
    const struct token *name = p->token;
    struct ast *ast = make(p, AST_CALL, name->begin);
    struct kids kids = { 0 };
    char *lower;
    uint32_t i;
    if (!ast) return NULL;
    lower = arena_text(p->arena, name->text, name->length);
    if (!lower) return no_memory(p);
    for (i = 0; i < name->length; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] += 32;
    ast->text = lower;
    ast->length = name->length;
    p->token += 2;
    if (take_mark(p, ')')) return finish(p, ast, &kids);
    if (at_mark(p, '*') && p->token[1].kind == TOKEN_MARK && p->token[1].mark == ')') {
        p->token += 2;
        ast->star = 1;
        return finish(p, ast, &kids);
    }
    ast->distinct = take_word(p, "distinct") != 0;
    if (strcmp(lower, "extract") == 0 && p->token->kind == TOKEN_NAME &&
        word_is(p->token + 1, "from")) {
        if (!kids_add(p, &kids, parse_extract(p, &kids))) return NULL;
    } else {
        do {
            if (!kids_add(p, &kids, parse_or(p))) return NULL;
        } while (take_mark(p, ','));
    }
    if (!expect_mark(p, ')', "',' or ')'")) return NULL;
    return finish(p, ast, &kids);
}

static struct ast *parse_literal(struct parser *p)
{
    const struct token *t = p->token;
    struct ast *ast = make(p, AST_NULL, t->begin);
    if (!ast) return NULL;
    if (t->kind == TOKEN_INT) {
        if (t->value.integer > INT64_MAX) return fail_at(p, t->begin, "the number is out of range");
        ast->kind = AST_INT;
        ast->integer = (int64_t)t->value.integer;
    } else if (t->kind == TOKEN_FLOAT) {
        ast->kind = AST_FLOAT;
        ast->number = t->value.number;
    } else if (t->kind == TOKEN_TEXT) {
        ast->kind = AST_TEXT;
        ast->text = t->text;
        ast->length = t->length;
    } else if (!word_is(t, "null")) {
        ast->kind = AST_BOOL;
        ast->integer = word_is(t, "true");
    }
    p->token++;
    return finish(p, ast, NULL);
}

static struct ast *parse_name(struct parser *p)
{
    struct ast *ast = make(p, AST_NAME, p->token->begin);
    if (!ast) return NULL;
    ast->text = p->token->text;
    ast->length = p->token->length;
    p->token++;
    return finish(p, ast, NULL);
}

static struct ast *parse_primary(struct parser *p)
{
    const struct token *t = p->token, *next;
    if (p->failed) return NULL;
    if (take_mark(p, '(')) {
        struct ast *inner = parse_or(p);
        return inner && expect_mark(p, ')', "')'") ? inner : NULL;
    }
    if (t->kind == TOKEN_QUOTED) return parse_name(p);
    if (t->kind == TOKEN_INT || t->kind == TOKEN_FLOAT || t->kind == TOKEN_TEXT ||
        word_is(t, "null") || word_is(t, "true") || word_is(t, "false"))
        return parse_literal(p);
    if (word_is(t, "case")) return parse_case(p);
    if (t->kind != TOKEN_NAME || is_reserved(t)) return unexpected(p, "a value");
    next = t + 1;
    if (next->kind == TOKEN_TEXT &&
        (word_is(t, "interval") || word_is(t, "timestamp") || word_is(t, "date")))
        return parse_time(p);
    if (next->kind == TOKEN_MARK && next->mark == '(')
        return word_is(t, "cast") || word_is(t, "try_cast") ? parse_cast(p) : parse_call(p);
    return parse_name(p);
}

/* ---- operators, tightest first ---- */

static struct ast *parse_postfix(struct parser *p)
{
    struct ast *left = parse_primary(p);
    while (left && p->token->kind == TOKEN_MARK) {
        struct kids kids = { 0 };
        struct ast *ast;
        if (!at_mark(p, '.') && !at_mark(p, MARK2(':', ':'))) break;
        ast = make(p, at_mark(p, '.') ? AST_FIELD : AST_CAST, left->begin);
        if (!ast || !kids_add(p, &kids, left)) return NULL;
        p->token++;
        if (ast->kind == AST_CAST) {
            if (!parse_type(p, ast)) return NULL;
        } else {
            if (p->token->kind != TOKEN_NAME && p->token->kind != TOKEN_QUOTED)
                return unexpected(p, "a name");
            ast->at = p->token->begin;
            ast->text = p->token->text;
            ast->length = p->token->length;
            p->token++;
        }
        left = finish(p, ast, &kids);
    }
    return left;
}

static struct ast *parse_unary(struct parser *p)
{
    const struct token *sign = p->token;
    struct kids kids = { 0 };
    struct ast *ast;
    if (!at_mark(p, '-') && !at_mark(p, '+')) return parse_postfix(p);
    if (++p->depth > DEPTH_MOST) return fail_at(p, sign->begin, TOO_DEEP);
    p->token++;
    if (sign->mark == '-' && p->token->kind == TOKEN_INT && p->token->value.integer > INT64_MAX) {
        ast = make(p, AST_INT, sign->begin);
        if (!ast) return NULL;
        ast->integer = INT64_MIN;
        p->token++;
        p->depth--;
        return finish(p, ast, NULL);
    }
    ast = parse_unary(p);
    p->depth--;
    if (sign->mark == '+' || !ast) return ast;
    if (!kids_add(p, &kids, ast)) return NULL;
    return finish(p, make(p, AST_NEGATE, sign->begin), &kids);
}

static struct ast *parse_product(struct parser *p)
{
    struct ast *left = parse_unary(p);
    while (left) {
        const uint32_t at = p->token->begin;
        uint32_t op;
        if (at_mark(p, '*') || at_mark(p, '/') || at_mark(p, '%')) op = p->token->mark;
        else if (word_is(p->token, "div")) op = 'd';
        else break;
        p->token++;
        left = make_binary(p, AST_ARITH, op, at, left, parse_unary(p));
    }
    return left;
}

static struct ast *parse_sum(struct parser *p)
{
    struct ast *left = parse_product(p);
    while (left && (at_mark(p, '+') || at_mark(p, '-'))) {
        const uint32_t op = p->token->mark, at = p->token->begin;
        p->token++;
        left = make_binary(p, AST_ARITH, op, at, left, parse_product(p));
    }
    return left;
}

/* first { separator next }: one node with all of them */
static struct ast *parse_chain(struct parser *p, enum ast_kind kind, const char *word,
                               struct ast *(*next)(struct parser *))
{
    struct ast *first = next(p), *ast;
    struct kids kids = { 0 };
    const uint32_t at = p->token->begin;
    const uint32_t bars = MARK2('|', '|');
    if (!first || !(word ? word_is(p->token, word) : at_mark(p, bars))) return first;
    if (!kids_add(p, &kids, first)) return NULL;
    while (word ? take_word(p, word) : take_mark(p, bars))
        if (!kids_add(p, &kids, next(p))) return NULL;
    ast = make(p, kind, first->begin);
    if (ast) ast->at = at;
    return finish(p, ast, &kids);
}

static struct ast *parse_concat(struct parser *p)
{
    return parse_chain(p, AST_CONCAT, NULL, parse_sum);
}

/* `x is …`, after `is` */
static struct ast *parse_is(struct parser *p, struct ast *left, uint32_t at)
{
    const int negated = take_word(p, "not");
    struct kids kids = { 0 };
    struct ast *ast;
    if (take_word(p, "distinct")) {
        if (!expect_word(p, "from", "from")) return NULL;
        ast = make_binary(p, AST_DISTINCT, 0, at, left, parse_concat(p));
    } else {
        if (!expect_word(p, "null", "null or distinct from")) return NULL;
        ast = make(p, AST_IS_NULL, left->begin);
        if (!kids_add(p, &kids, left)) return NULL;
        ast = finish(p, ast, &kids);
    }
    if (!ast) return NULL;
    ast->at = at;
    ast->negated = negated != 0;
    return ast;
}

/* `x [not] between | in | like | rlike`, at that word; NULL without an error: none of them */
static struct ast *parse_range(struct parser *p, struct ast *left, uint32_t at)
{
    const enum ast_kind kind = word_is(p->token, "between") ? AST_BETWEEN
                               : word_is(p->token, "in")    ? AST_IN
                               : word_is(p->token, "like")  ? AST_LIKE
                               : word_is(p->token, "rlike") ? AST_RLIKE
                                                            : AST_NULL;
    struct kids kids = { 0 };
    struct ast *ast;
    if (kind == AST_NULL) return unexpected(p, "between, in, like or rlike");
    p->token++;
    ast = make(p, kind, left->begin);
    if (!ast || !kids_add(p, &kids, left)) return NULL;
    ast->at = at;
    if (kind == AST_IN) {
        if (!expect_mark(p, '(', "'('")) return NULL;
        do {
            if (!kids_add(p, &kids, parse_or(p))) return NULL;
        } while (take_mark(p, ','));
        if (!expect_mark(p, ')', "',' or ')'")) return NULL;
    } else {
        if (!kids_add(p, &kids, parse_concat(p))) return NULL;
        if (kind == AST_BETWEEN &&
            (!expect_word(p, "and", "and") || !kids_add(p, &kids, parse_concat(p))))
            return NULL;
    }
    return finish(p, ast, &kids);
}

static int compare_of(const struct token *t)
{
    if (t->kind != TOKEN_MARK) return -1;
    switch (t->mark) {
    case '=':
    case MARK2('=', '='): return EQ;
    case MARK2('<', '>'):
    case MARK2('!', '='): return NE;
    case '<': return LT;
    case MARK2('<', '='): return LE;
    case '>': return GT;
    case MARK2('>', '='): return GE;
    default: return -1;
    }
}

static struct ast *parse_test(struct parser *p)
{
    struct ast *left = parse_concat(p);
    while (left) {
        const uint32_t at = p->token->begin;
        const int compare = compare_of(p->token);
        if (compare >= 0) {
            p->token++;
            left = make_binary(p, AST_COMPARE, (uint32_t)compare, at, left, parse_concat(p));
        } else if (take_mark(p, MARK3('<', '=', '>'))) {
            left = make_binary(p, AST_DISTINCT, 0, at, left, parse_concat(p));
            if (left) left->negated = 1;
        } else if (take_word(p, "is")) {
            left = parse_is(p, left, at);
        } else if (take_word(p, "not")) {
            left = parse_range(p, left, at);
            if (left) left->negated = 1;
        } else if (word_is(p->token, "between") || word_is(p->token, "in") ||
                   word_is(p->token, "like") || word_is(p->token, "rlike")) {
            left = parse_range(p, left, at);
        } else {
            break;
        }
    }
    return left;
}

static struct ast *parse_not(struct parser *p)
{
    const struct token *word = p->token;
    struct kids kids = { 0 };
    struct ast *ast;
    if (!take_word(p, "not")) return parse_test(p);
    if (++p->depth > DEPTH_MOST) return fail_at(p, word->begin, TOO_DEEP);
    ast = parse_not(p);
    p->depth--;
    if (!kids_add(p, &kids, ast)) return NULL;
    return finish(p, make(p, AST_NOT, word->begin), &kids);
}

static struct ast *parse_and(struct parser *p)
{
    return parse_chain(p, AST_AND, "and", parse_not);
}

static struct ast *parse_or(struct parser *p)
{
    struct ast *ast;
    if (p->failed) return NULL;
    if (++p->depth > DEPTH_MOST)
        return fail_at(p, p->token->begin, TOO_DEEP);
    ast = parse_chain(p, AST_OR, "or", parse_and);
    p->depth--;
    return ast;
}

int32_t parse(const struct source_text *text, struct arena *arena, struct ast **out,
              struct weir_error *error)
{
    struct parser p = { .source = text, .arena = arena, .error = error };
    struct token *tokens;
    int32_t rc;
    *out = NULL;
    if (text->length > TEXT_MOST)
        return weir_fail_option(error, text->option, -1, "the expression is longer than %u KiB",
                                TEXT_MOST >> 10);
    rc = lex(text, arena, &tokens, error);
    if (rc) return rc;
    p.token = tokens;
    *out = parse_or(&p);
    if (*out && p.token->kind != TOKEN_END) {
        *out = NULL;
        unexpected(&p, "the end or an operator");
    }
    return p.failed;
}

int ast_equal(const struct ast *a, const struct ast *b)
{
    uint32_t i;
    if (a->kind != b->kind || a->op != b->op || a->n_kids != b->n_kids || a->length != b->length ||
        a->negated != b->negated || a->has_operand != b->has_operand || a->star != b->star ||
        a->has_else != b->has_else || a->is_try != b->is_try || a->distinct != b->distinct ||
        a->integer != b->integer || memcmp(&a->number, &b->number, sizeof a->number) != 0 ||
        (a->length && memcmp(a->text, b->text, a->length) != 0))
        return 0;
    for (i = 0; i < a->n_kids; i++)
        if (!ast_equal(a->kids[i], b->kids[i])) return 0;
    return 1;
}

/* ---- interval text ---- */

static int64_t unit_of(const char *word, size_t n)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = { { "us", 1 },           { "microsecond", 1 },     { "ms", 1000 },
                  { "millisecond", 1000 }, { "s", 1000000 },         { "second", 1000000 },
                  { "m", 60000000 },     { "minute", 60000000 },   { "h", 3600000000 },
                  { "hour", 3600000000 }, { "d", 86400000000 },     { "day", 86400000000 },
                  { "w", 604800000000 }, { "week", 604800000000 }, { NULL, 0 } };
    uint32_t i, j;
    for (i = 0; units[i].name; i++) {
        const size_t m = strlen(units[i].name);
        if (n != m && !(m > 2 && n == m + 1 && (word[m] | 32) == 's')) continue;
        for (j = 0; j < m && (word[j] | 32) == units[i].name[j]; j++) {}
        if (j == m) return units[i].us;
    }
    return 0;
}

int interval_of_text(const char *text, uint64_t n, int64_t *us)
{
    const char *p = text, *end = text + n;
    __int128 sum = 0;
    int negative = 0, parts = 0;
#define SKIP() while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) p++
    SKIP();
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    SKIP();
    while (p < end) {
        int64_t number = 0, unit;
        const char *word = p;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, *p - '0', &number))
                return -2;
        if (p == word) return -1;
        SKIP();
        for (word = p; p < end && (*p | 32) >= 'a' && (*p | 32) <= 'z';) p++;
        unit = unit_of(word, (size_t)(p - word));
        if (!unit) return -1;
        sum += (__int128)number * unit;
        if (sum > (__int128)INT64_MAX + negative) return -2;
        parts++;
        SKIP();
    }
#undef SKIP
    if (!parts) return -1;
    *us = (int64_t)(negative ? -sum : sum);
    return 0;
}
