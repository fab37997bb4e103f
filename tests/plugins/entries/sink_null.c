/* The module sink_null under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_sink_null
#include "plugins/sink_null/null.c"
