/* The module source_queue under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_source_queue
#include "plugins/source_queue/queue.c"
