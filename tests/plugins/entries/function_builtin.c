/* The module function_builtin under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_function_builtin
#include "plugins/function_builtin/module.c"
