/* The module format_csv under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_format_csv
#include "plugins/format_csv/csv.c"
