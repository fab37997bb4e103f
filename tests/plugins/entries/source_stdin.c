/* The module source_stdin under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_source_stdin
#include "plugins/source_stdin/stdin.c"
