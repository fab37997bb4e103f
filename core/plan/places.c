/*
 * places.c - places outside that an instance has for itself, such as the directory of a sink.
 *
 * Options say so by WEIR_OPTION_OWN. Two sinks in one directory, or one inside that of the other,
 * would each take it over; a source that
 * feeds a sink and reads what it writes would feed on its own results. Paths are compared
 * by their parts as they are written: links are not followed.
 */
#include "core/plan/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/job/options.h"

/* The next part of a path, of *n bytes, without empty parts and `.`; *n is 0 at the end. */
static const char *next_part(const char *at, size_t *n)
{
    do {
        while (*at == '/') at++;
        *n = strcspn(at, "/");
        if (*n != 1 || *at != '.') return at;
        at++;
    } while (1);
}

#define APART 0
#define NESTED 1 /* one lies inside of the other */
#define SAME 2

static int compare_paths(const char *a, const char *b)
{
    size_t n, m;
    if ((*a == '/') != (*b == '/')) return APART;
    do {
        a = next_part(a, &n);
        b = next_part(b, &m);
        if ((n == 0) != (m == 0)) return NESTED;
        if (n != m || memcmp(a, b, n) != 0) return APART;
        a += n;
        b += m;
    } while (n);
    return SAME;
}

static const char *text_of(const struct plan_node *node, const char *option)
{
    struct weir_value value;
    memset(&value, 0, sizeof value);
    value.size = sizeof value;
    if (!node->options || options_get(node->options, option, &value) != WEIR_OK) return NULL;
    return value.text;
}

/* 1: rows of nodes[from] get into nodes[to], which is behind it in the order. */
static int feeds(const struct plan *plan, uint32_t from, uint32_t to)
{
    const struct plan_node *source = plan->nodes[from];
    uint8_t *fed = calloc(plan->n_nodes, 1);
    int found;
    if (!fed) return 0;
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        const struct plan_node *node = plan->nodes[i];
        fed[i] = node == source;
        for (uint32_t k = 0; k < node->n_inputs && !fed[i]; k++)
            for (uint32_t j = from; j < i && !fed[i]; j++)
                fed[i] = fed[j] && node->inputs[k] && node->inputs[k]->node == plan->nodes[j];
    }
    found = fed[to];
    free(fed);
    return found;
}

static int place_is_alone(const struct plan *plan, uint32_t index, const char *option,
                          struct report *report)
{
    const struct plan_node *node = plan->nodes[index];
    const char *mine = text_of(node, option);
    for (uint32_t i = 0; mine && i < plan->n_nodes; i++) {
        const struct plan_node *other = plan->nodes[i];
        const char *text;
        struct weir_error error;
        int how;
        if (i == index || !other->component || (other->kind == JOB_SINK && i > index) ||
            strcmp(other->component->name, node->component->name) != 0)
            continue;
        text = text_of(other, option);
        how = text ? compare_paths(mine, text) : APART;
        if (how == APART) continue;
        if (other->kind != JOB_SINK && (how != SAME || !feeds(plan, i, index))) continue;
        weir_error_init(&error);
        weir_fail_option(&error, option, -1,
                         how == NESTED
                             ? "the place of sink \"%s\" lies inside of this one, or around it: "
                               "give each a place of its own"
                         : other->kind == JOB_SINK
                             ? "sink \"%s\" writes there, too: give each a place of its own"
                             : "\"%s\" reads there, and would get what this sink writes: write to "
                               "another place",
                         other->name);
        options_report(node->options, plan->job, node->instance, &error, report);
        return 0;
    }
    return 1;
}

int plan_places(const struct plan *plan, struct report *report)
{
    int good = 1;
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        const struct plan_node *node = plan->nodes[i];
        const struct weir_component *component = node->component;
        const char *at = component ? (const char *)component->options : NULL;
        for (uint32_t k = 0; at && node->kind == JOB_SINK && k < component->n_options; k++) {
            const struct weir_option *option = (const struct weir_option *)(const void *)at;
            if (option->flags & WEIR_OPTION_OWN)
                good &= place_is_alone(plan, i, option->name, report);
            at += option->size;
        }
    }
    return good;
}
