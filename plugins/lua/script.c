/*
 * script.c - see the header. Code is a part of the job, so its file is read by the check, too; it
 * does not go through weir.io/1, which is for data.
 */
#include "plugins/lua/script.h"

#include <errno.h>
#include <stdio.h>

#include "plugins/share/option.h"

#define FILE_BYTES_MAX (16u << 20)

static int32_t read_stream(struct script *s, FILE *file, const char *path, struct weir_error *error)
{
    uint64_t room = 0;
    for (;;) {
        if (s->length + 4096 > room) {
            char *more = s->host->realloc(s->text, room = room ? room * 2 : 65536);
            if (!more) return no_memory(error);
            s->text = more;
        }
        size_t n = fread(s->text + s->length, 1, room - s->length, file);
        s->length += n;
        if (n == 0) break;
        if (s->length > FILE_BYTES_MAX)
            return weir_fail_option(error, s->at, -1, "%s is larger than 16 MiB", path);
    }
    if (ferror(file))
        return weir_fail_option(error, s->at, -1, "%s can't be read: %s", path, strerror(errno));
    return WEIR_OK;
}

static int32_t read_file(struct script *s, const char *path, struct weir_error *error)
{
    const char *slash = strrchr(path, '/');
    FILE *file = fopen(path, "re");
    s->name = slash ? slash + 1 : path;
    if (!file)
        return weir_fail_option(error, s->at, -1, "%s can't be opened: %s%s", path, strerror(errno),
                                *path == '/' ? "" : " (paths go by the directory that weir is started in)");
    int32_t result = read_stream(s, file, path, error);
    fclose(file);
    return result;
}

static int32_t take_source(struct script *s, const struct weir_value *source,
                           struct weir_error *error)
{
    s->name = "lua";
    s->text = s->host->alloc(source->length + 1);
    if (!s->text) return no_memory(error);
    memcpy(s->text, source->text, source->length);
    s->length = source->length;
    return WEIR_OK;
}

static int32_t read_limits(struct script *s, int nested, struct weir_error *error)
{
    const char *instructions = nested ? "lua.instructions" : "instructions";
    const char *memory = nested ? "lua.memory" : "memory";
    int64_t bytes = option_integer(s->host, s->context, memory, 64 << 20);
    s->instructions = option_integer(s->host, s->context, instructions, 10000000);
    if (s->instructions < 1)
        return weir_fail_option(error, instructions, -1, "a call needs at least 1 instruction");
    if (bytes < 1 << 20)
        return weir_fail_option(error, memory, -1, "a Lua state needs at least 1Mi");
    s->memory_bytes = (uint64_t)bytes;
    return WEIR_OK;
}

int32_t script_read(struct script *s, const struct weir_host *host, struct weir_context *context,
                    int nested, struct weir_error *error)
{
    struct weir_value source;
    const char *file_option = nested ? "lua.file" : "file";
    const char *source_option = nested ? "lua.source" : "source";
    s->host = host;
    s->context = context;
    s->at_function = nested ? "lua.function" : "function";
    s->function = option_text(host, context, s->at_function, NULL);
    const char *file = option_text(host, context, file_option, NULL);
    int given = option_get(host, context, source_option, &source);
    s->at = file ? file_option : source_option;
    if (file && given)
        return weir_fail_option(error, source_option, -1, "give either `file` or `source`");
    if (!file && !given)
        return weir_fail_option(error, nested ? "lua" : "source", -1,
                                "the code is missing: give `file` or `source`");
    if (!s->function)
        return weir_fail_option(error, nested ? "lua" : s->at_function, -1,
                                "`function` is missing: the name of the function to call");
    int32_t result = read_limits(s, nested, error);
    if (result != WEIR_OK) return result;
    return file ? read_file(s, file, error) : take_source(s, &source, error);
}

void script_free(struct script *s)
{
    if (s->host) s->host->free(s->text);
    s->text = NULL;
}
