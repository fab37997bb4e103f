/*
 * manifest.c - lines of JSON in a fixed order of members, each with a CRC-32C of itself:
 *
 *     {"batch":7,"part":1,"of":2,"file":"part-7-0.csv","bytes":1234,"crc":"0a1b2c3d"}
 *     {"batch":7,"part":2,"of":2,"open":".part-3-0","as":"part-3-0.csv","since_us":0,"bytes":99,"crc":"…"}
 *
 *  1. The CRC covers the bytes of the line before `,"crc"`.
 *  2. A batch counts once its last line is there: `part` equals `of`.
 *  3. A batch is appended by one write after the one before was synced. So a bad line with the
 *     first line of a later batch behind it is damage; without one it belongs to the torn tail of
 *     an append that was never answered, which may have holes anywhere, and whoever owns the
 *     directory cuts it off.
 */
#include "plugins/share/manifest.h"

#include "plugins/share/render.h"
#include "plugins/share/text.h"

static int32_t put(const struct weir_host *host, struct weir_buffer *out, const char *text)
{
    return render_bytes(host, text, strlen(text), out);
}

static int32_t put_name(const struct weir_host *host, struct weir_buffer *out, const char *member,
                        const char *name)
{
    int32_t status = put(host, out, member);
    return status == WEIR_OK ? render_json_string(host, name, strlen(name), out) : status;
}

int32_t manifest_line(const struct weir_host *host, const struct manifest_entry *entry,
                      struct weir_buffer *out)
{
    uint64_t from = out->length;
    char text[120];
    int32_t status;
    snprintf(text, sizeof text, "{\"batch\":%llu,\"part\":%u,\"of\":%u",
             (unsigned long long)entry->batch, entry->part, entry->of);
    status = put(host, out, text);
    if (status == WEIR_OK && entry->kind == MANIFEST_WHOLE)
        status = put_name(host, out, ",\"file\":", entry->name);
    if (status == WEIR_OK && entry->kind == MANIFEST_OPEN) {
        status = put_name(host, out, ",\"open\":", entry->name);
        if (status == WEIR_OK) status = put_name(host, out, ",\"as\":", entry->final_name);
        snprintf(text, sizeof text, ",\"since_us\":%lld", (long long)entry->since_us);
        if (status == WEIR_OK) status = put(host, out, text);
    }
    snprintf(text, sizeof text, ",\"bytes\":%llu", (unsigned long long)entry->bytes);
    if (status == WEIR_OK) status = put(host, out, text);
    if (status != WEIR_OK) return status;
    snprintf(text, sizeof text, ",\"crc\":\"%08x\"}\n",
             crc32c_of(out->data + from, out->length - from));
    return put(host, out, text);
}

/* A reader over one line. */
struct cursor {
    const char *at, *end;
    int bad;
};

static void expect(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) c->bad = 1;
    else c->at += n;
}

static int accept_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    if (c->bad || (size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return 0;
    c->at += n;
    return 1;
}

static int64_t take_number(struct cursor *c)
{
    size_t n = 0;
    int64_t value = 0;
    while (c->at + n < c->end && (c->at[n] == '-' || (c->at[n] >= '0' && c->at[n] <= '9'))) n++;
    if (!text_to_int(c->at, n, INT64_MIN, INT64_MAX, &value)) c->bad = 1;
    c->at += n;
    return value;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A string as render_json_string writes it. */
static void take_name(struct cursor *c, char *out)
{
    size_t n = 0;
    expect(c, "\"");
    while (!c->bad && c->at < c->end && *c->at != '"' && n + 1 < MANIFEST_NAME_MAX) {
        char byte = *c->at++;
        if (byte == '\\' && c->at < c->end) {
            byte = *c->at++;
            if (byte == 'n') byte = '\n';
            else if (byte == 'r') byte = '\r';
            else if (byte == 't') byte = '\t';
            else if (byte == 'u' && c->end - c->at >= 4) {
                int high = hex_digit(c->at[2]), low = hex_digit(c->at[3]);
                if (high < 0 || low < 0) c->bad = 1;
                byte = (char)(high * 16 + low);
                c->at += 4;
            }
        }
        out[n++] = byte;
    }
    out[n] = 0;
    expect(c, "\"");
}

/* 1 if the line (without its feed) is whole. */
static int parse(const char *line, size_t n, struct manifest_entry *entry, char *name,
                 char *final_name)
{
    struct cursor c = { line, line + n, 0 };
    char crc[24];
    memset(entry, 0, sizeof *entry);
    if (n < 20) return 0;
    snprintf(crc, sizeof crc, ",\"crc\":\"%08x\"}", crc32c_of(line, n - 18));
    if (memcmp(line + n - 18, crc, 18) != 0) return 0;
    c.end -= 18;
    expect(&c, "{\"batch\":");
    entry->batch = (uint64_t)take_number(&c);
    expect(&c, ",\"part\":");
    entry->part = (uint32_t)take_number(&c);
    expect(&c, ",\"of\":");
    entry->of = (uint32_t)take_number(&c);
    entry->name = name;
    entry->final_name = final_name;
    if (accept_word(&c, ",\"file\":")) {
        entry->kind = MANIFEST_WHOLE;
        take_name(&c, name);
    } else {
        entry->kind = MANIFEST_OPEN;
        expect(&c, ",\"open\":");
        take_name(&c, name);
        expect(&c, ",\"as\":");
        take_name(&c, final_name);
        expect(&c, ",\"since_us\":");
        entry->since_us = take_number(&c);
    }
    expect(&c, ",\"bytes\":");
    entry->bytes = (uint64_t)take_number(&c);
    return !c.bad && c.at == c.end && entry->part >= 1 && entry->part <= entry->of;
}

/* The line at `at`: 1 if it is whole; *next is behind it. */
static int line_at(struct weir_bytes text, uint64_t at, uint64_t *next,
                   struct manifest_entry *entry, char *name, char *final_name)
{
    const uint8_t *feed = memchr(text.data + at, '\n', text.length - at);
    size_t n = feed ? (size_t)(feed - text.data - at) : (size_t)(text.length - at);
    *next = at + n + 1;
    name[0] = final_name[0] = 0;
    return feed && parse((const char *)text.data + at, n, entry, name, final_name);
}

int32_t manifest_read(struct weir_bytes text, manifest_fn fn, void *arg, uint64_t *end,
                      struct weir_error *error)
{
    char name[MANIFEST_NAME_MAX], final_name[MANIFEST_NAME_MAX];
    struct manifest_entry entry;
    uint64_t at, next, bad = UINT64_MAX;
    uint32_t part = 0;
    int32_t status = WEIR_OK;
    *end = 0;
    for (at = 0; at < text.length; at = next) {
        int good = line_at(text, at, &next, &entry, name, final_name);
        if (good && entry.part == 1) {
            if (bad != UINT64_MAX)
                return weir_fail(error, WEIR_DATA, "the manifest is damaged at byte %llu",
                                 (unsigned long long)bad);
        } else if (!good || entry.part != part + 1) {
            if (bad == UINT64_MAX) bad = at;
        }
        if (bad != UINT64_MAX) continue;
        part = entry.part;
        if (part == entry.of) *end = next;
    }
    for (at = 0; at < *end && status == WEIR_OK; at = next)
        if (line_at(text, at, &next, &entry, name, final_name) && fn) status = fn(arg, &entry);
    return status;
}
