/*
 * unique.cc - a C++ module with an inline static that is one per process.
 */
#include <weir/plugin.h>

template <typename T> struct __attribute__((visibility("default"))) counter {
    static inline int value = 0;
};

extern "C" WEIR_EXPORT const struct weir_plugin *weir_plugin_entry_v1(const struct weir_host *,
                                                                     struct weir_error *)
{
    counter<int>::value++;
    return nullptr;
}
