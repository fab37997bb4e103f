/* The module source_file under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_source_file
#include "plugins/source_file/file.c"
