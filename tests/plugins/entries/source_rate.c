/* The module source_rate under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_source_rate
#include "plugins/source_rate/rate.c"
