/* The module operator_group under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_group
#include "plugins/operator_group/module.c"
