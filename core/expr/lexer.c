/*
 * lexer.c - the text of an expression as tokens.
 *
 * Names begin with a letter, `_` or any character beyond ASCII and go on with digits as well. Words
 * are names here; which of them are reserved is the parser's matter. There are no comments and no
 * backslash escapes; a quote is doubled inside of quotes.
 */
#include "core/expr/ast.h"

#include <math.h>

struct lexer {
    const struct source_text *source;
    struct arena *arena;
    uint32_t at;
};

static int is_name_start(uint8_t c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 0x80;
}

static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static uint8_t peek(const struct lexer *lexer, uint32_t ahead)
{
    const uint32_t i = lexer->at + ahead;
    return i < lexer->source->length ? (uint8_t)lexer->source->text[i] : 0;
}

static int32_t lex_quoted(struct lexer *lexer, struct token *token, struct weir_error *error)
{
    const char *text = lexer->source->text;
    const char quote = text[lexer->at];
    const uint32_t from = lexer->at + 1;
    uint32_t to = from, n = 0;
    char *copy;
    for (;; to++) {
        if (to >= lexer->source->length)
            return text_error(lexer->source, token->begin, error, "the %s has no end",
                              quote == '\'' ? "text" : "quoted name");
        if (text[to] != quote) continue;
        if (to + 1 >= lexer->source->length || text[to + 1] != quote) break;
        to++;
    }
    copy = arena_alloc(lexer->arena, to - from + 1);
    if (!copy) return weir_fail(error, WEIR_FATAL, "out of memory");
    for (lexer->at = from; lexer->at < to; lexer->at++) {
        copy[n++] = text[lexer->at];
        if (text[lexer->at] == quote) lexer->at++;
    }
    lexer->at = to + 1;
    token->kind = quote == '\'' ? TOKEN_TEXT : TOKEN_QUOTED;
    token->text = copy;
    token->length = n;
    if (quote == '"' && (n == 0 || strlen(copy) != n))
        return text_error(lexer->source, token->begin, error, "a quoted name without a name");
    return WEIR_OK;
}

static int32_t lex_number(struct lexer *lexer, struct token *token, struct weir_error *error)
{
    const char *text = lexer->source->text;
    int is_float = 0;
    uint32_t i;
    while (is_digit(peek(lexer, 0))) lexer->at++;
    if (peek(lexer, 0) == '.') {
        is_float = 1;
        for (lexer->at++; is_digit(peek(lexer, 0));) lexer->at++;
    }
    if ((peek(lexer, 0) | 32) == 'e') {
        const uint8_t sign = peek(lexer, 1);
        const uint32_t skip = sign == '+' || sign == '-' ? 2 : 1;
        if (is_digit(peek(lexer, skip))) {
            is_float = 1;
            for (lexer->at += skip; is_digit(peek(lexer, 0));) lexer->at++;
        }
    }
    if (is_name_start(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
        return text_error(lexer->source, token->begin, error, "not a number");
    if (is_float) {
        double number = 0;
        int rc = float_of_text(text + token->begin, lexer->at - token->begin, &number);
        if (rc == -2 || (rc == 0 && !isfinite(number)))
            return text_error(lexer->source, token->begin, error, "the number is out of range");
        if (rc) return text_error(lexer->source, token->begin, error, "not a number");
        token->kind = TOKEN_FLOAT;
        token->value.number = number;
        return WEIR_OK;
    }
    token->kind = TOKEN_INT;
    token->value.integer = 0;
    for (i = token->begin; i < lexer->at; i++) {
        const uint64_t limit = (uint64_t)INT64_MAX + 1;
        const uint64_t digit = (uint64_t)(text[i] - '0');
        if (token->value.integer > (limit - digit) / 10)
            return text_error(lexer->source, token->begin, error, "the number is out of range");
        token->value.integer = token->value.integer * 10 + digit;
    }
    return WEIR_OK;
}

static int32_t lex_mark(struct lexer *lexer, struct token *token, struct weir_error *error)
{
    static const char *const marks[] = { "<=>", "<=", ">=", "<>", "!=", "==", "||", "::" };
    static const char single[] = "<>=+-*/%(),.:";
    const char *at = lexer->source->text + lexer->at;
    const uint32_t left = lexer->source->length - lexer->at;
    uint32_t i;
    token->kind = TOKEN_MARK;
    for (i = 0; i < sizeof marks / sizeof *marks; i++) {
        const uint32_t n = (uint32_t)strlen(marks[i]);
        if (n > left || memcmp(at, marks[i], n) != 0) continue;
        token->mark = MARK3(marks[i][0], marks[i][1], n == 3 ? marks[i][2] : 0);
        lexer->at += n;
        return WEIR_OK;
    }
    if (at[0] && strchr(single, at[0])) {
        token->mark = (uint8_t)at[0];
        lexer->at++;
        return WEIR_OK;
    }
    if (at[0] > 32 && at[0] < 127)
        return text_error(lexer->source, lexer->at, error, "unexpected character %c", at[0]);
    return text_error(lexer->source, lexer->at, error, "unexpected character");
}

static int32_t lex_token(struct lexer *lexer, struct token *token, struct weir_error *error)
{
    uint8_t c = peek(lexer, 0);
    int32_t rc = WEIR_OK;
    while (c == ' ' || (c >= '\t' && c <= '\r')) {
        lexer->at++;
        c = peek(lexer, 0);
    }
    memset(token, 0, sizeof *token);
    token->begin = lexer->at;
    if (lexer->at >= lexer->source->length) {
        token->kind = TOKEN_END;
    } else if (is_name_start(c)) {
        while (is_name_start(peek(lexer, 0)) || is_digit(peek(lexer, 0))) lexer->at++;
        token->kind = TOKEN_NAME;
        token->length = lexer->at - token->begin;
        token->text = arena_text(lexer->arena, lexer->source->text + token->begin, token->length);
        if (!token->text) rc = weir_fail(error, WEIR_FATAL, "out of memory");
    } else if (c == '\'' || c == '"') {
        rc = lex_quoted(lexer, token, error);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        rc = lex_number(lexer, token, error);
    } else {
        rc = lex_mark(lexer, token, error);
    }
    token->end = lexer->at;
    return rc;
}

int32_t lex(const struct source_text *text, struct arena *arena, struct token **out,
            struct weir_error *error)
{
    struct lexer lexer = { text, arena, 0 };
    struct token token;
    uint32_t n = 0, i;
    int32_t rc;
    *out = NULL;
    if (!utf8_valid((const uint8_t *)text->text, text->length))
        return weir_fail_option(error, text->option, -1, "the expression is not UTF-8");
    do { /* twice over the text: first to count, then into an array of that size */
        rc = lex_token(&lexer, &token, error);
        if (rc) return rc;
        n++;
    } while (token.kind != TOKEN_END);
    *out = arena_alloc(arena, n * sizeof **out);
    if (!*out) return weir_fail(error, WEIR_FATAL, "out of memory");
    lexer.at = 0;
    for (i = 0; i < n; i++) {
        rc = lex_token(&lexer, &(*out)[i], error);
        if (rc) return rc;
    }
    return WEIR_OK;
}

int word_is(const struct token *token, const char *word)
{
    uint32_t i;
    if (token->kind != TOKEN_NAME || strlen(word) != token->length) return 0;
    for (i = 0; i < token->length; i++) {
        const char c = token->text[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i]) return 0;
    }
    return 1;
}
