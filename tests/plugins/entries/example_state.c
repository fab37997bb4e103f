/* The example of state functions in C under an entry of its own. */
#define weir_plugin_entry_v1 entry_example_state
#include "examples/state/state.c"
