/*
 * plain.h - a plugin that does nothing, rightly: what the odd modules differ from by one thing
 * each.
 *
 * Macros that a module or the compiler's command line may set: ID, VERSION, NAME (of the operator),
 * MINOR, MAJOR.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <weir/plugin.h>

#ifndef ID
#define ID "org.test.plain"
#endif
#ifndef VERSION
#define VERSION "1.4"
#endif
#ifndef NAME
#define NAME "plain"
#endif
#ifndef MAJOR
#define MAJOR WEIR_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR 0
#endif

static int32_t plain_create(const struct weir_host *host, struct weir_context *context, void **self,
                            struct weir_error *error)
{
    (void)host, (void)context, (void)error;
    *self = NULL;
    return WEIR_OK;
}

static void plain_destroy(void *self)
{
    (void)self;
}

static int32_t plain_bind(void *self, const struct weir_operator_bind *in,
                          struct weir_operator_plan *out, struct weir_error *error)
{
    (void)self, (void)in, (void)out;
    return weir_fail(error, WEIR_CONFIG, "%s", VERSION); /* tells versions apart */
}

static int32_t plain_lane_create(void *self, struct weir_context *context, void **lane,
                                 struct weir_error *error)
{
    (void)self, (void)context, (void)error;
    *lane = NULL;
    return WEIR_OK;
}

static void plain_lane_destroy(void *self, void *lane)
{
    (void)self, (void)lane;
}

static int32_t plain_begin(void *self, void *lane, const struct weir_begin *in,
                           struct weir_error *error)
{
    (void)self, (void)lane, (void)in, (void)error;
    return WEIR_OK;
}

static int32_t plain_process(void *self, void *lane, uint32_t input, const struct weir_chunk *chunk,
                             struct weir_error *error)
{
    (void)self, (void)lane, (void)input, (void)chunk, (void)error;
    return WEIR_OK;
}

static const struct weir_operator plain_table = {
    .size = sizeof plain_table,
    .create = plain_create,
    .destroy = plain_destroy,
    .bind = plain_bind,
    .lane_create = plain_lane_create,
    .lane_destroy = plain_lane_destroy,
    .begin = plain_begin,
    .process = plain_process,
};

#define PLAIN_COMPONENT(component_name, component_table)                                           \
    { .size = sizeof(struct weir_component), .kind = WEIR_KIND_OPERATOR, .name = component_name,   \
      .summary = "Does nothing", .table = &component_table }

#define PLAIN_PLUGIN(list)                                                                         \
    { sizeof(struct weir_plugin), MAJOR, MINOR, 0, ID, VERSION, "MIT", WEIR_SDK_VERSION, list,     \
      sizeof *list, sizeof list / sizeof *list }

#endif
