/*
 * check_example.c - the source and the sink of this project under the harness.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/check.h>

static int failures;

static void same(const char *what, const char *got, const char *want)
{
    if (got && strcmp(got, want) == 0) return;
    printf("%s: got %s, wanted %s\n", what, got ? got : "nothing", want);
    failures++;
}

int main(void)
{
    const char *modules = getenv("MODULES");
    struct weir_error error;
    struct weir_check *check = NULL;
    char *rows;
    weir_error_init(&error);
    if (!modules || weir_check_open(&modules, 1, &check, &error) != WEIR_OK) {
        printf("the modules can't be used: %s\n", error.text);
        return 1;
    }

    rows = weir_check_source(check, "countdown first=3", &error);
    same("countdown", rows, "[[3],[2],[1],[0]]");
    weir_check_free(rows);

    /* killed at every call to the outside and started again: each row is there once */
    if (weir_check_sink(check, "journal path=out", "user string, n bigint",
                        "[[[\"a\",1],[\"b\",2]],[[\"c\",3]]]", "out", &error) != WEIR_OK) {
        printf("journal: %s\n", error.text);
        failures++;
    }
    rows = weir_check_file(check, "out/0");
    same("journal", rows, "a\t1\nb\t2\n");
    weir_check_free(rows);

    rows = weir_check_operator(check, "select columns=d", "x double, y double", "[[3.0, 4.0]]", &error);
    weir_check_free(rows); /* without the column d it is refused */
    weir_error_init(&error);
    rows = weir_check_operator(check, "with_column name=d expr=distance(x,y)",
                               "x double, y double", "[[3.0, 4.0]]", &error);
    same("distance", rows, "[[3.0,4.0,5.0]]");
    weir_check_free(rows);

    weir_check_close(check);
    return failures != 0;
}
