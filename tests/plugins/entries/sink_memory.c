/* The module sink_memory under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_sink_memory
#include "plugins/sink_memory/memory.c"
