/* The module operator_deduplicate under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_deduplicate
#include "plugins/operator_deduplicate/module.c"
