/*
 * identity.c - weir.json.
 *
 *   {"weir":"checkpoint","format":1,"job":"…","id":"<32 hex>","salt":"<16 hex>","check":"<8 hex>"}
 *
 * 1. It is written once, the last thing when a checkpoint is made, after lock and first segment are
 *    durable by content and name: a temporary file, sync, rename, sync of the directory.
 * 2. It is never written again and never replaced. A directory with anything in it but the
 *    leftovers of an unfinished making (see vacant in log.c) and no weir.json is refused.
 * 3. `check` is the CRC-32C of "<format>\n<job>\n<id>\n<salt>": a flipped bit in the salt would
 *    make every record look like a torn tail.
 * 4. A greater format is refused before anything else is looked at.
 */
#include "core/log/identity.h"

#include "core/data/block.h"
#include "core/sys/planted.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define IDENTITY_LIMIT 65536u

static uint32_t identity_check(const struct identity *identity, const char *salt)
{
    char format[16];
    uint32_t crc;

    snprintf(format, sizeof format, "%u\n", IDENTITY_FORMAT);
    crc = crc32c(0, format, strlen(format));
    crc = crc32c(crc, identity->job, strlen(identity->job));
    crc = crc32c(crc, "\n", 1);
    crc = crc32c(crc, identity->id, 32);
    crc = crc32c(crc, "\n", 1);
    return crc32c(crc, salt, 16);
}

static int hex_only(const char *text, size_t n)
{
    return text && strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

static int32_t identity_parse(const char *path, const char *text, size_t length,
                              struct identity *out, struct weir_error *error)
{
    json_error_t where;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    const char *weir, *job, *id, *salt, *check;
    json_int_t format;
    char want[9];
    int32_t class = WEIR_OK;

    if (!root)
        return weir_fail(error, WEIR_DATA, "%.300s: offset %d: damaged: %.120s", path,
                         where.position, where.text);
    format = json_integer_value(json_object_get(root, "format"));
    weir = json_string_value(json_object_get(root, "weir"));
    job = json_string_value(json_object_get(root, "job"));
    id = json_string_value(json_object_get(root, "id"));
    salt = json_string_value(json_object_get(root, "salt"));
    check = json_string_value(json_object_get(root, "check"));
    if (weir && strcmp(weir, "checkpoint") == 0 && format > (json_int_t)IDENTITY_FORMAT) {
        class = weir_fail(error, WEIR_CONFIG,
                          "%.300s: the checkpoint has format %lld, this weir knows up to %u; "
                          "use the newer weir", path, (long long)format, IDENTITY_FORMAT);
        goto done;
    }
    if (!weir || strcmp(weir, "checkpoint") != 0 || format != (json_int_t)IDENTITY_FORMAT || !job ||
        !hex_only(id, 32) || !hex_only(salt, 16) || !hex_only(check, 8)) {
        class = weir_fail(error, WEIR_DATA, "%.300s: offset 0: damaged: not an identity", path);
        goto done;
    }
    out->job = mem_text(job);
    if (!out->job) {
        class = weir_fail(error, WEIR_FATAL, "%.300s: no memory", path);
        goto done;
    }
    memcpy(out->id, id, 33);
    out->salt = strtoull(salt, NULL, 16);
    snprintf(want, sizeof want, "%08x", identity_check(out, salt));
    if (strcmp(want, check) != 0)
        class = weir_fail(error, WEIR_DATA, "%.300s: offset 0: damaged: checksum does not match",
                          path);
done:
    json_decref(root);
    return class;
}

int32_t identity_read(const struct log_dir *dir, struct identity *out, int *found,
                      struct weir_error *error)
{
    char path[PATH_MAX_BYTES];
    char *text = NULL;
    size_t length = 0;
    int32_t class;
    int rc;

    memset(out, 0, sizeof *out);
    *found = 0;
    dir_file(dir, "weir.json", path);
    rc = sys_read_file(dir->sys, path, IDENTITY_LIMIT, &text, &length);
    if (rc == -ENOENT)
        return WEIR_OK;
    if (rc == -EFBIG)
        return weir_fail(error, WEIR_DATA, "%.300s: offset %u: damaged: too long", path,
                         IDENTITY_LIMIT);
    if (rc < 0)
        return file_fail(error, rc, "read", path);
    *found = 1;
    class = identity_parse(path, text, length, out, error);
    free(text);
    if (class != WEIR_OK)
        identity_fini(out);
    return class;
}

int32_t identity_match(const struct log_dir *dir, const struct identity *identity, const char *job,
                       struct weir_error *error)
{
    if (!job || strcmp(job, identity->job) == 0)
        return WEIR_OK;
    return weir_fail(error, WEIR_CONFIG,
                     "%.200s: the checkpoint belongs to job \"%.100s\", not to \"%.100s\": give this "
                     "job another checkpoint, or its name back", dir->path, identity->job, job);
}

int32_t identity_mint(const struct log_dir *dir, const char *job, struct identity *out,
                      struct weir_error *error)
{
    uint8_t chance[24];
    uint32_t i;

    memset(out, 0, sizeof *out);
    out->job = mem_text(job);
    if (!out->job)
        return weir_fail(error, WEIR_FATAL, "%.300s: no memory", dir->path);
    sys_random(dir->sys, chance, sizeof chance);
    for (i = 0; i < 16; i++)
        snprintf(out->id + (size_t)i * 2, 3, "%02x", chance[i]);
    out->salt = get_u64(chance + 16);
    return WEIR_OK;
}

/* The text of weir.json; free()d by the caller. */
static char *identity_text(const struct identity *identity)
{
    char salt[17], check[9];
    json_t *root;
    char *text = NULL;

    snprintf(salt, sizeof salt, "%016llx", (unsigned long long)identity->salt);
    snprintf(check, sizeof check, "%08x", identity_check(identity, salt));
    root = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "weir", "checkpoint", "format",
                     (int)IDENTITY_FORMAT, "job", identity->job, "id", identity->id, "salt", salt,
                     "check", check);
    if (root)
        text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(root);
    return text;
}

int32_t identity_write(const struct log_dir *dir, const struct identity *identity,
                       struct weir_error *error)
{
    char path[PATH_MAX_BYTES], temporary[PATH_MAX_BYTES];
    char *text = identity_text(identity);
    int fd, rc;

    if (!text)
        return weir_fail(error, WEIR_CONFIG, "job name \"%.100s\" is not UTF-8, or no memory",
                         identity->job);
    dir_file(dir, "weir.json", path);
    dir_file(dir, "weir.json.tmp", temporary);
    fd = sys_open(dir->sys, temporary, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE);
    rc = fd;
    if (rc >= 0)
        rc = file_write(dir->sys, fd, text, strlen(text), 0);
    if (rc >= 0 && !planted(PLANTED_LOG_IDENTITY))
        rc = sys_sync(dir->sys, fd);
    if (fd >= 0)
        sys_close(dir->sys, fd);
    free(text);
    if (rc < 0)
        return file_fail(error, rc, "write", temporary);
    rc = sys_rename(dir->sys, temporary, path);
    if (rc < 0)
        return file_fail(error, rc, "rename", temporary);
    return dir_sync(dir, error);
}

void identity_id(const struct identity *identity, uint8_t out[16])
{
    uint32_t i;

    for (i = 0; i < 16; i++) {
        char pair[3] = {identity->id[i * 2], identity->id[i * 2 + 1], 0};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

void identity_fini(struct identity *identity)
{
    mem_free(identity->job);
    memset(identity, 0, sizeof *identity);
}
