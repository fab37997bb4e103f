/*
 * event_time.c - what time has to do with the groups of `aggregate`, fixed in bind.
 *
 * Options `window` and `session` add a column of time to the key; a grouping column may be the
 * event time itself, or a window of it (TIME_KEY). Where that time is the one of a watermark, the
 * watermark bounds the state (`bounded`), unless all groups are given in every batch: what is late
 * is dropped, and a group that can't change any more goes.
 *
 * Sliding windows. Before the exchange a row is added to its slice (time_windows.h), one addition
 * instead of length/slide. Behind it
 *
 *     append            state is by slices, too; a window is put together once, when it closes
 *     update, complete  each partial is added to all windows of its slice: they are given all the
 *                       time, and would have to be put together for that again and again
 *
 * Aggregates that depend on the order of rows can't be taken apart in slices, whose rows mix in
 * time. With one of them every row is added to each of its windows, in order, before the exchange.
 * Rows that cross uncombined (for the output of late rows) carry their time, and are treated
 * behind it as rows and partials else are.
 */
#include "plugins/operator_aggregate/aggregation.h"

#include "plugins/share/names.h"

#define WINDOWS_MAX 10000     /* of one row */
#define LENGTH_MAX 315576000000000000ll /* ten thousand years in microseconds */

static int is_event_time(const struct weir_input *input, int32_t column)
{
    return column >= 0 && (column < 64 ? (int)(input->time_columns >> column & 1)
                                       : column == input->time_column);
}

static int is_given(const struct aggregation *a, const char *option)
{
    struct weir_value value;
    return option_get(a->host, a->context, option, &value);
}

static int32_t find_on(struct aggregation *a, const char *option, const struct ArrowSchema *input,
                       struct weir_error *error)
{
    const char *name = option_text(a->host, a->context, option, "");
    struct event_time *t = &a->time;
    t->on = weir_column_index(input, name);
    t->on_end = -1;
    if (t->on < 0) return no_such_column(input, option, name, error);
    const struct ArrowSchema *type = input->children[t->on];
    if (weir_type_of(type) == WEIR_TYPE_TIMESTAMP) return WEIR_OK;
    if (weir_type_of(type) == WEIR_TYPE_STRUCT && weir_column_index(type, "start") >= 0)
        t->on_end = weir_column_index(type, "end");
    if (t->on_end >= 0 && weir_type_of(type->children[t->on_end]) == WEIR_TYPE_TIMESTAMP)
        return WEIR_OK;
    return weir_fail_option(error, option, -1,
                            "column \"%s\" is neither a timestamp nor a window: make one of it "
                            "before (to_timestamp, from_unix)",
                            name);
}

static int32_t need(const struct aggregation *a, const char *option, const char *what,
                    struct weir_error *error)
{
    if (is_given(a, option)) return WEIR_OK;
    return weir_fail_option(error, option, -1, "it is missing: %s", what);
}

static int32_t check_windows(const struct time_windows *w, struct weir_error *error)
{
    if (w->length <= 0 || w->length > LENGTH_MAX)
        return weir_fail_option(error, "window.length", -1,
                                "it must be more than nothing, and at most 10,000 years");
    if (w->slide <= 0 || w->slide > w->length)
        return weir_fail_option(error, "window.slide", -1,
                                "it must be more than nothing and at most `length`: with a "
                                "longer one "
                                "there were times in no window");
    if (w->start < 0 || w->start >= w->slide)
        return weir_fail_option(error, "window.start", -1, "it must be less than `slide`");
    if (w->length / w->slide < WINDOWS_MAX) return WEIR_OK;
    return weir_fail_option(error, "window.slide", -1,
                            "every row would be in %lld windows, at most %d make sense",
                            (long long)(w->length / w->slide), WINDOWS_MAX);
}

static int32_t read_window(struct aggregation *a, const struct ArrowSchema *input,
                           struct weir_error *error)
{
    struct time_windows *w = &a->time.windows;
    a->time.kind = TIME_WINDOW;
    int32_t result = need(a, "window.on", "the column with the time", error);
    if (result == WEIR_OK) result = need(a, "window.length", "how long a window is", error);
    if (result == WEIR_OK) result = find_on(a, "window.on", input, error);
    if (result != WEIR_OK) return result;
    w->length = option_integer(a->host, a->context, "window.length", 0);
    w->slide = option_integer(a->host, a->context, "window.slide", w->length);
    w->start = option_integer(a->host, a->context, "window.start", 0);
    return check_windows(w, error);
}

/* A plain duration: one number, one unit. 0 where the text is something else. */
static int is_duration(const char *text, int64_t *us)
{
    static const struct { const char *unit; int64_t us; } units[] = {
        { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000 },
        { "d", 86400000000 },
    };
    int64_t n = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *at - '0', &n)) return 0;
    for (uint32_t i = 0; at > text && i < sizeof units / sizeof *units; i++)
        if (strcmp(at, units[i].unit) == 0) return !__builtin_mul_overflow(n, units[i].us, us);
    return 0;
}

/* One word with a digit in front is meant as a duration, not as an expression. */
static int is_meant_as_duration(const char *text)
{
    const char *at = text + (*text == '-');
    if (*at < '0' || *at > '9') return 0;
    while ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
           *at == '.')
        at++;
    return *at == 0;
}

static int32_t read_gap(struct aggregation *a, const struct ArrowSchema *schema,
                        struct weir_error *error)
{
    const char *text = option_text(a->host, a->context, "session.gap", "");
    struct weir_expr_input input = { NULL, schema };
    struct event_time *t = &a->time;
    const int negative = text[0] == '-' && is_duration(text + 1, &t->gap);
    if (negative || is_duration(text, &t->gap)) {
        if (!negative && t->gap > 0 && t->gap <= LENGTH_MAX) return WEIR_OK;
        return weir_fail_option(error, "session.gap", -1,
                                "it must be more than nothing, and at most 10,000 years");
    }
    if (is_meant_as_duration(text))
        return weir_fail_option(error, "session.gap", -1,
                                "\"%s\" is no duration: a whole number and us, ms, s, m, h or d",
                                text);
    int32_t result = a->expr->compile(a->context, text, "session.gap", &input, 1, WEIR_TYPE_NONE,
                                      &t->gap_expr, error);
    if (result != WEIR_OK) return result;
    if (!a->expr->deterministic(t->gap_expr)) a->nondeterministic = 1;
    if (strcmp(a->expr->schema(t->gap_expr)->format, "tDu") == 0) return WEIR_OK;
    return weir_fail_option(error, "session.gap", -1,
                            "it must be a duration (\"5m\") or give an interval "
                            "(\"interval '5m'\")");
}

static int32_t read_session(struct aggregation *a, const struct ArrowSchema *input,
                            struct weir_error *error)
{
    struct weir_value value;
    a->time.kind = TIME_SESSION;
    int32_t result = need(a, "session.on", "the column with the time", error);
    if (result == WEIR_OK)
        result = need(a, "session.gap", "how long a silence ends a session", error);
    if (result == WEIR_OK) result = find_on(a, "session.on", input, error);
    if (result == WEIR_OK) result = read_gap(a, input, error);
    if (result != WEIR_OK || (option_get(a->host, a->context, "by", &value) && value.count))
        return result;
    return weir_fail_option(error, "session", -1,
                            "sessions are told apart by a key: give `by`");
}

int32_t aggregation_time(struct aggregation *a, const struct weir_input *input,
                         struct weir_error *error)
{
    const int window = is_given(a, "window.on") || is_given(a, "window.length") ||
                       is_given(a, "window.slide") || is_given(a, "window.start");
    const int session = is_given(a, "session.on") || is_given(a, "session.gap");
    int32_t result = WEIR_OK;
    a->time.late = option_text(a->host, a->context, "late", NULL);
    if (window && session)
        return weir_fail_option(error, "session", -1,
                                "groups are by windows or by sessions: take one of the two");
    if (window) result = read_window(a, input->schema, error);
    if (session) result = read_session(a, input->schema, error);
    if (result == WEIR_OK && a->time.kind >= TIME_WINDOW)
        a->time.bounded = (uint32_t)is_event_time(input, a->time.on);
    return result;
}

/* ---- what follows ---- */

/* Whether a grouping column is a window of an event time: struct<start, end> of nothing else. */
static int is_window_of(const struct aggregation *a, const struct by *by,
                        const struct weir_input *input)
{
    const struct ArrowSchema *type = a->group.children[by - a->by];
    if (by->fields != 2 || weir_column_index(type, "start") != 0 ||
        weir_column_index(type, "end") != 1 ||
        weir_type_of(type->children[1]) != WEIR_TYPE_TIMESTAMP)
        return 0;
    if (by->input >= 0 || !by->expr) return is_event_time(input, by->input);
    return is_event_time(input, a->expr->time_source(by->expr, NULL));
}

/* Event time among the grouping columns; where `window` or `session` has another one, it is one too
 * many. */
static int32_t find_time_key(struct aggregation *a, const struct weir_input *input,
                             struct weir_error *error)
{
    for (uint32_t i = 0; i < a->n_by; i++) {
        const struct by *by = &a->by[i];
        const int plain = !by->fields && is_event_time(input, by->input);
        if (!plain && !is_window_of(a, by, input)) continue;
        if (a->time.kind == TIME_KEY ||
            (a->time.bounded && a->time.on != by->input && a->time.kind != TIME_NONE))
            return weir_fail_option(error, "by", -1,
                                    "there would be two event times, of which each says "
                                    "otherwise when a "
                                    "group is final: group by one");
        if (a->time.kind != TIME_NONE) continue;
        a->time.kind = TIME_KEY;
        a->time.bounded = 1;
        a->time.key = plain ? by->first : by->first + 1;
    }
    return WEIR_OK;
}

static int32_t refuse_append(const struct aggregation *a, const struct weir_input *input,
                             struct weir_error *error)
{
    const char *on = a->time.kind == TIME_NONE ? NULL : input->schema->children[a->time.on]->name;
    if (!on)
        return weir_fail_option(error, "output_mode", -1,
                                "append gives a group once it is final, and without a window "
                                "over a "
                                "watermarked column none ever is: take update or complete");
    return weir_fail_option(error, "output_mode", -1,
                            "append gives a window once it is final, which only a watermark on "
                            "\"%s\" "
                            "tells: give the stream one, or take %s",
                            on, a->time.kind == TIME_SESSION ? "complete" : "update or complete");
}

static int32_t check_late(const struct aggregation *a, struct weir_error *error)
{
    if (!a->time.late) return WEIR_OK;
    if (a->form == WEIR_FORM_REPLACE)
        return weir_fail_option(error, "late", -1, "complete drops no row, so none is late");
    if (!a->time.bounded)
        return weir_fail_option(error, "late", -1,
                                "no row is ever late: the groups have no watermarked time");
    for (const char *c = a->time.late; *c; c++)
        if (!(*c == '_' || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
              (*c >= '0' && *c <= '9' && c > a->time.late)))
            return weir_fail_option(error, "late", -1,
                                    "the name of an output has letters, digits and _");
    return *a->time.late ? WEIR_OK : weir_fail_option(error, "late", -1, "the name is empty");
}

static void choose_slices(struct aggregation *a)
{
    struct event_time *t = &a->time;
    int ordered = 0;
    for (uint32_t i = 0; i < a->n_calls; i++)
        if (a->calls[i].flags & WEIR_AGGREGATE_ORDERED) ordered = 1;
    if (t->kind != TIME_WINDOW || t->windows.slide == t->windows.length) return;
    t->rows_expand = ordered && !a->raw;
    t->slices = !ordered && a->form == WEIR_FORM_APPEND;
    t->partials_expand = !t->rows_expand && !t->slices;
}

int32_t aggregation_time_settle(struct aggregation *a, const struct weir_input *input,
                                struct weir_error *error)
{
    int32_t result = find_time_key(a, input, error);
    if (result != WEIR_OK) return result;
    if (a->form == WEIR_FORM_APPEND && !a->time.bounded) return refuse_append(a, input, error);
    if (a->form == WEIR_FORM_UPSERT && a->time.kind == TIME_SESSION)
        return weir_fail_option(error, "output_mode", -1,
                                "a session that grows becomes another one, which update can't "
                                "say: take "
                                "append (with a watermark on its column) or complete");
    if (a->form == WEIR_FORM_REPLACE) a->time.bounded = 0;
    result = check_late(a, error);
    if (result != WEIR_OK) return result;
    if (a->time.late) {
        a->raw = 1;
        a->n_input = (uint32_t)input->schema->n_children;
    }
    choose_slices(a);
    return WEIR_OK;
}
