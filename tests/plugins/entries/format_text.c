/* The module format_text under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_format_text
#include "plugins/format_text/text.c"
