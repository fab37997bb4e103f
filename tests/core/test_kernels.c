/*
 * test_kernels.c - what expressions compute: values, nulls, rows that fail, by tables. Each case
 * also runs row by row, under selections and as a filter (expr_case.c), and all must agree.
 */
#include "tests/core/expr_case.h"

#include "core/data/array.h"
#include "core/expr/kernels.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"
#define OVER "!int64 overflow"
#define ZERO "!division by zero"
#define YEARS "!a time outside of the years 0001 to 9999"

static struct expr_table table;

static void with(const char *columns, const char *rows) { table_make(&table, columns, rows); }
static int tear_down(void **state)
{
    (void)state;
    table_free(&table);
    return mem_in_use() != 0; /* nothing is left behind */
}

/* ---- numbers ---- */

static int integers(void **state)
{
    (void)state;
    with("a int64, b int64, i int, j int",
         "[[7,2,7,2],[-7,2,-7,2],[7,-2,7,-2],[null,2,null,2],[7,null,7,null],[" MAX
             ",1,2147483647,1],"
         "[" MIN ",-1,-2147483648,-1],[5,0,5,0],[0,3,0,3]]");
    return 0;
}

static int compares(uint32_t op, int64_t x, int64_t y)
{
    const int results[6] = { x == y, x != y, x < y, x <= y, x > y, x >= y }; /* EQ to GE */
    return results[op];
}

/* All rows of a column against a constant, by vectors where there are any; nothing is written behind the list. */
static void rows_are_narrowed_as_one_by_one(void **state)
{
    int32_t shorts[100];
    int64_t longs[100];
    uint32_t rows[101], want[100], n, most, k, found;
    (void)state;
    table_free(&table);
    with("a int64", "[[1]]");
    srand(5);
    for (uint32_t round = 0; round < 6 * 2 * 101; round++) {
        const uint32_t op = round % 6, width = round / 6 % 2 ? 4 : 8;
        const int64_t c = width == 4 ? -7 : INT64_MIN / 3;
        const int32_t short_c = (int32_t)c;
        n = round / 12;
        for (most = k = 0; k < n; k++) {
            longs[k] = c + rand() % 3 - 1;
            if (rand() % 9 == 0) longs[k] = width == 4 ? INT32_MIN : INT64_MIN;
            shorts[k] = (int32_t)longs[k];
            if (compares(op, longs[k], c)) want[most++] = k;
        }
        rows[n] = 12345;
        if (!narrow_ints(op, width, width == 4 ? (void *)shorts : (void *)longs,
                         width == 4 ? (const void *)&short_c : (const void *)&c, n, rows, &found))
            return; /* not on this machine */
        assert_int_equal(found, most);
        assert_memory_equal(rows, want, most * sizeof *rows);
        assert_int_equal(rows[n], 12345);
    }
}

/* A constant divisor takes another loop than a column of divisors. */
static void a_constant_divisor_divides_like_any_other(void **state)
{
    static const int64_t values[] = { 0, 1, -1, 2, -2, 6, 7, -7, 9, 10, 99, 100, 999999, 1000000, -1000001,
                                      INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1, INT64_MAX / 3,
                                      4611686018427387904, -4611686018427387904, 1700000000000000 };
    static const int64_t divisors[] = { 1, 2, 3, 5, 7, 10, 100, 641, 1000, 1000000, 4294967296, 4294967297,
                                        86400000000, INT64_MAX, INT64_MAX - 1, 4611686018427387905,
                                        4611686018427387904 };
    const uint32_t n = sizeof values / sizeof *values;
    char rows[1024] = "[", text[64], want[1024];
    uint32_t at = 1, d, i, kind;
    (void)state;
    table_free(&table);
    for (i = 0; i < n; i++)
        at += (uint32_t)snprintf(rows + at, sizeof rows - at, "%s[%lld]", i ? "," : "", (long long)values[i]);
    snprintf(rows + at, sizeof rows - at, "]");
    with("a int64", rows);
    for (d = 0; d < sizeof divisors / sizeof *divisors; d++)
        for (kind = 0; kind < 4; kind++) {
            const int64_t by = kind & 1 ? -divisors[d] : divisors[d];
            struct expr_case one = { text, want };
            if (by == -1) continue;
            snprintf(text, sizeof text, kind & 2 ? "a %% %lld" : "a div %lld", (long long)by);
            for (at = 0, i = 0; i < n; i++)
                at += (uint32_t)snprintf(want + at, sizeof want - at, "%s%lld", i ? ", " : "",
                                         (long long)(kind & 2 ? values[i] % by : values[i] / by));
            check_cases(&table, &one, 1);
        }
}

static void integers_compute_in_64_bits(void **state)
{
    (void)state;
    CASES(&table,
          { "a + b", "9, -5, 5, null, null, " OVER ", " OVER ", 5, 3" },
          { "a - b", "5, -9, 9, null, null, 9223372036854775806, -9223372036854775807, 5, -3" },
          { "a * b", "14, -14, -14, null, null, " MAX ", " OVER ", 0, 0" },
          { "a div b", "3, -3, -3, null, null, " MAX ", " OVER ", " ZERO ", 0" },
          { "a % b", "1, -1, 1, null, null, 0, 0, " ZERO ", 0" },
          { "a / b", "3.5, -3.5, -3.5, null, null, 9.223372036854776E18, "
            "9.223372036854776E18, " ZERO
            ", 0.0" },
          { "-a", "-7, 7, -7, null, -7, -9223372036854775807, " OVER ", -5, 0" },
          { "- -a", "7, -7, 7, null, 7, " MAX ", " OVER ", 5, 0" },
          { "i + j", "9, -5, 5, null, null, 2147483648, -2147483649, 5, 3" },
          { "i * i", "49, 49, 49, null, 49, 4611686014132420609, 4611686018427387904, 25, 0" },
          { "-i", "-7, 7, -7, null, -7, -2147483647, 2147483648, -5, 0" },
          { "a + 1", "8, -6, 8, null, 8, " OVER ", -9223372036854775807, 6, 1" },
          { "1 + a", "8, -6, 8, null, 8, " OVER ", -9223372036854775807, 6, 1" },
          { "a - 1", "6, -8, 6, null, 6, 9223372036854775806, " OVER ", 4, -1" },
          { "1 - a", "-6, 8, -6, null, -6, -9223372036854775806, " OVER ", -4, 1" },
          { "a * 2", "14, -14, 14, null, 14, " OVER ", " OVER ", 10, 0" },
          { "10 div a", "1, -1, 1, null, 1, 0, 0, 2, " ZERO },
          { "10 % a", "3, 3, 3, null, 3, 10, 10, 0, " ZERO },
          { "a div -1", "-7, 7, -7, null, -7, -9223372036854775807, " OVER ", -5, 0" },
          { "a % -1", "0, 0, 0, null, 0, 0, 0, 0, 0" },
          { "a div 0", ZERO ", " ZERO ", " ZERO ", null, " ZERO ", " ZERO ", " ZERO ", " ZERO
            ", " ZERO },
          { "a + null", "null, null, null, null, null, null, null, null, null" },
          { "a * b + i - j * 2", "17, -25, -3, null, null, !int64 overflow, !int64 overflow, 5, "
            "-6" });
}

static void try_forms_give_null_instead(void **state)
{
    (void)state;
    CASES(&table,
          { "try_add(a, b)", "9, -5, 5, null, null, null, null, 5, 3" },
          { "try_subtract(a, 1)", "6, -8, 6, null, 6, 9223372036854775806, null, 4, -1" },
          { "try_multiply(a, b)", "14, -14, -14, null, null, " MAX ", null, 0, 0" },
          { "try_divide(a, b)", "3.5, -3.5, -3.5, null, null, 9.223372036854776E18, "
            "9.223372036854776E18, null, 0.0" },
          { "try_mod(a, b)", "1, -1, 1, null, null, 0, 0, null, 0" },
          { "try_add(a + b, 1)", "10, -4, 6, null, null, " OVER ", " OVER ", 6, 4" },
          { "try_divide(1, 0)", "null, null, null, null, null, null, null, null, null" },
          { "coalesce(try_divide(a, b), -1.0)", "3.5, -3.5, -3.5, -1.0, -1.0, "
            "9.223372036854776E18, 9.223372036854776E18, -1.0, 0.0" });
}

static void integers_compare(void **state)
{
    (void)state;
    CASES(&table,
          { "a = 7", "true, false, true, null, true, false, false, false, false" },
          { "a <> 7", "false, true, false, null, false, true, true, true, true" },
          { "a < b", "false, true, false, null, null, false, true, false, true" },
          { "a <= b", "false, true, false, null, null, false, true, false, true" },
          { "a > b", "true, false, true, null, null, true, false, true, false" },
          { "a >= 5", "true, false, true, null, true, true, false, true, false" },
          { "5 >= a", "false, true, false, null, false, false, true, true, true" },
          { "i = 7", "true, false, true, null, true, false, false, false, false" },
          { "7 > i", "false, true, false, null, false, false, true, true, true" },
          { "i < 3000000000", "true, true, true, null, true, true, true, true, true" },
          { "i > -3000000000", "true, true, true, null, true, true, true, true, true" },
          { "i < j", "false, true, false, null, null, false, true, false, true" },
          { "i = a", "true, true, true, null, true, false, false, true, true" },
          { "i <= null", "null, null, null, null, null, null, null, null, null" },
          { "i < 6.5", "false, true, false, null, false, false, true, true, true" },
          { "a is null", "false, false, false, true, false, false, false, false, false" },
          { "a + b is not null", "true, true, true, false, false, " OVER ", " OVER ", true, true" },
          { "a between -7 and 5", "false, true, false, null, false, false, false, true, true" },
          { "a not between -7 and 5", "true, false, true, null, true, true, true, false, false" },
          { "a between b and 7", "true, false, true, null, null, false, false, true, false" },
          { "5 between b and a", "true, false, true, null, null, true, false, true, false" },
          { "a between null and 5", "false, null, false, null, false, false, null, null, null" },
          { "1 = 1", "true, true, true, true, true, true, true, true, true" },
          { "1 = b", "false, false, false, false, null, true, false, false, false" });
}

static void null_safe_equality_never_gives_null(void **state)
{
    (void)state;
    CASES(&table,
          { "a <=> b", "false, false, false, false, false, false, false, false, false" },
          { "a <=> 7", "true, false, true, false, true, false, false, false, false" },
          { "a <=> null", "false, false, false, true, false, false, false, false, false" },
          { "7 <=> a", "true, false, true, false, true, false, false, false, false" },
          { "a is distinct from i", "false, false, false, false, false, true, true, false, false" },
          { "a is not distinct from i", "true, true, true, true, true, false, false, true, true" },
          { "not (a <=> i)", "false, false, false, false, false, true, true, false, false" },
          { "1 is distinct from null", "true, true, true, true, true, true, true, true, true" });
}

static void in_follows_three_valued_logic(void **state)
{
    (void)state;
    CASES(&table,
          { "a in (7, 5)", "true, false, true, null, true, false, false, true, false" },
          { "a in (7, null)", "true, null, true, null, true, null, null, null, null" },
          { "a not in (7, 5)", "false, true, false, null, false, true, true, false, true" },
          { "a not in (7, null)", "false, null, false, null, false, null, null, null, null" },
          { "i in (7, 5, 1, 2, 3, 4, 6, 8, 9, 0)", "true, false, true, null, true, false, "
            "false, true, true" },
          { "a in (b, 7)", "true, false, true, null, true, false, false, false, false" },
          { "a in (i, null)", "true, true, true, null, true, null, null, true, true" },
          { "a in (6.5, 7)", "true, false, true, null, true, false, false, false, false" },
          { "7 in (a, b)", "true, false, true, null, true, false, false, false, false" },
          { "a in (" MIN ", 5)", "false, false, false, null, false, false, true, true, false" });
}

static int floats(void **state)
{
    (void)state;
    with("f double, g double",
         "[[1.5,2.0],[\"NaN\",1.0],[\"NaN\",\"NaN\"],[-0.0,0.0],[\"Infinity\",1.0],"
             "[\"-Infinity\",\"Infinity\"],"
         "[null,1.0],[1.7976931348623157e308,10.0],[-7.5,2.0]]");
    return 0;
}

static void floats_follow_ieee_but_for_division(void **state)
{
    (void)state;
    CASES(&table,
          { "f + g", "3.5, \"NaN\", \"NaN\", 0.0, \"Infinity\", \"NaN\", null, "
            "1.7976931348623157E308, -5.5" },
          { "f - g", "-0.5, \"NaN\", \"NaN\", -0.0, \"Infinity\", \"-Infinity\", null, "
            "1.7976931348623157E308, -9.5" },
          { "f * g", "3.0, \"NaN\", \"NaN\", -0.0, \"Infinity\", \"-Infinity\", null, "
            "\"Infinity\", -15.0" },
          { "f / g", "0.75, \"NaN\", \"NaN\", " ZERO ", \"Infinity\", \"NaN\", null, "
            "1.7976931348623158E307, -3.75" },
          { "f % g", "1.5, \"NaN\", \"NaN\", " ZERO ", \"NaN\", \"NaN\", null, 8.0, -1.5" },
          { "-f", "-1.5, \"NaN\", \"NaN\", 0.0, \"-Infinity\", \"Infinity\", null, "
            "-1.7976931348623157E308, 7.5" },
          { "f / 0", ZERO ", " ZERO ", " ZERO ", " ZERO ", " ZERO ", " ZERO ", null, " ZERO
            ", " ZERO },
          { "f * 10", "15.0, \"NaN\", \"NaN\", -0.0, \"Infinity\", \"-Infinity\", null, "
            "\"Infinity\", -75.0" },
          { "try_divide(f, g)", "0.75, \"NaN\", \"NaN\", null, \"Infinity\", \"NaN\", null, "
            "1.7976931348623158E307, -3.75" });
}

static void floats_have_a_total_order(void **state)
{
    (void)state;
    CASES(&table,
          { "f = g", "false, false, true, true, false, false, null, false, false" },
          { "f <> g", "true, true, false, false, true, true, null, true, true" },
          { "f < g", "true, false, false, false, false, true, null, false, true" },
          { "f <= g", "true, false, true, true, false, true, null, false, true" },
          { "f > g", "false, true, false, false, true, false, null, true, false" },
          { "f >= g", "false, true, true, true, true, false, null, true, false" },
          { "f > 1", "true, true, true, false, true, false, null, true, false" },
          { "f >= 1", "true, true, true, false, true, false, null, true, false" },
          { "f < 1", "false, false, false, true, false, true, null, false, true" },
          { "f <= 1", "false, false, false, true, false, true, null, false, true" },
          { "1 < f", "true, true, true, false, true, false, null, true, false" },
          { "f = 0", "false, false, false, true, false, false, null, false, false" },
          { "f = 'NaN'::double", "false, true, true, false, false, false, null, false, false" },
          { "f < 'NaN'::double", "true, false, false, true, true, true, null, true, true" },
          { "f >= 'NaN'::double", "false, true, true, false, false, false, null, false, false" },
          { "f <=> g", "false, false, true, true, false, false, false, false, false" },
          { "f in (1.5, 0)", "true, false, false, true, false, false, null, false, false" },
          { "f in ('NaN'::double)", "false, true, true, false, false, false, null, false, false" },
          { "f in ('NaN'::double, 1, 2, 3, 4, 5, 6, 7, -7.5, 0)", "false, true, true, true, "
            "false, false, null, false, true" },
          { "f between -8 and 2", "true, false, false, true, false, false, null, false, true" },
          { "greatest(f, g)", "2.0, \"NaN\", \"NaN\", -0.0, \"Infinity\", \"Infinity\", 1.0, "
            "1.7976931348623157E308, 2.0" },
          { "least(f, g)", "1.5, 1.0, \"NaN\", -0.0, 1.0, \"-Infinity\", 1.0, 10.0, -7.5" },
          { "nullif(f, g)", "1.5, \"NaN\", null, null, \"Infinity\", \"-Infinity\", null, "
            "1.7976931348623157E308, -7.5" },
          { "not (f < g)", "false, true, true, true, true, false, null, true, false" });
}

/* ---- logic ---- */

static int bools(void **state)
{
    (void)state;
    with("p bool, q bool, a int64, b int64",
         "[[true,true,1,0],[true,false,1,1],[true,null,0,1],[false,true,1,0],[false,false,6,2],"
             "[false,null,null,0],"
         "[null,true,5,0],[null,false,5,0],[null,null,5,null]]");
    return 0;
}

static void logic_has_three_values(void **state)
{
    (void)state;
    CASES(&table,
          { "p and q", "true, false, null, false, false, false, null, false, null" },
          { "p or q", "true, true, true, true, false, null, true, null, null" },
          { "not p", "false, false, false, true, true, true, null, null, null" },
          { "not (p and q)", "false, true, null, true, true, true, null, true, null" },
          { "not (p or q)", "false, false, false, false, true, null, false, null, null" },
          { "not not p", "true, true, true, false, false, false, null, null, null" },
          { "p and q or not p and not q", "true, false, null, false, true, null, null, null, "
            "null" },
          { "p = q", "true, false, null, false, true, null, null, null, null" },
          { "p <> q", "false, true, null, true, false, null, null, null, null" },
          { "p < q", "false, false, null, true, false, null, null, null, null" },
          { "p >= q", "true, true, null, false, true, null, null, null, null" },
          { "p <=> q", "true, false, false, false, true, false, false, false, true" },
          { "p = true", "true, true, true, false, false, false, null, null, null" },
          { "true > p", "false, false, false, true, true, true, null, null, null" },
          { "p is null", "false, false, false, false, false, false, true, true, true" },
          { "p in (true, null)", "true, true, true, null, null, null, null, null, null" },
          { "p not in (q)", "false, true, null, true, false, null, null, null, null" },
          { "p between false and q", "true, false, null, true, true, null, null, null, null" },
          { "p and null", "null, null, null, false, false, false, null, null, null" },
          { "null or q", "true, null, null, true, null, null, true, null, null" },
          { "true and p", "true, true, true, false, false, false, null, null, null" },
          { "false or p", "true, true, true, false, false, false, null, null, null" },
          { "p and true and q and true", "true, false, null, false, false, false, null, false, "
            "null" },
          { "coalesce(p, q)", "true, true, true, false, false, false, true, false, null" },
          { "greatest(p, q)", "true, true, true, true, false, false, true, false, null" },
          { "least(p, q)", "true, false, true, false, false, false, true, false, null" },
          { "nullif(p, q)", "null, true, true, false, null, false, null, null, null" });
}

static void guarded_errors_do_not_fire(void **state)
{
    (void)state;
    CASES(&table,
          { "a / b > 2", ZERO ", false, false, " ZERO ", true, null, " ZERO ", " ZERO ", null" },
          { "b <> 0 and a / b > 2", "false, false, false, false, true, false, false, false, null" },
          { "b = 0 or a / b > 2", "true, false, false, true, true, true, true, true, null" },
          { "a / b > 2 and b <> 0", ZERO ", false, false, " ZERO ", true, false, " ZERO ", " ZERO
            ", null" },
          { "p and a div b = 1", ZERO ", true, false, false, false, false, " ZERO ", " ZERO
            ", null" },
          { "p or a div b = 1", "true, true, true, " ZERO ", false, null, " ZERO ", " ZERO
            ", null" },
          { "not p or a div b = 1", ZERO ", true, false, true, true, true, " ZERO ", " ZERO
            ", null" },
          { "not (b = 0 or a div b < 1)", "false, true, false, false, true, false, false, "
            "false, null" },
          { "p and q and a div b = 1", ZERO ", false, false, false, false, false, " ZERO
            ", false, null" },
          { "b <> 0 and a div b > 0 and p", "false, true, false, false, false, false, false, "
            "false, null" },
          { "case when b = 0 then -1 else a div b end", "-1, 1, 0, -1, 3, -1, -1, -1, null" },
          { "case b when 0 then -1 when 1 then a else a div b end", "-1, 1, 0, -1, 3, -1, -1, "
            "-1, null" },
          { "case when p then 1 when a div b > 0 then 2 else 3 end",
            "1, 1, 1, " ZERO ", 2, 3, " ZERO
            ", " ZERO ", 3" },
          { "case when p then a div b end", ZERO ", 1, 0, null, null, null, null, null, null" },
          { "case when false then 1 / 0 else 2.0 end", "2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, "
            "2.0" },
          { "if(b = 0, 0, a div b)", "0, 1, 0, 0, 3, 0, 0, 0, null" },
          { "coalesce(p, a div b = 1)", "true, true, true, false, false, false, " ZERO ", " ZERO
            ", null" },
          { "coalesce(a, 1 div 0)", "1, 1, 0, 1, 6, " ZERO ", 5, 5, 5" },
          { "coalesce(null, a)", "1, 1, 0, 1, 6, null, 5, 5, 5" },
          { "coalesce(a, b, 99)", "1, 1, 0, 1, 6, 0, 5, 5, 5" },
          { "1 div 0 > 0 and p", ZERO ", " ZERO ", " ZERO ", " ZERO ", " ZERO ", " ZERO ", " ZERO
            ", " ZERO ", " ZERO },
          { "p and 1 div 0 > 0", ZERO ", " ZERO ", " ZERO ", false, false, false, " ZERO ", " ZERO
            ", " ZERO });
}

static void case_takes_the_first_branch_that_is_true(void **state)
{
    (void)state;
    CASES(&table,
          { "case when p then 'p' when q then 'q' else '-' end", "\"p\", \"p\", \"p\", \"q\", "
            "\"-\", \"-\", \"q\", \"-\", \"-\"" },
          { "case when p then 'p' when q then 'q' end", "\"p\", \"p\", \"p\", \"q\", null, "
            "null, \"q\", null, null" },
          { "case a when 1 then 'one' when 5 then 'five' end", "\"one\", \"one\", null, "
            "\"one\", null, null, \"five\", \"five\", \"five\"" },
          { "case a when b then 'same' else 'other' end", "\"other\", \"same\", \"other\", "
            "\"other\", \"other\", \"other\", \"other\", \"other\", \"other\"" },
          { "case a when null then 1 else 2 end", "2, 2, 2, 2, 2, 2, 2, 2, 2" },
          { "case when p then a else null end", "1, 1, 0, null, null, null, null, null, null" },
          { "case when p then a when not p then -a else 0 end", "1, 1, 0, -1, -6, null, 0, 0, 0" },
          { "case when true then a end", "1, 1, 0, 1, 6, null, 5, 5, 5" },
          { "case when a > 0 then p else q end", "true, true, null, false, false, null, null, "
            "null, null" },
          { "case 1 when 1 then 'yes' end", "\"yes\", \"yes\", \"yes\", \"yes\", \"yes\", "
            "\"yes\", \"yes\", \"yes\", \"yes\"" },
          { "if(p, a, 0.5)", "1.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5" },
          { "if(null, 1, 2)", "2, 2, 2, 2, 2, 2, 2, 2, 2" });
}

/* ---- text ---- */

static int texts(void **state)
{
    (void)state;
    with("s string, u string, n string",
         "[[\"hello\",\"help\",\"12\"],[\"\",\"\",\" 7\\t\"],[\"a\",\"b\",\"x\"],"
             "[null,\"b\",null],[\"100% sure\",\"100%\",\"1.5\"],"
         "[\"größe\",\"gr_ße\",\"-0\"],[\"hello world, a longer text\",\"hello world, "
             "a longer text\",\"9223372036854775808\"],"
         "[\"hello world, a longer texu\",\"hello world, a longer text\",\"1e3\"],"
             "[\"a\\\\b\",\"%\",\"\"]]");
    return 0;
}

static void text_compares_bytewise(void **state)
{
    (void)state;
    CASES(&table,
          { "s = 'hello'", "true, false, false, null, false, false, false, false, false" },
          { "s <> 'hello'", "false, true, true, null, true, true, true, true, true" },
          { "s = ''", "false, true, false, null, false, false, false, false, false" },
          { "s = 'größe'", "false, false, false, null, false, true, false, false, false" },
          { "s = 'hello world, a longer text'", "false, false, false, null, false, false, true, "
            "false, false" },
          { "s != 'hello world, a longer text'", "true, true, true, null, true, true, false, "
            "true, true" },
          { "'a' = s", "false, false, true, null, false, false, false, false, false" },
          { "s = u", "false, true, false, null, false, false, true, false, false" },
          { "s < u", "true, false, true, null, false, false, false, false, false" },
          { "s <= u", "true, true, true, null, false, false, true, false, false" },
          { "s > 'a'", "true, false, false, null, false, true, true, true, true" },
          { "s >= 'hello'", "true, false, false, null, false, false, true, true, false" },
          { "'b' > s", "false, true, true, null, true, false, false, false, true" },
          { "s between 'a' and 'h'", "false, false, true, null, false, true, false, false, true" },
          { "s in ('a', 'hello')", "true, false, true, null, false, false, false, false, false" },
          { "s in ('z','y','x','w','v','u','t','größe','')", "false, true, false, null, "
            "false, true, false, false, false" },
          { "s not in (u)", "true, false, true, null, true, true, false, true, true" },
          { "s <=> u", "false, true, false, false, false, false, true, false, false" },
          { "greatest(s, u)", "\"help\", \"\", \"b\", \"b\", \"100% sure\", \"größe\", "
            "\"hello world, a longer text\", \"hello world, a longer texu\", \"a\\\\b\"" },
          { "least(s, u, 'c')", "\"c\", \"\", \"a\", \"b\", \"100%\", \"c\", \"c\", \"c\", \"%\"" },
          { "nullif(s, '')", "\"hello\", null, \"a\", null, \"100% sure\", \"größe\", "
            "\"hello world, a longer text\", \"hello world, a longer texu\", \"a\\\\b\"" },
          { "s is distinct from u", "true, false, true, true, true, true, false, true, true" },
          { "s = null", "null, null, null, null, null, null, null, null, null" });
}

static void like_matches_whole_texts(void **state)
{
    (void)state;
    CASES(&table,
          { "s like 'hello'", "true, false, false, null, false, false, false, false, false" },
          { "s like 'hel%'", "true, false, false, null, false, false, true, true, false" },
          { "s like '%o'", "true, false, false, null, false, false, false, false, false" },
          { "s like '%ell%'", "true, false, false, null, false, false, true, true, false" },
          { "s like '%'", "true, true, true, null, true, true, true, true, true" },
          { "s like '%%'", "true, true, true, null, true, true, true, true, true" },
          { "s like ''", "false, true, false, null, false, false, false, false, false" },
          { "s like '_'", "false, false, true, null, false, false, false, false, false" },
          { "s like '_____'", "true, false, false, null, false, true, false, false, false" },
          { "s like 'gr_ße'", "false, false, false, null, false, true, false, false, false" },
          { "s like 'h%o%l%_e%t'", "false, false, false, null, false, false, true, false, false" },
          { "s like '%l%l%o w%'", "false, false, false, null, false, false, true, true, false" },
          { "s like '100\\%%'", "false, false, false, null, true, false, false, false, false" },
          { "s like 'a\\\\b'", "false, false, false, null, false, false, false, false, true" },
          { "s like '\\h\\e%'", "true, false, false, null, false, false, true, true, false" },
          { "s not like 'hel%'", "false, true, true, null, true, true, false, false, true" },
          { "not s like 'hel%'", "false, true, true, null, true, true, false, false, true" },
          { "s like u", "false, true, false, null, true, true, true, false, true" },
          { "s like u || '%'", "false, true, false, null, true, true, true, false, true" },
          { "s like null", "null, null, null, null, null, null, null, null, null" },
          { "s like s", "true, true, true, null, true, true, true, true, false" },
          { "u like u || '\\'", "!a pattern that ends with its escape character, "
            "!a pattern that ends with its escape character, "
            "!a pattern that ends with its escape character, "
                "!a pattern that ends with its escape character, "
            "!a pattern that ends with its escape character, "
                "!a pattern that ends with its escape character, "
            "!a pattern that ends with its escape character, "
                "!a pattern that ends with its escape character, "
            "!a pattern that ends with its escape character" },
          { "'abc' like 'a%'", "true, true, true, true, true, true, true, true, true" });
}

static void concatenation_is_null_if_any_is(void **state)
{
    (void)state;
    CASES(&table,
          { "s || u", "\"hellohelp\", \"\", \"ab\", null, \"100% sure100%\", \"größegr_ße\", "
            "\"hello world, a longer texthello world, a longer text\", \"hello world, "
                "a longer texuhello world, a longer text\", \"a\\\\b%\"" },
          { "'<' || u || '>'", "\"<help>\", \"<>\", \"<b>\", \"<b>\", \"<100%>\", \"<gr_ße>\", "
            "\"<hello world, a longer text>\", "
            "\"<hello world, a longer text>\", \"<%>\"" },
          { "'a' || 'b'", "\"ab\", \"ab\", \"ab\", \"ab\", \"ab\", \"ab\", \"ab\", \"ab\", "
            "\"ab\"" },
          { "s || null", "null, null, null, null, null, null, null, null, null" },
          { "s::binary || u::binary = (s || u)::binary", "true, true, true, null, true, true, "
            "true, true, true" });
}

static void text_becomes_numbers_whole_or_not_at_all(void **state)
{
    (void)state;
    CASES(&table,
          { "n::bigint", "12, 7, !string that is no int64, null, !string that is no int64, 0, "
            "!string out of range of int64, "
            "!string that is no int64, !string that is no int64" },
          { "n::int", "12, 7, !string that is no int32, null, !string that is no int32, 0, "
            "!string out of range of int32, "
            "!string that is no int32, !string that is no int32" },
          { "n::double", "12.0, 7.0, !string that is no float64, null, 1.5, -0.0, "
            "9.223372036854776E18, 1000.0, !string that is no float64" },
          { "try_cast(n as bigint)", "12, 7, null, null, null, 0, null, null, null" },
          { "coalesce(try_cast(n as int), -1)", "12, 7, -1, -1, -1, 0, -1, -1, -1" },
          { "'3000000000'::int", "!string out of range of int32, !string out of range of int32, "
            "!string out of range of int32, "
            "!string out of range of int32, !string out of range of int32, "
                "!string out of range of int32, "
            "!string out of range of int32, !string out of range of int32, "
                "!string out of range of int32" });
}

/* ---- casts ---- */

static int for_casts(void **state)
{
    (void)state;
    with("f double, a int64, i int, ok bool, s string, x binary",
         "[[1.0,1,1,true,\"true\",\"YQ==\"],[-1.9,-5,-5,false,\" F \",\"/w==\"],"
             "[1e20,9007199254740993,0,null,\"YES\",null],"
         "[\"NaN\",0,7,true,\"2024-01-02T03:04:05.678Z\",\"\"],"
             "[9.3e18,null,null,true,\"2024-01-02\",\"4pyT\"],"
         "[0.0001,2147483648,2147483647,false,\"2024-02-30\",\"YQ==\"],"
         "[\"-Infinity\",-2147483649,-2147483648,false,\"0001-01-01T00:00:00+01:00\",\"YQ==\"]]");
    return 0;
}

static void numbers_become_each_other_within_range(void **state)
{
    (void)state;
    CASES(&table,
          { "f::bigint", "1, -1, !float64 out of range of int64, "
            "!float64 out of range of int64, !float64 out of range of int64, 0, "
            "!float64 out of range of int64" },
          { "f::int", "1, -1, !float64 out of range of int32, !float64 out of range of int32, "
            "!float64 out of range of int32, 0, !float64 out of range of int32" },
          { "a::int", "1, -5, !int64 out of range of int32, 0, null, "
            "!int64 out of range of int32, !int64 out of range of int32" },
          { "try_cast(a as int)", "1, -5, null, 0, null, null, null" },
          { "a::double", "1.0, -5.0, 9.007199254740992E15, 0.0, null, 2.147483648E9, "
            "-2.147483649E9" },
          { "i::bigint", "1, -5, 0, 7, null, 2147483647, -2147483648" },
          { "i::double", "1.0, -5.0, 0.0, 7.0, null, 2.147483647E9, -2.147483648E9" },
          { "ok::int", "1, 0, null, 1, 1, 0, 0" },
          { "ok::bigint", "1, 0, null, 1, 1, 0, 0" },
          { "ok::double", "1.0, 0.0, null, 1.0, 1.0, 0.0, 0.0" },
          { "i::bool", "true, true, false, true, null, true, true" },
          { "a::bool", "true, true, true, false, null, true, true" },
          { "f::bool", "true, true, true, true, true, true, true" },
          { "2147483647.9::int", "2147483647, 2147483647, 2147483647, 2147483647, 2147483647, "
            "2147483647, 2147483647" },
          { "(-2147483648.9)::int", "-2147483648, -2147483648, -2147483648, -2147483648, "
            "-2147483648, -2147483648, -2147483648" });
}

static void values_become_text_the_shortest_way(void **state)
{
    (void)state;
    CASES(&table,
          { "f::string", "\"1.0\", \"-1.9\", \"1.0E20\", \"NaN\", \"9.3E18\", \"1.0E-4\", "
            "\"-Infinity\"" },
          { "a::string", "\"1\", \"-5\", \"9007199254740993\", \"0\", null, \"2147483648\", "
            "\"-2147483649\"" },
          { "i::string", "\"1\", \"-5\", \"0\", \"7\", null, \"2147483647\", \"-2147483648\"" },
          { "ok::string", "\"true\", \"false\", null, \"true\", \"true\", \"false\", \"false\"" },
          { "1e7::string || ' ' || 9999999.0::string || ' ' || 0.001::string",
            "\"1.0E7 9999999.0 0.001\", \"1.0E7 9999999.0 0.001\", \"1.0E7 9999999.0 0.001\", "
                "\"1.0E7 9999999.0 0.001\", "
            "\"1.0E7 9999999.0 0.001\", \"1.0E7 9999999.0 0.001\", \"1.0E7 9999999.0 0.001\"" });
}

static void text_and_bytes_become_other_types(void **state)
{
    (void)state;
    CASES(&table,
          { "try_cast(s as bool)", "true, false, true, null, null, null, null" },
          { "s::bool", "true, false, true, !string that is no bool, !string that is no bool, "
            "!string that is no bool, !string that is no bool" },
          { "try_cast(s as timestamp)", "null, null, null, \"2024-01-02T03:04:05.678Z\", "
            "\"2024-01-02T00:00:00Z\", null, null" },
          { "try_cast(s as date)", "null, null, null, null, \"2024-01-02\", null, null" },
          { "x::string", "\"a\", !binary that is no UTF-8, null, \"\", \"✓\", \"a\", \"a\"" },
          { "try_cast(x as string)", "\"a\", null, null, \"\", \"✓\", \"a\", \"a\"" },
          { "'a'::binary = x", "true, false, null, false, false, true, true" },
          { "x < 'b'::binary", "true, false, null, true, false, true, true" });
}

/* ---- time ---- */

static int times(void **state)
{
    (void)state;
    with("t timestamp, u timestamp, d date, n int64",
         "[[\"2024-01-02T03:04:05Z\",\"2024-01-02T00:00:00Z\",\"2024-01-02\",1],"
             "[null,\"1970-01-01T00:00:00Z\",\"1970-01-01\",-1],"
         "[\"9999-12-31T23:59:59.999999Z\",\"0001-01-01T00:00:00Z\",\"9999-12-31\",1],"
             "[\"1969-12-31T23:59:59.999999Z\",null,null,null],"
         "[\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999Z\",\"0001-01-01\",-1]]");
    return 0;
}

static void times_add_and_subtract_within_the_years(void **state)
{
    (void)state;
    CASES(&table,
          { "t + interval '1us'", "\"2024-01-02T03:04:05.000001Z\", null, " YEARS
            ", \"1970-01-01T00:00:00Z\", \"0001-01-01T00:00:00.000001Z\"" },
          { "t - interval '1us'", "\"2024-01-02T03:04:04.999999Z\", null, "
            "\"9999-12-31T23:59:59.999998Z\", \"1969-12-31T23:59:59.999998Z\", " YEARS },
          { "interval '1 day 1h' + t", "\"2024-01-03T04:04:05Z\", null, " YEARS
            ", \"1970-01-02T00:59:59.999999Z\", \"0001-01-02T01:00:00Z\"" },
          { "t - u", "11045000000, null, 315537897599999999, null, -315537897599999999" },
          { "t - d", "11045000000, null, 86399999999, null, 0" },
          { "d + n", "\"2024-01-03\", \"1969-12-31\", " YEARS ", null, " YEARS },
          { "d - n", "\"2024-01-01\", \"1970-01-02\", \"9999-12-30\", null, \"0001-01-02\"" },
          { "d + interval '36h'", "\"2024-01-03T12:00:00Z\", \"1970-01-02T12:00:00Z\", " YEARS
            ", null, \"0001-01-02T12:00:00Z\"" },
          { "d - date '1970-01-01'", "19724, 0, 2932896, null, -719162" },
          { "d - '1970-01-02'", "19723, -1, 2932895, null, -719163" },
          { "interval '1h' * n", "3600000000, -3600000000, 3600000000, null, -3600000000" },
          { "n * interval '1h' + interval '30m'", "5400000000, -1800000000, 5400000000, null, "
            "-1800000000" },
          { "-interval '1h'", "-3600000000, -3600000000, -3600000000, -3600000000, -3600000000" },
          { "interval '292000d' * (n + 999)", "!interval overflow, !interval overflow, "
            "!interval overflow, null, !interval overflow" },
          { "t + n * interval '1s' > u", "true, null, " YEARS ", null, " YEARS },
          { "try_add(t, interval '1us')", "\"2024-01-02T03:04:05.000001Z\", null, null, "
            "\"1970-01-01T00:00:00Z\", \"0001-01-01T00:00:00.000001Z\"" },
          { "interval '5m' > interval '299s'", "true, true, true, true, true" });
}

static void times_compare_and_cast(void **state)
{
    (void)state;
    CASES(&table,
          { "t > u", "true, null, true, null, false" },
          { "t = d", "false, null, false, null, true" },
          { "d < t", "true, null, true, null, false" },
          { "t >= '2024-01-02'", "true, null, true, false, false" },
          { "d = '2024-01-02'", "true, false, false, null, false" },
          { "d < '2024-01-02T00:00:00.000001Z'", "true, true, false, null, true" },
          { "t between '2024-01-01' and '2024-01-03'", "true, null, false, false, false" },
          { "t in ('2024-01-02T03:04:05Z', '1969-12-31T23:59:59.999999Z')", "true, null, false, "
            "true, false" },
          { "t::date", "\"2024-01-02\", null, \"9999-12-31\", \"1969-12-31\", \"0001-01-01\"" },
          { "d::timestamp", "\"2024-01-02T00:00:00Z\", \"1970-01-01T00:00:00Z\", "
            "\"9999-12-31T00:00:00Z\", null, \"0001-01-01T00:00:00Z\"" },
          { "t::string", "\"2024-01-02T03:04:05Z\", null, \"9999-12-31T23:59:59.999999Z\", "
            "\"1969-12-31T23:59:59.999999Z\", \"0001-01-01T00:00:00Z\"" },
          { "d::string", "\"2024-01-02\", \"1970-01-01\", \"9999-12-31\", null, \"0001-01-01\"" },
          { "greatest(t, u, d)", "\"2024-01-02T03:04:05Z\", \"1970-01-01T00:00:00Z\", "
            "\"9999-12-31T23:59:59.999999Z\", \"1969-12-31T23:59:59.999999Z\", "
            "\"9999-12-31T23:59:59.999999Z\"" },
          { "coalesce(t, u)", "\"2024-01-02T03:04:05Z\", \"1970-01-01T00:00:00Z\", "
            "\"9999-12-31T23:59:59.999999Z\", \"1969-12-31T23:59:59.999999Z\", "
            "\"0001-01-01T00:00:00Z\"" },
          { "now()", "\"2023-11-14T22:13:20.123456Z\", \"2023-11-14T22:13:20.123456Z\", "
            "\"2023-11-14T22:13:20.123456Z\", \"2023-11-14T22:13:20.123456Z\", "
            "\"2023-11-14T22:13:20.123456Z\"" },
          { "t < now()", "false, null, false, true, true" },
          { "interval '1s' is null", "false, false, false, false, false" });
}

/* ---- nested ---- */

static int nested(void **state)
{
    (void)state;
    with("w struct<a: int64, b: string>, l list<int>, m list<int>, k int64",
         "[[{\"a\":1,\"b\":\"x\"},[1,2],[1,2],1],[null,[],[1],2],[{\"a\":null,\"b\":\"y\"},null,"
             "[1],null],"
         "[{\"a\":3,\"b\":null},[1,null],[1,null],3],[{\"a\":1,\"b\":\"x\"},[2],[1,9],4]]");
    return 0;
}

static void nested_values_pass_and_compare(void **state)
{
    (void)state;
    CASES(&table,
          { "w.a", "1, null, null, 3, 1" },
          { "w.b || '!'", "\"x!\", null, \"y!\", null, \"x!\"" },
          { "w.a + k", "2, null, null, 6, 5" },
          { "w is null", "false, true, false, false, false" },
          { "w", "{\"a\":1,\"b\":\"x\"}, null, {\"a\":null,\"b\":\"y\"}, {\"a\":3,\"b\":null}, "
            "{\"a\":1,\"b\":\"x\"}" },
          { "l", "[1,2], [], null, [1,null], [2]" },
          { "l = m", "true, false, null, true, false" },
          { "l < m", "false, true, null, false, false" },
          { "l > m", "false, false, null, false, true" },
          { "l <=> m", "true, false, false, true, false" },
          { "w = w", "true, null, true, true, true" },
          { "case when k > 2 then l else m end", "[1,2], [1], [1], [1,null], [2]" },
          { "coalesce(l, m)", "[1,2], [], [1], [1,null], [2]" },
          { "case when k > 1 then w end", "null, null, null, {\"a\":3,\"b\":null}, "
            "{\"a\":1,\"b\":\"x\"}" },
          { "if(k = 1, w, null).a", "1, null, null, null, null" },
          { "nullif(l, m)", "null, [], null, null, [2]" },
          { "greatest(l, m)", "[1,2], [1], [1], [1,null], [2]" },
          { "cast(null as list<int>)", "null, null, null, null, null" },
          { "cast(null as struct<a: int>).a", "null, null, null, null, null" },
          { "l in (m)", "true, false, null, true, false" },
          { "typeof(w) || typeof(l) || typeof(k) || typeof(null)",
            "\"struct<a: int64, b: string>list<int32>int64null\", \"struct<a: int64, "
                "b: string>list<int32>int64null\", "
            "\"struct<a: int64, b: string>list<int32>int64null\", \"struct<a: int64, "
                "b: string>list<int32>int64null\", "
            "\"struct<a: int64, b: string>list<int32>int64null\"" });
}

static int no_rows(void **state)
{
    (void)state;
    with("a int64, s string, l list<int>, ok bool", "[]");
    return 0;
}

static void an_empty_chunk_gives_empty_columns(void **state)
{
    static const char *const texts[] = { "a", "a + 1", "1 div 0", "s || 'x'", "'const'", "l",
                                         "case when ok then l end", "a > 1 and s = 'x'",
                                         "s like 'x%'", "a in (1, 2)", "coalesce(s, 'x')",
                                             "now()", "ok or not ok", "cast(null as int)" };
    uint32_t i;
    (void)state;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) assert_string_equal(show(&table, texts[i]),
            "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_constant_divisor_divides_like_any_other, integers, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_narrowed_as_one_by_one, integers, tear_down),
        cmocka_unit_test_setup_teardown(integers_compute_in_64_bits, integers, tear_down),
        cmocka_unit_test_setup_teardown(try_forms_give_null_instead, integers, tear_down),
        cmocka_unit_test_setup_teardown(integers_compare, integers, tear_down),
        cmocka_unit_test_setup_teardown(null_safe_equality_never_gives_null, integers, tear_down),
        cmocka_unit_test_setup_teardown(in_follows_three_valued_logic, integers, tear_down),
        cmocka_unit_test_setup_teardown(floats_follow_ieee_but_for_division, floats, tear_down),
        cmocka_unit_test_setup_teardown(floats_have_a_total_order, floats, tear_down),
        cmocka_unit_test_setup_teardown(logic_has_three_values, bools, tear_down),
        cmocka_unit_test_setup_teardown(guarded_errors_do_not_fire, bools, tear_down),
        cmocka_unit_test_setup_teardown(case_takes_the_first_branch_that_is_true, bools, tear_down),
        cmocka_unit_test_setup_teardown(text_compares_bytewise, texts, tear_down),
        cmocka_unit_test_setup_teardown(like_matches_whole_texts, texts, tear_down),
        cmocka_unit_test_setup_teardown(concatenation_is_null_if_any_is, texts, tear_down),
        cmocka_unit_test_setup_teardown(text_becomes_numbers_whole_or_not_at_all, texts, tear_down),
        cmocka_unit_test_setup_teardown(numbers_become_each_other_within_range, for_casts,
                                        tear_down),
        cmocka_unit_test_setup_teardown(values_become_text_the_shortest_way, for_casts, tear_down),
        cmocka_unit_test_setup_teardown(text_and_bytes_become_other_types, for_casts, tear_down),
        cmocka_unit_test_setup_teardown(times_add_and_subtract_within_the_years, times, tear_down),
        cmocka_unit_test_setup_teardown(times_compare_and_cast, times, tear_down),
        cmocka_unit_test_setup_teardown(nested_values_pass_and_compare, nested, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_chunk_gives_empty_columns, no_rows, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
