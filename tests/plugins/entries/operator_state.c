/* The module operator_state under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_state
#include "plugins/operator_state/module.c"
