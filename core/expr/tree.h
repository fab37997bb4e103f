/*
 * tree.h - a checked expression: nodes with types, ready to run. Made by check.c, run by eval.c.
 *
 * Invariants:
 *  1. A tree is immutable once expr_compile has returned; lanes share it.
 *  2. Operands have the type that the operator's kernel takes: coercions are cast nodes.
 *  3. `may_fail` is 0 only if no row can fail in the whole subtree; `heavy` says that skipping
 *     rows pays.
 *  4. `and`, `or` are n-ary, and `not` stands above no `and`, `or`, `not` or comparison (it was
 *     pushed down: comparisons are of a total order, so the opposite comparison is the negation).
 */
#ifndef WEIR_CORE_EXPR_TREE_H
#define WEIR_CORE_EXPR_TREE_H

#include "core/expr/ast.h"
#include "core/expr/expr.h"

/* Types beyond those of the profile; columns never have them. */
#define TYPE_NULL WEIR_TYPE_NONE /* a bare null */
#define TYPE_INTERVAL 32u        /* int64 microseconds; functions see it as duration "tDu" */

struct type {
    uint32_t id;
    const struct ArrowSchema *schema; /* never NULL */
};

enum op {
    OP_CONST,    /* constant */
    OP_COLUMN,   /* input, column */
    OP_FIELD,    /* field `column` of kid 0 */
    OP_ARITH,    /* sub: '+' '-' '*' '/' '%' 'd', or 'n' for negation; is_try */
    OP_CONCAT,   /* n texts */
    OP_COMPARE,  /* sub: enum compare */
    OP_DISTINCT, /* sub: 1 = is not distinct from */
    OP_NOT,
    OP_AND,
    OP_OR,
    OP_IS_NULL, /* sub: 1 = is not null */
    OP_BETWEEN, /* x, low, high; sub: 1 = not */
    OP_IN,      /* x, items; sub: 1 = not; set if all items are constants */
    OP_LIKE,    /* x, pattern; sub: 1 = not; like if the pattern is a constant */
    OP_CASE,    /* when, then, …, [else] */
    OP_SWITCH,  /* x, when, then, …, [else]: equal to x */
    OP_COALESCE,
    OP_NULLIF,
    OP_PICK, /* sub: LT = least, GT = greatest */
    OP_CAST, /* is_try */
    OP_NOW,
    OP_CALL
};

struct like;
struct item_set;

struct node {
    enum op op;
    uint32_t sub;
    struct type type;
    uint32_t begin, at; /* byte places in the text */
    uint8_t may_fail, heavy, is_try;
    uint8_t literal; /* a constant as written: a text among these may become a time */
    uint8_t constant; /* no column, no chance below: one row does for all */
    uint8_t empty_list; /* array() without a type: becomes the list that its place asks for */
    uint32_t n_kids;
    struct node **kids;
    uint32_t input, column;
    struct ArrowArray value; /* of OP_CONST: one row */
    const struct like *like;
    const struct item_set *set;
    const struct weir_component *component;
    const struct weir_scalar *function;
    void *bound;
    struct node *next_owned; /* nodes that own a value or a bound function */
};

/* What an expression may refer to. */
struct scope {
    const struct weir_expr_input *inputs;
    uint32_t n_inputs;
    struct weir_aggregation *aggregation; /* aggregates are calls of it, inputs[0] is by */
    const struct weir_expr_input *beneath; /* of an aggregation: what its calls read */
    int inside_aggregate;
};

struct weir_expr {
    struct arena arena;
    const struct expr_env *env;
    const struct weir_host *host;
    struct source_text source;
    struct node *root;
    struct node *owned;
    struct schema_link *schemas; /* nested types that nodes point to */
    int deterministic;
    uint32_t n_reads;
    uint32_t (*reads)[2]; /* input, column */
    const char **conjuncts;
    uint32_t n_conjuncts;
};

/* ---- types.c ---- */

extern const struct ArrowSchema type_schemas[];
struct type type_flat(uint32_t id);
struct type type_of_schema(const struct ArrowSchema *schema); /* borrowed; id TYPE_NULL: unknown */
int type_equal(const struct type *a, const struct type *b);
int type_is_number(uint32_t id);
int type_is_nested(uint32_t id);
int type_is_time(uint32_t id); /* timestamp, date */
uint32_t type_width(uint32_t id); /* bytes of a value in memory; 0 for bool, text, nested */
/* DDL name for messages, into `out`; the result is `out`. */
const char *type_name_of(const struct type *type, char out[64]);
/* A copy of a nested schema that lives with the expression. OK, FATAL. */
int32_t type_keep(struct weir_expr *expr, struct type *type, struct weir_error *error);
/* The type of DDL text ("list<int64>"). OK, CONFIG at `at`, FATAL. */
int32_t type_parse(struct weir_expr *expr, const char *ddl, uint32_t at, struct type *out,
                   struct weir_error *error);
int cast_allowed(const struct type *from, const struct type *to);
int cast_may_fail(const struct type *from, const struct type *to);
void types_free(struct weir_expr *expr);
/* Does a column keep the profile? As array_validate, which wants a struct. */
int32_t type_validate(const struct type *type, struct ArrowArray *column, struct weir_error *error);
/* Values of nested types one by one: append to child 0 of the builder. */
int32_t nested_begin(const struct type *type, struct weir_builder **out, struct weir_error *error);
int32_t nested_end(struct weir_builder *builder, struct ArrowArray *out, struct weir_error *error);
int32_t nested_nulls(const struct type *type, uint32_t rows, struct ArrowArray *out,
                     struct weir_error *error);

/* ---- check.c ---- */

#define UNKNOWN_NULL "the type of null is not known here: write cast(null as …)"

struct checker {
    struct weir_expr *expr;
    const struct scope *scope;
    struct weir_error *error;
    int32_t failed;
};

/* Text tree to nodes; NULL with checker->failed set. A bare null keeps TYPE_NULL. */
struct node *check(struct checker *c, const struct ast *ast);
struct node *check_call(struct checker *c, const struct ast *ast); /* check_call.c */
/* Is there such a function, and does it take as many arguments? 0: failed. Arguments are not
 * looked at. */
int check_call_shape(struct checker *c, const struct ast *ast);
int is_core_call(const char *name);
int check_count(struct checker *c, const struct ast *ast, uint32_t min, uint32_t max);
/* Ends the check where it meets what is not known: there is nothing to tell. */
void *check_unknown(struct checker *c);
WEIR_PRINTF(3, 4) void *check_fail(struct checker *c, uint32_t at, const char *format, ...);
struct node *node_make(struct checker *c, enum op op, const struct ast *ast, uint32_t n_kids);
/* Ends a node: collects flags of its kids, folds constants. */
struct node *node_finish(struct checker *c, struct node *node);
struct node *node_null(struct checker *c, const struct node *place, const struct type *type);
/* array() without items: takes the type of its place, as a bare null does. */
struct node *node_empty_list(struct checker *c, const struct ast *ast);
struct node *node_text(struct checker *c, const struct ast *ast, const char *text, uint64_t n);
/* The node as that type if the rules allow it; NULL with an error "WHAT must be …" else. */
struct node *coerce(struct checker *c, struct node *node, const struct type *to, const char *what);
/* One type for all of them, and each coerced to it. 0 after an error. */
int unify(struct checker *c, struct node ***refs, uint32_t n, uint32_t at, const char *what,
          struct type *out);
struct node *node_arith(struct checker *c, const struct ast *ast, uint32_t op, struct node *left,
                        struct node *right, int is_try);
struct node *node_cast(struct checker *c, struct node *node, const struct type *to);
struct node *node_case(struct checker *c, struct node *node, uint32_t first, int has_else);
struct node *node_two(struct checker *c, enum op op, const struct ast *ast, struct node *left,
                      struct node *right, uint32_t type);
int node_is_null(const struct node *node);    /* a constant null */
int64_t node_int(const struct node *node);    /* of an int64 constant, else 0 */
void node_own(struct checker *c, struct node *node);
struct node *check_negate(struct checker *c, const struct ast *ast); /* check_arith.c */
/* aggregate.c: an aggregate call as a column of the calls. */
struct node *check_aggregate(struct checker *c, const struct ast *ast,
                             const struct weir_component *component);

/* ---- eval.c ---- */

/* A node without columns, functions or time as a one-row array. OK; DATA: it fails; FATAL. */
int32_t eval_constant(const struct weir_expr *expr, const struct node *node,
                      struct ArrowArray *out, struct weir_error *error);

/* ---- expr.c ---- */

/* As a part of a whole, the root may be a bare null or an empty array(): its place gives it a
 * type. */
#define EXPECT_PART UINT32_MAX

int32_t expr_compile_ast(const struct expr_env *env, const struct source_text *source,
                         const struct ast *ast, const struct scope *scope, uint32_t expect,
                         struct weir_expr **out, struct weir_error *error);

/* ---- diagnose.c ---- */

/* Tells the mistakes of a tree under a scope. The root is to be of type `expect`. */
struct diagnosis {
    const struct expr_env *env;
    const struct source_text *source;
    expr_tell_fn tell;
    void *arg;
};
void expr_diagnose(const struct diagnosis *d, const struct ast *ast, const struct scope *scope,
                   uint32_t expect);
/* An expression without a value: a null of that type, or of one that is not known. OK, FATAL. */
int32_t expr_stand_in(const struct expr_env *env, uint32_t expect, struct weir_expr **out,
                      struct weir_error *error);

/* ---- aggregate.c ---- */

/* An aggregation without values, for calls that are checked and not kept. NULL without memory. */
struct weir_aggregation *expr_aggregate_empty(const struct expr_env *env);

/* A run over arrays that no chunk holds: input 0 is by, input 1 the results of calls. */
int32_t expr_run_arrays(const struct expr_run *run, struct weir_expr *expr,
                        const struct ArrowArray *const *by, const struct ArrowArray *const *calls,
                        uint32_t n, struct weir_rows *rows, struct ArrowArray *out,
                        struct weir_error *error);

/* ---- kernels_compare.c ---- */

/* Items of `in`, all constants of a flat type but bool; NULL without memory. */
const struct item_set *item_set_make(struct arena *arena, const struct type *type,
                                     struct node *const *items, uint32_t n);

/* ---- like.c ---- */

/* A compiled pattern, or NULL: *problem is 1 for a bad pattern, 0 for no memory. */
const struct like *like_compile(struct arena *arena, const uint8_t *pattern, uint64_t n,
                                int *problem);
int like_match(const struct like *like, const uint8_t *text, uint64_t n);

#endif
