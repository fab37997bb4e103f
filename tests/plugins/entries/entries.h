/*
 * entries.h - the entries of the modules that are linked into tests.
 */
#ifndef TESTS_ENTRIES_H
#define TESTS_ENTRIES_H

#include <weir/plugin.h>

#define ENTRY(name) const struct weir_plugin *name(const struct weir_host *, struct weir_error *)

ENTRY(entry_format_text);
ENTRY(entry_format_csv);
ENTRY(entry_format_json);
ENTRY(entry_format_raw);
ENTRY(entry_source_file);
ENTRY(entry_source_socket);
ENTRY(entry_source_queue);
ENTRY(entry_source_rate);
ENTRY(entry_source_stdin);
ENTRY(entry_sink_console);
ENTRY(entry_sink_file);
ENTRY(entry_sink_memory);
ENTRY(entry_sink_null);
ENTRY(entry_sink_socket);

#endif
