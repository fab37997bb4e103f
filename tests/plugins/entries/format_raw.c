/* The module format_raw under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_format_raw
#include "plugins/format_raw/raw.c"
