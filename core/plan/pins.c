/*
 * pins.c - the job's pins: the modules that it names must be of the version, or be the very files, that it names.
 */
#include "core/plan/bind.h"

#include <string.h>

static int fits(const struct module_info *module, const struct job_pin *pin)
{
    if (strncmp(pin->version, "sha256:", 7) == 0)
        return strncmp(module->hash, pin->version + 7, strlen(pin->version + 7)) == 0;
    return module->version && strcmp(module->version, pin->version) == 0;
}

static const struct module_info *find_module(const struct registry *registry, const char *id)
{
    for (uint32_t i = 0; i < registry_modules(registry); i++) {
        const struct module_info *module = registry_module(registry, i);
        if (!module->refusal && module->id && strcmp(module->id, id) == 0) return module;
    }
    return NULL;
}

int plan_pins(const struct plan *plan, struct report *report)
{
    int good = 1;
    for (uint32_t i = 0; i < plan->job->n_pins; i++) {
        const struct job_pin *pin = &plan->job->pins[i];
        const struct module_info *module = find_module(plan->registry, pin->module);
        if (module && fits(module, pin)) continue;
        good = 0;
        if (!module)
            report_add(report, REPORT_ERROR, pin->place, "plugins",
                       "there is no module \"%s\": install it, or take the pin out", pin->module);
        else
            report_add(report, REPORT_ERROR, pin->place, "plugins",
                       "\"%s\" is pinned to %s, but %s has version %s, sha256:%.12s: install "
                       "the one that is pinned, or change the pin",
                       pin->module, pin->version, module->file, module->version, module->hash);
    }
    return good;
}
