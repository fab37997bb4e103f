/* The module source_socket under an entry of its own, so that a test can link several. */
#define weir_plugin_entry_v1 entry_source_socket
#include "plugins/source_socket/socket.c"
