/* The module sink_socket under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_sink_socket
#include "plugins/sink_socket/socket.c"
