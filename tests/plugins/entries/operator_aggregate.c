/* The module operator_aggregate under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_aggregate
#include "plugins/operator_aggregate/module.c"
