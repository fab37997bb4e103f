/* The module operator_window under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_window
#include "plugins/operator_window/module.c"
