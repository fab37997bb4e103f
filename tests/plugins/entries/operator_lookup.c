/* The module operator_lookup under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_lookup
#include "plugins/operator_lookup/module.c"
