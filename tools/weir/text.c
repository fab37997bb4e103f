#include "tools/weir/text.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "core/data/array.h"

static struct weir_bytes bytes_of(const char *text)
{
    return (struct weir_bytes){ (const uint8_t *)text, strlen(text) };
}

/* A control character of C1 is two bytes of valid UTF-8: c2 80 to c2 9f. */
static int is_control(const uint8_t *p, const uint8_t *end)
{
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p + 1 < end && p[1] < 0xa0);
}

void text_print(FILE *to, struct weir_bytes text)
{
    const uint8_t *p = text.data, *end = p ? p + text.length : p;
    const int valid = p && utf8_valid(p, text.length);
    for (; p < end; p++) {
        if (is_control(p, end) && *p == 0xc2) {
            fprintf(to, "\\x%02x", p[1]);
            p++;
        } else if (is_control(p, end) || (!valid && *p >= 0x80)) {
            fprintf(to, "\\x%02x", *p);
        } else {
            putc(*p, to);
        }
    }
}

void text_puts(FILE *to, const char *text)
{
    text_print(to, bytes_of(text));
}

json_t *text_json(struct weir_bytes text)
{
    if (text.length == 0) return json_string("");
    if (utf8_valid(text.data, text.length))
        return json_stringn((const char *)text.data, text.length);
    char *mended = malloc(text.length * 3), *to = mended;
    if (!mended) return NULL;
    for (uint64_t i = 0; i < text.length; i++) {
        if (text.data[i] < 0x80) {
            *to++ = (char)text.data[i];
        } else {
            memcpy(to, "\xef\xbf\xbd", 3);
            to += 3;
        }
    }
    json_t *json = json_stringn(mended, (size_t)(to - mended));
    free(mended);
    return json;
}

json_t *text_json_of(const char *text)
{
    return text_json(bytes_of(text));
}

int text_printable(struct weir_bytes text)
{
    if (text.length == 0 || !utf8_valid(text.data, text.length)) return 0;
    for (uint64_t i = 0; i < text.length; i++)
        if (is_control(text.data + i, text.data + text.length)) return 0;
    return 1;
}

char *text_hex(struct weir_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(bytes.length * 2 + 1);
    if (!text) return NULL;
    for (uint64_t i = 0; i < bytes.length; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.length] = 0;
    return text;
}

char *text_base64(struct weir_bytes bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((bytes.length + 2) / 3 * 4 + 1), *to = text;
    if (!text) return NULL;
    for (uint64_t i = 0; i < bytes.length; i += 3) {
        const uint64_t left = bytes.length - i;
        uint32_t v = (uint32_t)bytes.data[i] << 16;
        if (left > 1) v |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2) v |= bytes.data[i + 2];
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = left > 1 ? letters[v >> 6 & 63] : '=';
        *to++ = left > 2 ? letters[v & 63] : '=';
    }
    *to = 0;
    return text;
}

int text_document(json_t *json)
{
    int status = json ? 0 : EX_OSERR;
    if (json && (json_dumpf(json, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF ||
                 fflush(stdout) != 0))
        status = EX_IOERR;
    json_decref(json);
    if (status == EX_OSERR) fputs("weir: out of memory\n", stderr);
    if (status == EX_IOERR) fputs("weir: standard output failed\n", stderr);
    return status;
}
