/* The module sink_file under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_sink_file
#include "plugins/sink_file/file.c"
