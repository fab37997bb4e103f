/*
 * plain.c - the right one; with -DMINOR=6 it needs a newer host, with -DMAJOR=2 another one.
 */
#include "plain.h"

static const struct weir_component components[] = { PLAIN_COMPONENT(NAME, plain_table) };
static const struct weir_plugin plugin = PLAIN_PLUGIN(components);

WEIR_PLUGIN(plugin)
