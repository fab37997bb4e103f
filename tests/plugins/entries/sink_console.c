/* The module sink_console under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_sink_console
#include "plugins/sink_console/console.c"
