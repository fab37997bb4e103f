/* The module operator_basic under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_operator_basic
#include "plugins/operator_basic/module.c"
