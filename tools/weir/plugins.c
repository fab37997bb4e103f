#define _GNU_SOURCE
#include "tools/weir/plugins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int read_argument(struct plugins *p, int argc, char **argv, int *i, const char *wanted)
{
    const char *word = argv[*i];
    if (strcmp(word, "--json") == 0) {
        p->json = 1;
    } else if (strcmp(word, "--plugin-path") == 0 && *i + 1 < argc) {
        p->paths[p->n_paths++] = argv[++*i];
    } else if (strncmp(word, "--plugin-path=", 14) == 0) {
        p->paths[p->n_paths++] = word + 14;
    } else if (wanted && word[0] != '-' && !p->name) {
        p->name = word;
    } else {
        return -1;
    }
    return 0;
}

int plugins_open(struct plugins *p, int argc, char **argv, const char *usage, const char *wanted)
{
    struct weir_error error = WEIR_ERROR_INIT;
    memset(p, 0, sizeof *p);
    p->paths = calloc((size_t)argc + 1, sizeof(*p->paths));
    if (!p->paths) {
        fputs("weir: no memory\n", stderr);
        return EX_OSERR;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            plugins_close(p);
            return -1;
        }
        if (read_argument(p, argc, argv, &i, wanted) != 0) {
            fprintf(stderr, "weir %s: `%s` is not understood\n%s", argv[0], argv[i], usage);
            plugins_close(p);
            return EX_USAGE;
        }
    }
    if (wanted && !p->name) {
        fprintf(stderr, "weir %s: %s is missing\n%s", argv[0], wanted, usage);
        plugins_close(p);
        return EX_USAGE;
    }
    /* The modules are real files; nothing of a job runs here, so no sys is needed. */
    struct registry_options options = { p->paths, p->n_paths, NULL, NULL, 0 };
    if (registry_create(NULL, &options, &p->registry, &error) == WEIR_OK) return 0;
    fprintf(stderr, "weir %s: %s\n", argv[0], error.text);
    plugins_close(p);
    return error.error_class == WEIR_FATAL ? EX_OSERR : EX_CONFIG;
}

void plugins_close(struct plugins *p)
{
    registry_destroy(p->registry);
    free(p->paths);
    memset(p, 0, sizeof *p);
}

json_t *plugins_module_json(const struct module_info *m)
{
    json_t *json = json_pack("{ss}", "file", m->file);
    if (!json) return NULL;
    if (*m->id) json_object_set_new(json, "id", json_string(m->id));
    if (*m->version) json_object_set_new(json, "version", json_string(m->version));
    if (*m->licence) json_object_set_new(json, "licence", json_string(m->licence));
    if (*m->sdk) json_object_set_new(json, "sdk", json_string(m->sdk));
    if (*m->hash) json_object_set_new(json, "hash", json_string(m->hash));
    return json;
}

int plugins_print(json_t *json)
{
    int result = json ? 0 : EX_OSERR;
    if (json && (json_dumpf(json, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF ||
                 fflush(stdout) != 0))
        result = EX_IOERR;
    json_decref(json);
    if (result == EX_OSERR) fputs("weir: no memory\n", stderr);
    if (result == EX_IOERR) fputs("weir: standard output failed\n", stderr);
    return result;
}

char *plugins_qualified(const struct component_info *component)
{
    char *text;
    return asprintf(&text, "%s/%s", component->module->id, component->name) < 0 ? NULL : text;
}
