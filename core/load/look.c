/*
 * look.c - the probe process: loads one module, reads its descriptor, says so as JSON.
 *
 * What may happen here is anything, since code of the module runs: that is why it happens here. The
 * process limits itself first (processor time, memory, no core file, ends with its parent), and
 * takes the default action for deadly signals, so that its end tells the truth.
 *
 * Answer: the descriptor as in describe.c, or
 *
 *     {"refusal": "needs …; …: …", "lasting": true, "id": "…", "version": "…",
 *      "names": ["sink/kafka", …]}
 *
 * id, version and names are there as far as the descriptor could be read. lasting: true where the
 * module's bytes alone decide; libraries that are missing may come tomorrow. The process leaves by
 * _exit: destructors are not asked.
 *
 * A symbol that no library of the module has, but the process has, was bound to the host by
 * accident: such a module works in one build of weir and not in the next, so it is refused.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/data/array.h"
#include "core/load/context.h"
#include "core/load/copy.h"
#include "core/load/descriptor.h"
#include "core/load/elf.h"
#include "core/load/probe.h"
#include "core/load/why.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED 1
#endif
#endif

struct look {
    const char *file;
    char *bytes;
    size_t n;
    void *handle;
    const struct weir_plugin *plugin;
    int lasting;
    char libraries[256];
    char why[512];
};

static void limit(int resource, rlim_t most)
{
    struct rlimit r;
    if (getrlimit(resource, &r) != 0) return;
    if (r.rlim_max != RLIM_INFINITY && r.rlim_max < most) most = r.rlim_max;
    r.rlim_cur = most;
    setrlimit(resource, &r);
}

static void limit_process(void)
{
    static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, 5);
#ifndef SHADOWED
    limit(RLIMIT_AS, (rlim_t)8 << 30);
#endif
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_DFL);
}

static int add_library(void *arg, const char *name)
{
    struct look *look = arg;
    size_t n = strlen(look->libraries);
    snprintf(look->libraries + n, sizeof look->libraries - n, "%s%s", n ? ", " : "", name);
    return 0;
}

/* dlerror's text as need, have, remedy. */
static int explain(struct look *look, const char *text, char *why, size_t size)
{
    static const char undefined[] = "undefined symbol: ", missing[] = ": cannot open shared object";
    size_t n = strlen(look->file);
    if (strncmp(text, look->file, n) == 0 && strncmp(text + n, ": ", 2) == 0) text += n + 2;
    const char *at = strstr(text, missing);
    if (at)
        return refuse("needs the library %.*s; the loader says: %s: install the package that "
                      "has it, or add its directory to /etc/ld.so.conf.d", (int)(at - text),
                      text, text);
    if (strncmp(text, undefined, sizeof undefined - 1) == 0) {
        elf_needed(look->bytes, look->n, add_library, look);
        return refuse("needs the symbol `%s`; none of its libraries (%s) has it: link it with the "
                      "one that does, -Wl,-z,defs finds such gaps", text + sizeof undefined - 1,
                      look->libraries);
    }
    return refuse("needs to be loadable; the loader says: %s: build or install it for this system",
                  text);
}

static int is_sanitizer(const char *name)
{
    static const char *const known[] = { "__asan_", "__ubsan_", "__tsan_", "__lsan_", "__msan_",
                                         "__sanitizer_", "__gcov_", "__llvm_" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(name, known[i], strlen(known[i])) == 0) return 1;
    return 0;
}

static int check_import(void *arg, const char *name)
{
    struct look *look = arg;
    if (is_sanitizer(name) || dlsym(look->handle, name) || !dlsym(RTLD_DEFAULT, name)) return 0;
    elf_needed(look->bytes, look->n, add_library, look);
    look->lasting = 1;
    return why_not(look->why, sizeof look->why, "needs the symbol `%s`, which the host happens to "
                   "have; none of its own libraries (%s) has it: link it with the one that does",
                   name, look->libraries);
}

static int load(struct look *look)
{
    struct stat s;
    if (lstat(look->file, &s) != 0)
        return why_not(look->why, sizeof look->why, "needs to be readable; %s: give another file",
                       strerror(errno));
    if (module_bytes(look->file, &s, &look->bytes, &look->n, look->why, sizeof look->why) != 0)
        return -1;
    if (elf_check(look->bytes, look->n, look->why, sizeof look->why) != 0) {
        look->lasting = 1;
        return -1;
    }
    look->handle = dlopen(look->file, RTLD_NOW | RTLD_LOCAL);
    if (!look->handle) return explain(look, dlerror(), look->why, sizeof look->why);
    return elf_imports(look->bytes, look->n, check_import, look);
}

static int describe(struct look *look)
{
    struct weir_error error = WEIR_ERROR_INIT;
    weir_plugin_entry_fn entry;
    void *symbol = dlsym(look->handle, WEIR_PLUGIN_ENTRY);
    memcpy(&entry, &symbol, sizeof entry);
    if (!entry)
        return why_not(look->why, sizeof look->why, "needs " WEIR_PLUGIN_ENTRY "; the loader does "
                       "not find it: build it again");
    look->plugin = entry(&weir_host_1, &error);
    if (!look->plugin) {
        error.text[sizeof error.text - 1] = 0;
        return why_not(look->why, sizeof look->why, "needs what its entry function asks for; it "
                       "says: %.300s: do as it says or take it out of the directory",
                       error.text[0] ? error.text : "nothing");
    }
    look->lasting = 1;
    return descriptor_check(look->plugin, 1, look->why, sizeof look->why);
}

/* What is known of a module that is refused; the descriptor of ABI 1 only grows at its tail. */
static void add_names(json_t *refusal, const struct weir_plugin *plugin)
{
    if (!plugin || plugin->abi_major != WEIR_ABI_MAJOR || plugin->size < sizeof *plugin) return;
    json_object_set_new(refusal, "id", json_string(plugin->id));
    json_object_set_new(refusal, "version", json_string(plugin->version));
    if (!plugin->components || plugin->n_components > 1024 ||
        plugin->component_size < sizeof *plugin->components)
        return;
    json_t *names = json_array();
    for (uint32_t i = 0; i < plugin->n_components; i++) {
        const struct weir_component *c = descriptor_component(plugin, i);
        if (kind_name(c->kind) && c->name)
            json_array_append_new(names, json_sprintf("%s/%s", kind_name(c->kind), c->name));
    }
    json_object_set_new(refusal, "names", names);
}

static int answer(const json_t *json, int status)
{
    char *text = json_dumps(json, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    for (size_t done = 0; done < n;) {
        ssize_t put = write(1, text + done, n - done);
        if (put < 0 && errno != EINTR) _exit(3);
        if (put > 0) done += (size_t)put;
    }
    _exit(text ? status : 3);
}

int registry_probe_main(const char *file)
{
    struct look look = { .file = file };
    limit_process();
    if (load(&look) == 0 && describe(&look) == 0)
        return answer(descriptor_to_json(look.plugin), 0);
    for (char *p = look.why; *p && !utf8_valid((uint8_t *)look.why, strlen(look.why)); p++)
        if (*p & 0x80) *p = '?';
    json_t *refusal = probe_refusal(look.why, look.lasting);
    if (!refusal) _exit(3);
    add_names(refusal, look.plugin);
    return answer(refusal, 1);
}

/* Any program that has a registry is its own probe: it answers to `PROGRAM --probe FILE` before its main. Otherwise a
 * program that forgot to would run itself again for every module, and each of those again. */
__attribute__((constructor)) static void be_a_probe(int argc, char **argv)
{
    if (argc == 3 && argv && argv[1] && strcmp(argv[1], "--probe") == 0)
        exit(registry_probe_main(argv[2]));
}
