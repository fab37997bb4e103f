/* The module operator_lua under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_lua
#include "plugins/operator_lua/module.c"
