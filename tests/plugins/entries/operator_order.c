/* The module operator_order under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_order
#include "plugins/operator_order/module.c"
