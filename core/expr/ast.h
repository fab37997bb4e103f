/*
 * ast.h - the text of an expression as tokens (lexer.c) and as a tree (parser.c). No types yet.
 *
 * Everything lies in an arena: nothing is freed one by one. Places are byte offsets into the
 * text; they become code points only in errors.
 */
#ifndef WEIR_CORE_EXPR_AST_H
#define WEIR_CORE_EXPR_AST_H

#include "core/data/array.h"

/* ---- arena.c ---- */

struct arena {
    struct arena_block *blocks;
    uint64_t left; /* bytes free in the first block */
    uint8_t *next;
};

void *arena_alloc(struct arena *arena, uint64_t bytes); /* zeroed, aligned to 8; NULL: none */
char *arena_text(struct arena *arena, const char *text, uint64_t n); /* a copy, NUL-terminated */
void arena_free(struct arena *arena);

/* What errors need to know about the text. */
struct source_text {
    const char *text;
    uint32_t length;
    const char *option; /* the option that it came from; "" if none */
};

/* CONFIG at a byte offset. */
WEIR_PRINTF(4, 5)
int32_t text_error(const struct source_text *text, uint32_t at, struct weir_error *error,
                   const char *format, ...);
/* The candidate nearest to `name` if it is near enough for a typing error; `best` collects over
 * calls (start with distance UINT32_MAX). */
struct suggestion {
    const char *name;
    uint32_t distance;
};
void suggest(struct suggestion *best, const char *name, const char *candidate);

/* ---- lexer.c ---- */

enum token_kind {
    TOKEN_END,
    TOKEN_INT,    /* value.integer; INT64_MAX + 1 allowed, for unary minus */
    TOKEN_FLOAT,  /* value.number */
    TOKEN_TEXT,   /* 'text' */
    TOKEN_NAME,   /* a name or word */
    TOKEN_QUOTED, /* "quoted name" */
    TOKEN_MARK    /* operator or punctuation, in `mark` */
};

#define MARK2(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)
#define MARK3(a, b, c) (MARK2(a, b) | (uint32_t)(c) << 16)

struct token {
    enum token_kind kind;
    uint32_t begin, end; /* bytes of the source */
    uint32_t mark;       /* one to three characters, first one lowest */
    uint32_t length;     /* of text */
    const char *text;    /* names and texts without quotes, NUL-terminated */
    union {
        uint64_t integer;
        double number;
    } value;
};

/* All tokens of a text, TOKEN_END last. OK, CONFIG with the place, FATAL. */
int32_t lex(const struct source_text *text, struct arena *arena, struct token **out,
            struct weir_error *error);
int word_is(const struct token *token, const char *word); /* an unquoted name, any case */

/* ---- parser.c ---- */

enum ast_kind {
    AST_NULL,
    AST_BOOL,      /* integer */
    AST_INT,       /* integer */
    AST_FLOAT,     /* number */
    AST_TEXT,      /* text */
    AST_INTERVAL,  /* integer */
    AST_TIMESTAMP, /* integer */
    AST_DATE,      /* integer */
    AST_NAME,      /* text */
    AST_FIELD,     /* kids[0].text */
    AST_NEGATE,
    AST_ARITH,    /* op: + - * / % or 'd' (div) */
    AST_CONCAT,   /* two or more kids */
    AST_COMPARE,  /* op: enum compare */
    AST_DISTINCT, /* is [not] distinct from; `not` for <=> */
    AST_NOT,
    AST_AND, /* two or more kids */
    AST_OR,
    AST_IS_NULL, /* not */
    AST_BETWEEN, /* x, low, high; not */
    AST_IN,      /* x, items; not */
    AST_LIKE,    /* x, pattern; not */
    AST_RLIKE,
    AST_CASE, /* flags: operand, else; [x,] when, then, …, [else] */
    AST_CAST, /* type text; try */
    AST_CALL  /* text: lower-case name; star, distinct */
};

enum compare { EQ, NE, LT, LE, GT, GE };

struct ast {
    enum ast_kind kind;
    uint32_t op;
    uint32_t begin, end; /* the whole expression */
    uint32_t at;         /* where errors point: the operator, or begin */
    uint32_t depth;
    uint8_t negated, has_operand, has_else, is_try, star, distinct;
    uint32_t length;
    const char *text;
    int64_t integer;
    double number;
    uint32_t n_kids;
    struct ast **kids;
};

/* OK, CONFIG, FATAL. */
int32_t parse(const struct source_text *text, struct arena *arena, struct ast **out,
              struct weir_error *error);
int ast_equal(const struct ast *a, const struct ast *b); /* the same but for places */
/* Interval text ("1h 30m", "-5 minutes"); 0 ok, -1 not one, -2 out of range. */
int interval_of_text(const char *text, uint64_t n, int64_t *us);

#endif
