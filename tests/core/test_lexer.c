/*
 * test_lexer.c - tokens: kinds, values, places, and what is refused.
 */
#include "core/expr/ast.h"

#include <setjmp.h>
#include <cmocka.h>

/* Tokens as text: INT 5, NAME a, 'text', "quoted", marks as they are; or "@place message". */
static const char *tokens_of(const char *text)
{
    static char line[2048];
    const struct source_text source = { text, (uint32_t)strlen(text), "where" };
    struct weir_error error = WEIR_ERROR_INIT;
    struct arena arena = { 0 };
    struct token *t;
    size_t n = 0;
    int32_t rc = lex(&source, &arena, &t, &error);
    line[0] = 0;
    if (rc) snprintf(line, sizeof line, "@%d %s", error.offset, error.text);
    for (; !rc && t->kind != TOKEN_END; t++) {
        const char *space = n ? " " : "";
        const size_t room = sizeof line - n;
        switch (t->kind) {
        case TOKEN_INT:
            n += (size_t)snprintf(line + n, room, "%s%llu", space,
                                  (unsigned long long)t->value.integer);
            break;
        case TOKEN_FLOAT:
            n += (size_t)snprintf(line + n, room, "%sf%g", space, t->value.number);
            break;
        case TOKEN_TEXT: n += (size_t)snprintf(line + n, room, "%s'%s'", space, t->text); break;
        case TOKEN_QUOTED:
            n += (size_t)snprintf(line + n, room, "%s\"%s\"", space, t->text);
            break;
        case TOKEN_NAME: n += (size_t)snprintf(line + n, room, "%s%s", space, t->text); break;
        default:
            n += (size_t)snprintf(line + n, room, "%s%c%c%c", space, (char)t->mark,
                                  t->mark >> 8 & 255 ? (char)(t->mark >> 8) : '.',
                                  t->mark >> 16 & 255 ? (char)(t->mark >> 16) : '.');
        }
    }
    arena_free(&arena);
    return line;
}

static void lexes_to(const char *text, const char *want)
{
    assert_string_equal(tokens_of(text), want);
}

static void names_are_letters_digits_and_all_beyond_ascii(void **state)
{
    (void)state;
    lexes_to("a _b c9 größe Ünï_1", "a _b c9 größe Ünï_1");
    lexes_to("  \t\n a\r\n", "a");
    lexes_to("", "");
}

static void numbers_are_integers_unless_they_have_a_point_or_an_exponent(void **state)
{
    (void)state;
    lexes_to("0 7 007", "0 7 7");
    lexes_to("1.5 1. .5 1e3 1E-2 1.5e+2", "f1.5 f1 f0.5 f1000 f0.01 f150");
    lexes_to("9223372036854775807 9223372036854775808", "9223372036854775807 9223372036854775808");
    lexes_to("1-2", "1 -.. 2");
    lexes_to("5div", "@0 not a number");
    lexes_to("1.2.3", "f1.2 f0.3"); /* which the parser refuses */
}

static void numbers_out_of_range_are_refused_at_their_place(void **state)
{
    (void)state;
    lexes_to("a + 9223372036854775809", "@4 the number is out of range");
    lexes_to("99999999999999999999999", "@0 the number is out of range");
    lexes_to("1e400", "@0 the number is out of range");
    lexes_to("1e-400", "f0");
    lexes_to("12abc", "@0 not a number");
    lexes_to("1e", "@0 not a number");
}

static void quotes_are_doubled_inside_of_quotes(void **state)
{
    (void)state;
    lexes_to("'it''s' '' '\"' 'a\\'", "'it's' '' '\"' 'a\\'");
    lexes_to("\"a b\" \"say \"\"x\"\"\"", "\"a b\" \"say \"x\"\"");
    lexes_to("a = 'open", "@4 the text has no end");
    lexes_to("a = 'open''", "@4 the text has no end");
    lexes_to("\"open", "@0 the quoted name has no end");
    lexes_to("\"\"", "@0 a quoted name without a name");
}

static void marks_are_as_long_as_they_can_be(void **state)
{
    (void)state;
    lexes_to("<=> <= >= <> != == || :: < > = + - * / % ( ) , .",
             "<=> <=. >=. <>. !=. ==. ||. ::. <.. >.. =.. +.. -.. *.. /.. %.. (.. ).. ,.. ...");
    lexes_to("a<=b", "a <=. b");
    lexes_to("a.b", "a ... b");
}

static void unknown_characters_are_refused_by_code_point(void **state)
{
    (void)state;
    lexes_to("größe & 1", "@6 unexpected character &");
    lexes_to("a # b", "@2 unexpected character #");
    lexes_to("a | b", "@2 unexpected character |");
    lexes_to("a ! b", "@2 unexpected character !");
    lexes_to("a : b", "a :.. b"); /* in types */
    lexes_to("a; b", "@1 unexpected character ;");
    lexes_to("a \x01", "@2 unexpected character");
}

static void text_that_is_no_utf8_is_refused(void **state)
{
    (void)state;
    lexes_to("a = '\xff'", "@-1 the expression is not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_letters_digits_and_all_beyond_ascii),
        cmocka_unit_test(numbers_are_integers_unless_they_have_a_point_or_an_exponent),
        cmocka_unit_test(numbers_out_of_range_are_refused_at_their_place),
        cmocka_unit_test(quotes_are_doubled_inside_of_quotes),
        cmocka_unit_test(marks_are_as_long_as_they_can_be),
        cmocka_unit_test(unknown_characters_are_refused_by_code_point),
        cmocka_unit_test(text_that_is_no_utf8_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
