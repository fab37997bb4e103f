/*
 * test_operator_lua.c - the operator lua: what code may do, values there and back, large results.
 */
#define ENTRY entry_operator_lua
#include "tests/plugins/operator_case.h"

#include <unistd.h>


#define OPTIONS(mode, columns, source)                                                             \
    "\"mode\": \"" mode "\", \"columns\": \"" columns "\", \"function\": \"f\", \"source\": \"" source "\""

/* The text that an expression in Lua gives, of one row with x = 1. */
static void assert_gives(const char *expression, const char *text)
{
    char options[2000], row[200];
    snprintf(options, sizeof options,
             OPTIONS("map", "t string", "function f(row, ctx) return {t = tostring(%s)} end"),
             expression);
    OPEN("lua", options, "x int64");
    FEED("[[1]]");
    snprintf(row, sizeof row, "[\"%s\"]\n", text);
    assert_string_equal(rig_rows(&rig), row);
    rig_close(&rig);
}

static void assert_rejects(const char *body, const char *part)
{
    char options[2000];
    snprintf(options, sizeof options,
             OPTIONS("map", "t string, i int32, w timestamp, s struct<a: int64>, b bool",
                     "function f(row, ctx) %s end"),
             body);
    OPEN("lua", options, "x int64");
    FEED("[[1]]");
    assert_int_equal(rig.n_rejects, 1);
    if (!strstr(rig_rejects(&rig), part)) fail_msg("%s", rig_rejects(&rig));
    rig_close(&rig);
}

static void what_differs_from_run_to_run_is_not_there(void **state)
{
    static const char *const names[] = { "os",         "io",         "ffi",        "debug",
                                         "package",    "require",    "module",     "load",
                                         "loadstring", "loadfile",   "dofile",     "collectgarbage",
                                         "gcinfo",     "getfenv",    "setfenv",    "newproxy",
                                         "jit",        "_G",         "string.dump", "math.random",
                                         "math.randomseed" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_gives(names[i], "nil");
    assert_gives("getmetatable('')", "string");
    assert_gives("('x').dump", "nil");
}

static void tables_are_gone_through_in_order(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map", "t string",
                 "function f() local t = {[3] = 1, [1] = 1, [2.5] = 1, [true] = 1, [false] = 1} for _, k in "
                 "ipairs({'b', 'a', 'ab', '', 'zz', 'Z'}) do t[k] = 1 end local s = '' for k, v in pairs(t) do "
                 "s = s .. tostring(k) .. ',' if k == 'a' then t.b = nil end end local k = next(t) while k ~= nil "
                 "do s = s .. tostring(k) .. ';' k = next(t, k) end return {t = s} end"),
         "x int64");
    FEED("[[1]]");
    assert_string_equal(rig_rows(&rig), "[\"1,2.5,3,,Z,a,ab,zz,false,true,1;2.5;3;;Z;a;ab;zz;false;true;\"]\n");
    rig_close(&rig);
    assert_rejects("for k in pairs({[{}] = 1}) do end", "a key of type table can't be gone through");
    assert_gives("(function() local s = '' for k, v in pairs({7, 8, 9}) do s = s .. k .. v end return s end)()",
                 "172839");
    assert_gives("next({})", "nil");
}

static void texts_do_not_show_addresses(void **state)
{
    (void)state;
    assert_gives("{}", "table");
    assert_gives("print", "function");
    assert_gives("('%s %d'):format({}, 5)", "table 5");
    assert_rejects("return {t = ('%p'):format({})}", "addresses differ");
    assert_gives("1700000000000000", "1700000000000000");
    assert_gives("9007199254740993LL + row.x", "9007199254740994");
    assert_gives("0.5", "0.5");
    assert_gives("setmetatable({}, {__tostring = function() return 'me' end})", "me");
}

static void patterns_are_those_of_lua(void **state)
{
    static const struct {
        const char *expression, *text;
    } cases[] = {
        { "('k = v'):match('^(%w+)%s*=%s*(%w+)$')", "k" },
        { "select(2, ('k = v'):match('^(%w+)%s*=%s*(%w+)$'))", "v" },
        { "('a.b'):find('.', 1, true)", "2" },
        { "('aXb'):find('%u')", "2" },
        { "('abc'):find('b', -1)", "nil" },
        { "('abc'):find('', 9)", "4" },
        { "('f(a(b)c)d'):match('%b()')", "(a(b)c)" },
        { "('THE (quick) fox'):find('%f[%a]%a+%f[%A]', 5)", "6" },
        { "('hello'):gsub('', '-')", "-h-e-l-l-o-" },
        { "('hello world'):gsub('o', '0', 1)", "hell0 world" },
        { "('a b'):gsub('(%w) (%w)', '%2 %1%%%0')", "b a%a b" },
        { "('abc'):gsub('%w', {a = '1', b = false})", "1bc" },
        { "('abc'):gsub('(b)()', function(s, at) return s .. at end)", "ab3c" },
        { "('x=1, y=2'):gsub('(%w)=(%w)', '%2=%1')", "1=x, 2=y" },
        { "('aaa'):match('a-b') == nil and ('aab'):match('a-b')", "aab" },
        { "('x]y'):match('[]]')", "]" },
        { "('a-z'):match('[a%-]+')", "a-" },
        { "select(2, ('abab'):find('(ab)%1'))", "4" },
        { "('  trim  '):match('^%s*(.-)%s*$')", "trim" },
        { "('a\\\\0b'):find('\\\\0b')", "2" },
        { "(function() local s = '' for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do s = s .. v .. k end return s end)()",
          "1a2b" },
        { "(function() local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n end)()", "4" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_gives(cases[i].expression, cases[i].text);
    assert_rejects("return ('x'):find('[a')", "missing ']'");
    assert_rejects("return ('x'):find('%')", "ends with '%'");
    assert_rejects("return ('x'):find('(x')", "unfinished capture");
    assert_rejects("return ('x'):match('x)')", "invalid pattern capture");
    assert_rejects("return ('x'):find('%1')", "invalid capture index");
    assert_rejects("return ('x'):find('%f')", "missing '['");
    assert_rejects("return ('x'):find('%b(')", "unbalanced pattern");
    assert_rejects("return ('x'):find(('()'):rep(33))", "too many captures");
    assert_rejects("return ('x'):rep(300):find(('x?'):rep(300))", "pattern too complex");
    assert_rejects("return ('x'):gsub('x', function() return {} end)", "invalid replacement value");
    assert_rejects("return ('x'):gsub('x', true)", "string/function/table expected");
}

/* Each would take hours, or years: the call ends at the limit, and the next one has all of its own. */
static void work_of_the_library_is_limited(void **state)
{
    static const char *const bodies[] = {
        "s:find(('a*'):rep(20) .. 'b')",
        "s:match(('a-'):rep(20) .. 'b')",
        "s:gsub(('a?'):rep(90) .. 'b', '')",
        "for x in s:gmatch('[' .. s .. ']*b') do end",
        "for i = 1, 1e5 do ('b'):rep(1e6) end",
        "local t = ('b'):rep(1e6) for i = 1, 1e5 do t:upper() end",
        "for i = 1, 1e5 do table.insert(t, 1, i) end",
        "for i = 1, 1e5 do table.remove(t, 1) table.insert(t, i) end",
        "for i = 1, 1e5 do table.sort(t) end",
        "for i = 1, 1e5 do table.concat(t) end",
        "for i = 1, 1e5 do pairs(t) end",
        "for i = 1, 1e5 do next(t) end",
        "while true do pcall(string.find, s, ('a*'):rep(20) .. 'b') end",
    };
    char options[2000];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(options, sizeof options,
                 OPTIONS("map", "n int64",
                         "function f(row) local s, t = ('a'):rep(2000), {} for i = 1, 2000 do t[i] = i end "
                         "if row.x == 2 then %s end return {n = row.x} end") ", \"instructions\": 300000",
                 bodies[i]);
        OPEN("lua", options, "x int64");
        FEED("[[1], [2], [3]]");
        assert_string_equal(rig_rows(&rig), "[1]\n[3]\n");
        if (!strstr(rig_rejects(&rig), "more than 300000 instructions")) fail_msg("%s", rig_rejects(&rig));
        rig_close(&rig);
    }
}

static void the_batch_is_told(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map", "b int64, t timestamp, w bool",
                 "function f(row, ctx) return {b = ctx.batch, t = ctx.time, w = ctx.watermark == nil} end"),
         "x int64");
    FEED("[[1]]");
    FEED("[[1]]");
    assert_string_equal(rig_rows(&rig), "[0,\"1970-01-01T00:00:00Z\",true]\n[1,\"1970-01-01T00:00:01Z\",true]\n");
}

static void values_that_do_not_fit_are_rejected(void **state)
{
    (void)state;
    assert_rejects("return {t = 5}", "column \"t\" is string, and got a value of type number");
    assert_rejects("return {t = '\\\\255'}", "not UTF-8");
    assert_rejects("return {i = 2147483648}", "column \"i\" is int32: the number does not fit");
    assert_rejects("return {i = 0.5}", "the number does not fit");
    assert_rejects("return {i = 0/0}", "the number does not fit");
    assert_rejects("return {w = 1e18}", "the number does not fit");
    assert_rejects("return {b = 1}", "column \"b\" is bool");
    assert_rejects("return {s = 1}", "column \"s\" is struct");
    assert_rejects("return {s = {a = 1, c = 2}}", "no column \"c\"");
    assert_rejects("return {tt = 'x'}", "no column \"tt\"");
    assert_rejects("return {'x'}", "key of type number");
    assert_rejects("return 5", "a row is a table");
    assert_rejects("", "gave nil and no row");
    assert_rejects("error({})", "an error that is no text");
    assert_rejects("y = 1", "the global \"y\" can't be set");
}

/* A row that fails half-way leaves nothing in nested columns. */
static void a_failed_row_leaves_nothing(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map", "l list<struct<a: list<int64>, b: string>>, n int64",
                 "function f(row) return {l = {{a = {1, 2}, b = 'x'}, {a = {3}, b = row.x > 1 and 5 or 'y'}}, n = row.x} "
                 "end"),
         "x int64");
    FEED("[[1], [2], [1], [3]]");
    assert_string_equal(rig_rows(&rig), "[[{\"a\":[1,2],\"b\":\"x\"},{\"a\":[3],\"b\":\"y\"}],1]\n"
                                        "[[{\"a\":[1,2],\"b\":\"x\"},{\"a\":[3],\"b\":\"y\"}],1]\n");
    assert_int_equal(rig.n_rejects, 2);
}

/* More rows than a chunk holds: all of them, or none where the last is wrong. */
static void large_results_are_whole_or_not_at_all(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("flat_map", "n int64",
                 "function f(row) local out = {} for i = 1, row.x do out[i] = {n = i} end if row.bad then "
                 "out[row.x].n = 'x' end return out end"),
         "x int64, bad bool");
    rig.quiet = 1;
    FEED("[[3, false], [70000, true], [200000, false], [20000, true], [5, false]]");
    assert_int_equal(rig.n_rows, 3 + 200000 + 5);
    assert_int_equal(rig.n_rejects, 2);
    assert_true(rig.most_rows <= WEIR_CHUNK_TARGET_ROWS);
}

static void rows_of_many_bytes_come_in_several_chunks(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("flat_map", "t string",
                 "function f(row) local out, long = {}, ('x'):rep(3000000) for i = 1, 7 do out[i] = {t = long} end "
                 "return out end"),
         "x int64");
    rig.quiet = 1;
    FEED("[[1]]");
    assert_int_equal(rig.n_rows, 7);
    assert_true(rig.n_emits >= 2);
}

/* What earlier calls left behind does not count against a call. */
static void garbage_of_other_rows_does_not_count(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map", "n int64",
                 "function f(row) local t = {} for i = 1, 9 do t[i] = ('x'):rep(100000 + row.x + i) end return {n = #t} "
                 "end") ", \"memory\": \"2Mi\"",
         "x int64");
    FEED("[[1], [2], [3], [4], [5], [6], [7], [8], [9], [10], [11], [12], [13], [14], [15], [16]]");
    assert_int_equal(rig.n_rejects, 0);
    assert_int_equal(rig.n_rows, 16);
}

static void a_call_over_many_rows_has_instructions_for_each(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("transform", "n int64",
                 "function f(ctx, rows) local n = 0 for _, row in ipairs(rows) do for i = 1, 50 do n = n + 1 end end "
                 "return {n = n} end") ", \"instructions\": 1000",
         "x int64");
    FEED("[[1], [2], [3], [4], [5], [6], [7], [8], [9], [10], [11], [12], [13], [14], [15], [16], [17], [18], "
         "[19], [20]]");
    assert_string_equal(rig_rows(&rig), "[1000]\n");
}

static void a_failed_call_over_many_rows_rejects_them(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map_partitions", "n int64", "function f(rows) return {{n = 1}, {n = 'x'}} end"), "x int64");
    FEED("[[1], [2]]");
    assert_int_equal(rig.n_rejects, 2);
    assert_int_equal(rig.n_rows, 0);
}

static void chunks_and_selections_can_not_be_seen(void **state)
{
    const struct rig_cut cuts[] = { { 1, 1, 0 }, { 3, 2, 1 }, { 0, 1, 1 } };
    const char *list[4] = { "[[1], [2], [3], [4], [5], [6], [7]]" };
    (void)state;
    OPEN("lua", OPTIONS("flat_map", "n int64", "function f(row) if row.x % 3 > 0 then return {{n = row.x}, {n = -row.x}} end end"),
         "x int64");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_batch(&rig, list, cuts[i]), WEIR_OK);
        assert_string_equal(rig_rows(&rig), "[1]\n[-1]\n[2]\n[-2]\n[4]\n[-4]\n[5]\n[-5]\n[7]\n[-7]\n");
        rig_forget(&rig);
    }
}

/* Code in which a call leaves something behind that can't be told from the code alone. */
static void assert_keeps(const char *source, const char *name)
{
    char options[2000], part[100];
    snprintf(options, sizeof options, OPTIONS("map", "n int64", "%s"), source);
    snprintf(part, sizeof part, "f has changed \"%s\", which outlives the call", name);
    OPEN("lua", options, "x int64");
    FEED("[[0]]");
    FEED("[]");
    if (rig_feed(&rig, "[[1]]") != WEIR_DATA) fail_msg("not seen: %s %s", source, rig_rejects(&rig));
    if (!strstr(rig.error.text, part)) fail_msg("%s", rig.error.text);
    close_again();
}

#define WHEN "if row.x == 0 then return row end "
#define GIVES " return {n = 1} end"

static void a_change_of_what_outlives_the_call_ends_the_batch(void **state)
{
    (void)state;
    assert_keeps("local function put(t, k) t[k] = 1 end local t = {} function f(row) " WHEN "put(t, 1)" GIVES, "t");
    assert_keeps("local t = {1} function f(row) " WHEN "(function() t[1] = nil end)()" GIVES, "t");
    assert_keeps("t = {{b = 1}} function f(row) " WHEN "t[row.x].b = 2" GIVES, "t");
    assert_keeps("t = {} function f(row) " WHEN "local u = row.x == 1 and t or {} u.a = 1" GIVES, "t");
    assert_keeps("t = setmetatable({}, {}) function f(row) " WHEN "t.a = 1" GIVES, "t");
    assert_keeps("local t = {2, 1} function f(row) " WHEN "table.sort(t)" GIVES, "t");
    assert_keeps("local t = {} function f(row) " WHEN "rawset(t, row, 1)" GIVES, "t");
    assert_keeps("local t = {} function f(row) " WHEN "setmetatable(t, {})" GIVES, "t");
    assert_keeps("local n = 0 function f(row) " WHEN "(function() n = n + 1 end)()" GIVES, "n");
    assert_keeps("local M = {n = 0} function M:add() self.n = self.n + 1 end "
                 "function f(row) " WHEN "M:add()" GIVES, "M");
    assert_keeps("local M = {} local n = 0 function M.add() n = n + 1 end function f(row) " WHEN "M.add()" GIVES,
                 "n");
    assert_keeps("local next_word = ('a b'):gmatch('%a') function f(row) " WHEN "next_word()" GIVES, "next_word");
    assert_keeps("local meta = {} local t = setmetatable({}, {__index = meta}) function f(row) " WHEN
                 "getmetatable(t).__index.a = 1" GIVES, "t");
    assert_keeps("function f(row) " WHEN "rawset(string, 'mine', 1)" GIVES, "string");
    assert_keeps("function f(row, ctx) " WHEN "ctx.seen = 1" GIVES, "ctx");
}

static void what_the_script_sets_up_is_its_own(void **state)
{
    (void)state;
    OPEN("lua", OPTIONS("map", "n int64",
                 "local n, t, M = 0, {}, {} local function add(x) t[#t + 1] = x n = n + x end add(1) add(2) "
                 "function M.more() n = n + 1 end M.more() local function made() local n = 0 return "
                 "function(x) n = n + x return n end end function string.twice(s) return s .. s end "
                 "function f(row) local own, add = {}, made() for i, x in ipairs(t) do own[i] = x + n end "
                 "add(own[1]) return {n = add(own[2]) + #('a'):twice() + (M.none or 0)} end"),
         "x int64");
    FEED("[[1], [1]]");
    FEED("[[1]]");
    assert_string_equal(rig_rows(&rig), "[13]\n[13]\n[13]\n");
}

/* A large table is looked at after many calls only. */
static void a_large_table_is_looked_at_now_and_then(void **state)
{
    int32_t result = WEIR_OK;
    int turns = 0;
    (void)state;
    OPEN("lua", OPTIONS("map", "n int64",
                 "local t = {} for i = 1, 200 do t[i] = i end function f(row) rawset(t, row.x, 0) return row end"),
         "n int64, x int64");
    for (; result == WEIR_OK && turns < 30; turns++) result = rig_feed(&rig, "[[1, 7]]");
    assert_int_equal(result, WEIR_DATA);
    assert_true(turns > 3);
}

static void assert_refused(const char *source, const char *part)
{
    char options[2000];
    snprintf(options, sizeof options, OPTIONS("map", "n int64", "%s"), source);
    if (rig_open(&rig, ENTRY, "lua", options, "x int64", NULL) != WEIR_CONFIG) fail_msg("not refused: %s", source);
    assert_string_equal(rig.error.option, "source");
    if (!strstr(rig.error.text, part)) fail_msg("%s", rig.error.text);
    close_again();
}

static void tables_of_the_file_that_are_written_to_are_refused(void **state)
{
    (void)state;
    assert_refused("local t = {} function f(row) t[row.x] = true" GIVES, "lua:1: \"t\" is written to here");
    assert_refused("t = {} function f(row) t[row.x] = (t[row.x] or 0) + 1" GIVES, "\"t\" is written to");
    assert_refused("local t = {n = 0} function f(row) t.n = t.n + 1" GIVES, "\"t\" is written to");
    assert_refused("local t = {} function f(row) t[#t + 1] = row.x > 1 and row or nil" GIVES, "\"t\" is written to");
    assert_refused("t = {a = {b = 1}} function f(row) t.a.b = t.a.b + row.x" GIVES, "\"t\" is written to");
    assert_refused("local t = {} function f(row) local u = t for i = 1, row.x do u[i] = i end" GIVES,
                   "\"t\" is written to");
    assert_refused("local t = {} function f(row) if row.x == 1 then t.a = 1 end" GIVES, "\"t\" is written to");
    assert_refused("t = {} local function g(x)\\n t.a = x end function f(row) g(1)" GIVES, "lua:2: \"t\" is written to");
    assert_refused("function f(row) string.mine = 1" GIVES, "\"string\" is written to");
}

static void tables_of_a_call_may_be_written_to(void **state)
{
    static const char *const bodies[] = {
        "local u = t u = {} u.a = 1",
        "local u = row.x == 2 and t or {} u.a = 1",
        "local u = row.x == 1 and {} or t u.a = 1",
        "local u if row.x == 2 then u = t else u = {} end u.a = 1",
        "local u = {} if row.x == 2 then u = t return {n = #u} end u.a = 1",
        "local u = {t = t} u.t = 1",
        "local u = t.none or {} u.a = 1",
        "local u = {} for i = 1, 2 do u[i] = t[i] end u[3] = t.a",
        "local function own() local t = {} return function() t.a = 1 end end own()()",
        "local u = setmetatable({}, {__index = t}) u.a = 1",
    };
    char options[2000];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(options, sizeof options, OPTIONS("map", "n int64", "local t = {1, 2} function f(row) %s" GIVES),
                 bodies[i]);
        OPEN("lua", options, "x int64");
        FEED("[[1]]");
        assert_string_equal(rig_rows(&rig), "[1]\n");
        close_again();
    }
}

static void locals_of_the_file_that_are_set_are_refused(void **state)
{
    (void)state;
    REFUSED("source", "lua:1: \"n\" is set here", "lua",
            OPTIONS("map", "n int64", "local n function f(row) n = row.x" GIVES), "x int64");
    REFUSED("source", "lua:2: \"n\" is set here", "lua",
            OPTIONS("map", "n int64", "local n\\nlocal function g() n = 'x' end function f(row) g()" GIVES),
            "x int64");
    REFUSED("source", "lua:2: \"n\" is set here", "lua",
            OPTIONS("map", "n int64", "local n\\nfunction g() n = nil end function f(row) if row.x then "
                    "(function() g() end)() end" GIVES),
            "x int64");
    REFUSED("source", "lua:1: \"n\" is set here", "lua",
            OPTIONS("map", "n int64", "local function make() local n = 0 return function() n = n + 1 return "
                    "{n = n} end end f = make()"),
            "x int64");
    REFUSED("source", "\"c\" holds a coroutine", "lua",
            OPTIONS("map", "n int64", "local c = coroutine.create(function() end) function f(row) return c end"),
            "x int64");
}

static void code_comes_from_a_file(void **state)
{
    char path[] = "/tmp/weir-lua-XXXXXX", options[300];
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    (void)state;
    assert_non_null(file);
    fputs("local two = 2\nfunction f(row)\n  return {n = row.x.y}\nend\n", file);
    fclose(file);
    snprintf(options, sizeof options, "\"columns\": \"n int64\", \"function\": \"f\", \"file\": \"%s\"", path);
    OPEN("lua", options, "x int64");
    FEED("[[1]]");
    assert_non_null(strstr(rig_rejects(&rig), strrchr(path, '/') + 1));
    assert_non_null(strstr(rig_rejects(&rig), ":3: attempt to index"));
    rig_close(&rig);
    unlink(path);
    assert_int_equal(rig_open(&rig, ENTRY, "lua", options, "x int64", NULL), WEIR_CONFIG);
    assert_string_equal(rig.error.option, "file");
}

static void bytecode_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rig_open(&rig, ENTRY, "lua",
                              OPTIONS("map", "n int64", "\\u001bLJ\\u0002"), "x int64", NULL),
                     WEIR_CONFIG);
    assert_non_null(strstr(rig.error.text, "bytecode"));
}

static void without_memory_a_lane_fails_whole(void **state)
{
    (void)state;
    rig_starve(entry_operator_lua, NULL, "lua",
               OPTIONS("flat_map", "n int64, l list<string>",
                       "function f(row) return {{n = row.x, l = {'a'}}, {n = 2}} end"),
               "x int64", "[[1], [2]]");
    rig_starve(entry_operator_lua, NULL, "lua",
               OPTIONS("transform", "n int64", "function f(ctx, rows) return {{n = #rows}} end"), "x int64",
               "[[1], [2]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_differs_from_run_to_run_is_not_there),
        TEST(tables_are_gone_through_in_order),
        TEST(texts_do_not_show_addresses),
        TEST(patterns_are_those_of_lua),
        TEST(work_of_the_library_is_limited),
        TEST(the_batch_is_told),
        TEST(values_that_do_not_fit_are_rejected),
        TEST(a_failed_row_leaves_nothing),
        TEST(large_results_are_whole_or_not_at_all),
        TEST(rows_of_many_bytes_come_in_several_chunks),
        TEST(garbage_of_other_rows_does_not_count),
        TEST(a_call_over_many_rows_has_instructions_for_each),
        TEST(a_failed_call_over_many_rows_rejects_them),
        TEST(chunks_and_selections_can_not_be_seen),
        TEST(a_change_of_what_outlives_the_call_ends_the_batch),
        TEST(what_the_script_sets_up_is_its_own),
        TEST(a_large_table_is_looked_at_now_and_then),
        TEST(locals_of_the_file_that_are_set_are_refused),
        TEST(tables_of_the_file_that_are_written_to_are_refused),
        TEST(tables_of_a_call_may_be_written_to),
        TEST(code_comes_from_a_file),
        TEST(bytecode_is_refused),
        TEST(without_memory_a_lane_fails_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
