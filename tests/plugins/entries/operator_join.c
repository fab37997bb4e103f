/* The module operator_join under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_join
#include "plugins/operator_join/module.c"
