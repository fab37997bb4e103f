/*
 * weir/plugin.h - what a module exports. Include this one header in a plugin.
 *
 *     static const struct weir_component components[] = { … };
 *     static const struct weir_plugin plugin = { sizeof plugin, WEIR_ABI_MAJOR, 0, 0,
 *                                               "org.example.x",
 *                                               "1.0", "MIT", WEIR_SDK_VERSION, components,
 *                                               sizeof *components, 1 };
 *     WEIR_PLUGIN(plugin)
 *
 * The descriptor is constant and valid for ever. Everything that `weir inspect` and the check
 * of a job need stands in it, so no instance code runs for them.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <weir/expr.h>
#include <weir/format.h>
#include <weir/function.h>
#include <weir/io.h>
#include <weir/operator.h>
#include <weir/sink.h>
#include <weir/source.h>
#include <weir/state.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_KIND_SOURCE 1u
#define WEIR_KIND_FORMAT 2u
#define WEIR_KIND_OPERATOR 3u
#define WEIR_KIND_SINK 4u
#define WEIR_KIND_SCALAR 5u
#define WEIR_KIND_AGGREGATE 6u

/* Capabilities: claims that the host relies on and that `weir check-plugin` tests. */
#define WEIR_CAP_SELECTION 1u          /* operator, sink: reads weir_chunk.selection */
#define WEIR_CAP_DETERMINISTIC 2u      /* operator, function: see operator.h */
#define WEIR_CAP_REPLAYABLE 4u         /* source: replay_to works, also after a restart */
#define WEIR_CAP_BYTES 8u              /* source: delivers bytes for a format */
#define WEIR_CAP_RECORDS 16u           /* source: each row of `bytes` is one record */
#define WEIR_CAP_SERIAL 32u            /* source: one `next` at a time for the instance */
#define WEIR_CAP_ABSENT_INPUT 64u      /* operator: runs with absent inputs */
#define WEIR_CAP_NULL_IN_NULL_OUT 128u /* scalar: null if any argument is */
#define WEIR_CAP_MAY_FAIL 256u         /* scalar: may set `failed` */
#define WEIR_CAP_NEEDS_FORMAT 512u     /* the job must name a format (or the default) */
#define WEIR_CAP_MANY_INPUTS 1024u     /* operator: keeps its inputs apart (join); without it a list
                                          in `from` is their union */
#define WEIR_CAP_TICK_SENSITIVE 2048u  /* source: in a ticking job reads up to T (file, rate) */
#define WEIR_CAP_READS_NOTHING 4096u   /* sink: discards (null); lets rows be skipped */

struct weir_interface {
    const char *id;
    const void *table;
};

struct weir_component {
    uint32_t size; /* bytes of this struct; the stride of the list */
    uint32_t kind; /* WEIR_KIND_… */
    const char *name;
    const char *summary;                 /* one line */
    const struct weir_option *options;   /* may be NULL */
    uint32_t n_options;
    uint32_t min_args;                   /* functions */
    uint32_t max_args;                   /* functions; UINT32_MAX: any number */
    uint32_t level;                      /* sinks: WEIR_SINK_… */
    uint32_t accepts;                    /* sinks: WEIR_FORM_… bits, at most */
    uint32_t state_reads;                /* oldest version of its state that it reads */
    uint32_t state_writes;               /* version that it writes; 0: no state */
    uint32_t reserved;
    uint64_t capabilities;               /* WEIR_CAP_… */
    const void *table;                   /* struct weir_source, … by kind */
    const struct weir_interface *interfaces; /* optional ones, by id */
    uint32_t n_interfaces;
    uint32_t reserved2;
};

struct weir_plugin {
    uint32_t size;
    uint32_t abi_major;      /* WEIR_ABI_MAJOR */
    uint32_t abi_minor;      /* least minor of the host that it needs */
    uint32_t reserved;
    const char *id;          /* "org.example.frobnicate" */
    const char *version;
    const char *licence;
    const char *sdk_version; /* WEIR_SDK_VERSION */
    const struct weir_component *components;
    uint32_t component_size; /* sizeof *components */
    uint32_t n_components;
};

/* Purpose: the one exported function.
 * Thread and state: [control], also in the probe process; constant time, no side effects.
 * Ownership: host and result are constant and valid for ever.
 * Returns: the descriptor; NULL with `error` filled where the host won't do.
 * On failure: the module is refused with the text. */
typedef const struct weir_plugin *(*weir_plugin_entry_fn)(const struct weir_host *host,
                                                         struct weir_error *error);

#define WEIR_PLUGIN_ENTRY "weir_plugin_entry_v1"

#ifdef __cplusplus
#define WEIR_ENTRY_LINKAGE extern "C"
#else
#define WEIR_ENTRY_LINKAGE
#endif

/* Defines the entry function of a module whose descriptor is `descriptor`. */
#define WEIR_PLUGIN(descriptor)                                                                    \
    WEIR_ENTRY_LINKAGE WEIR_EXPORT const struct weir_plugin *weir_plugin_entry_v1(                 \
        const struct weir_host *host, struct weir_error *error);                                   \
    WEIR_ENTRY_LINKAGE WEIR_EXPORT const struct weir_plugin *weir_plugin_entry_v1(                 \
        const struct weir_host *host, struct weir_error *error)                                    \
    {                                                                                              \
        (void)host;                                                                                \
        (void)error;                                                                               \
        return &descriptor;                                                                        \
    }

#ifdef __cplusplus
}
#endif
#endif
