/* The module format_json under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_format_json
#include "plugins/format_json/json.c"
