/*
 * json_shim.cpp - records into columns, by simdjson's On-Demand parser (Langdale and Lemire,
 * "Parsing gigabytes of JSON per second"; Keiser and Lemire, "On-demand JSON").
 *
 *  0. A record that has the shape of one before is read by that (json_run), and not here.
 *  1. A record is a document of its own: stage 1 finds its structure and checks UTF-8 and control
 *     characters, so nothing in a record can reach beyond its end.
 *  2. Members are walked in order and only once. Those that no column reads are skipped by their
 *     brackets.
 *  3. A duplicate takes back what the member before it gave: the last one counts.
 *  4. Text goes straight into its column: 16 bytes are copied and looked at for the closing quote
 *     and backslashes; only a string with a backslash is unescaped by the library. The columns have
 *     room for the whole record then, plus 64 bytes.
 *  5. What needs two readings of one value (two columns on one path, or one inside the other)
 *     copies the value and parses the copy once per reading, with a parser for each level of that.
 */
#include "plugins/format_json/json_shim.h"

#include <cmath>
#include <cstdlib>
#include <new>
#include <utility>

#include <simdjson.h>

#include "plugins/format_json/json_shape.h"
#include "plugins/share/text.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

using namespace simdjson;

namespace {

constexpr uint32_t known_keys = 64;

/* Which part the k-th member was, the last time: most records have their members in one order. */
struct key_memory {
    const json_path *parent;
    const char *key; /* into the plan; NULL: not one of the parts */
    uint32_t length;
    int32_t part;
};

struct skipped_key {
    char text[32];
    uint32_t length; /* 0: none */
};

}

struct json_parser {
    ondemand::parser parser;
    key_memory keys[known_keys];
    skipped_key skipped[known_keys];
    json_shapes shapes; /* of records that were parsed */
    json_parser *inner; /* for copies of values */
    char *copy;
    size_t copy_room;
    int depth;
    /* of the record under way */
    const json_plan *plan;
    column *columns;
    uint32_t row;
    json_fault *fault;
    size_t length;
    const uint8_t *end;
};

namespace {

int32_t class_of(error_code error)
{
    switch (error) {
    case SUCCESS: return JSON_ROW;
    case UTF8_ERROR: return JSON_UTF8;
    case MEMALLOC: return JSON_MEMORY;
    case DEPTH_ERROR: return JSON_NESTED;
    default: return JSON_SYNTAX;
    }
}

/* simdjson (3.0.1) does not ask whether the memory for unescaped strings was there: it
 * writes to a null pointer then. The place of that memory is known to the document alone. */
struct strings : ondemand::document {
    static bool are_there(ondemand::document &document)
    {
        return (document.*(&strings::iter)).string_buf_loc() != nullptr;
    }
};

error_code iterate(ondemand::parser &parser, const void *text, size_t length, size_t room,
                   ondemand::document &document)
{
    auto error = parser.iterate((const uint8_t *)text, length, room).get(document);
    return error || strings::are_there(document) ? error : MEMALLOC;
}

/* The token of a scalar without the white space behind it. */
std::string_view token_of(ondemand::value &value)
{
    std::string_view token = value.raw_json_token();
    while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' ||
                              token.back() == '\n'))
        token.remove_suffix(1);
    return token;
}

/* Copies a string up to its closing quote. Its length, or -1 where it holds a backslash. `to` has
 * room for all of the record and 16 bytes more. */
int64_t copy_plain(const uint8_t *from, uint8_t *to)
{
#if defined(__x86_64__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    for (int64_t at = 0;; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(from + at));
        unsigned quotes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, quote));
        unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, slash));
        _mm_storeu_si128((__m128i *)(to + at), v);
        if (quotes | slashes) {
            unsigned first = (unsigned)__builtin_ctz(quotes | slashes);
            return slashes >> first & 1 ? -1 : at + first;
        }
    }
#else
    for (int64_t at = 0;; at++) {
        if (from[at] == '"') return at;
        if (from[at] == '\\') return -1;
        to[at] = from[at];
    }
#endif
}

int32_t add_string(json_parser *p, column *c, ondemand::value &value)
{
    ondemand::raw_json_string raw;
    if (auto error = value.get_raw_json_string().get(raw)) return class_of(error);
    if (!column_grow(c, p->length + 64)) return JSON_MEMORY;
    uint8_t *to = c->bytes + c->length;
    int64_t n = copy_plain((const uint8_t *)raw.raw(), to);
    if (n < 0) {
        std::string_view text;
        uint8_t *at = to;
        if (auto error = p->parser.unescape(raw, at).get(text)) return class_of(error);
        n = (int64_t)text.size();
    }
    c->length += (uint64_t)n;
    ((int32_t *)c->values)[++c->rows] = (int32_t)c->length;
    return JSON_ROW;
}

/* Walks a value to its end and finds every mistake in it. */
int32_t check(ondemand::value value, int depth)
{
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return class_of(error);
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (depth > JSON_NESTING_MAX) return JSON_NESTED;
        if (auto error = value.get_array().get(array)) return class_of(error);
        for (auto item : array) {
            ondemand::value inner;
            if (auto error = item.get(inner)) return class_of(error);
            if (int32_t result = check(inner, depth + 1)) return result;
        }
        return JSON_ROW;
    }
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        if (depth > JSON_NESTING_MAX) return JSON_NESTED;
        if (auto error = value.get_object().get(object)) return class_of(error);
        for (auto item : object) {
            ondemand::field field;
            std::string_view key;
            if (auto error = std::move(item).get(field)) return class_of(error);
            if (auto error = field.unescaped_key().get(key)) return class_of(error);
            if (int32_t result = check(field.value(), depth + 1)) return result;
        }
        return JSON_ROW;
    }
    if (type == ondemand::json_type::string) {
        std::string_view text;
        return class_of(value.get_string().get(text));
    }
    if (type == ondemand::json_type::boolean) {
        bool bit;
        return class_of(value.get_bool().get(bit));
    }
    if (type == ondemand::json_type::null) {
        bool is_null;
        return class_of(value.is_null().get(is_null));
    }
    std::string_view token = token_of(value);
    return json_number_ok(token.data(), token.size()) ? JSON_ROW : JSON_SYNTAX;
}

/* The text of an array or object; the value is walked by it. */
int32_t text_of(ondemand::value &value, ondemand::json_type type, std::string_view &text)
{
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (auto error = value.get_array().get(array)) return class_of(error);
        if (auto error = array.raw_json().get(text)) return class_of(error);
    } else {
        ondemand::object object;
        if (auto error = value.get_object().get(object)) return class_of(error);
        if (auto error = object.raw_json().get(text)) return class_of(error);
    }
    while (!text.empty() && text.back() != ']' && text.back() != '}') text.remove_suffix(1);
    return JSON_ROW;
}

/* A parser for a copy of `text`, which is in its `copy`; NULL without memory. */
json_parser *inner_of(json_parser *p, std::string_view text)
{
    if (!p->inner && !(p->inner = json_parser_create())) return nullptr;
    json_parser *q = p->inner;
    if (q->copy_room < text.size() + SIMDJSON_PADDING) {
        size_t room = 2 * text.size() + SIMDJSON_PADDING;
        char *copy = (char *)realloc(q->copy, room);
        if (!copy) return nullptr;
        q->copy = copy;
        q->copy_room = room;
    }
    memcpy(q->copy, text.data(), text.size());
    memset(q->copy + text.size(), 0, SIMDJSON_PADDING);
    q->plan = p->plan;
    q->columns = p->columns;
    q->row = p->row;
    q->fault = p->fault;
    q->length = text.size();
    q->end = (const uint8_t *)q->copy + text.size();
    return q;
}

int32_t add_text_of(json_parser *p, column *c, ondemand::value &value, ondemand::json_type type,
                    int depth)
{
    std::string_view text;
    if (type != ondemand::json_type::array && type != ondemand::json_type::object) {
        text = token_of(value);
        if (int32_t result = check(value, depth)) return result;
        return column_add_bytes(c, text.data(), text.size()) ? JSON_ROW : JSON_MEMORY;
    }
    if (int32_t result = text_of(value, type, text)) return result;
    json_parser *q = inner_of(p, text);
    if (!q) return JSON_MEMORY;
    ondemand::document document;
    ondemand::value root;
    auto error = iterate(q->parser, q->copy, text.size(), q->copy_room, document);
    if (!error) error = document.get_value().get(root);
    if (error) return class_of(error);
    if (int32_t result = check(root, depth)) return result;
    return column_add_bytes(c, text.data(), text.size()) ? JSON_ROW : JSON_MEMORY;
}

int32_t add_time(json_parser *p, column *c, ondemand::value &value, ondemand::json_type type)
{
    std::string_view text;
    int64_t us;
    if (p->plan->timestamp_unit && c->type == WEIR_TYPE_TIMESTAMP) {
        if (type != ondemand::json_type::number) return JSON_FIT;
        text = token_of(value);
        if (!json_number_ok(text.data(), text.size())) return JSON_SYNTAX;
        if (!text_to_epoch(text.data(), text.size(), p->plan->timestamp_unit, &us))
            return JSON_FIT;
    } else {
        int32_t days;
        if (type != ondemand::json_type::string) return JSON_FIT;
        if (auto error = value.get_string().get(text)) return class_of(error);
        if (c->type == WEIR_TYPE_TIMESTAMP) {
            if (!text_to_timestamp(text.data(), text.size(), &us)) return JSON_FIT;
        } else {
            if (!text_to_date(text.data(), text.size(), &days)) return JSON_FIT;
            us = days;
        }
    }
    return column_add_int(c, us) ? JSON_ROW : JSON_MEMORY;
}

int32_t add_integer(column *c, ondemand::value &value, ondemand::json_type type)
{
    int64_t n;
    if (type != ondemand::json_type::number) return JSON_FIT;
    if (value.get_int64().get(n)) { /* a number of another kind, or none at all? */
        std::string_view token = token_of(value);
        return json_number_ok(token.data(), token.size()) ? JSON_FIT : JSON_SYNTAX;
    }
    if (c->type == WEIR_TYPE_INT32 && (n < INT32_MIN || n > INT32_MAX)) return JSON_FIT;
    return column_add_int(c, n) ? JSON_ROW : JSON_MEMORY;
}

int32_t add_float(column *c, ondemand::value &value, ondemand::json_type type)
{
    double number;
    if (type == ondemand::json_type::string) {
        std::string_view text;
        if (auto error = value.get_string().get(text)) return class_of(error);
        if (text == "NaN") number = NAN;
        else if (text == "Infinity") number = INFINITY;
        else if (text == "-Infinity") number = -INFINITY;
        else return JSON_FIT;
    } else {
        if (type != ondemand::json_type::number) return JSON_FIT;
        if (value.get_double().get(number)) {
            std::string_view token = token_of(value); /* 1e400 is a number, but none that fits */
            return json_number_ok(token.data(), token.size()) ? JSON_FIT : JSON_SYNTAX;
        }
    }
    return column_add_float(c, number) ? JSON_ROW : JSON_MEMORY;
}

int32_t add_binary(column *c, ondemand::value &value, ondemand::json_type type)
{
    std::string_view text;
    size_t n;
    if (type != ondemand::json_type::string) return JSON_FIT;
    if (auto error = value.get_string().get(text)) return class_of(error);
    if (!column_grow(c, text.size() + 3)) return JSON_MEMORY;
    if (!text_to_base64(text.data(), text.size(), c->bytes + c->length, &n)) return JSON_FIT;
    c->length += n;
    ((int32_t *)c->values)[++c->rows] = (int32_t)c->length;
    return JSON_ROW;
}

int32_t add_value(json_parser *p, column *c, ondemand::value value, int depth);

int32_t add_list(json_parser *p, column *c, ondemand::value &value, ondemand::json_type type,
                 int depth)
{
    ondemand::array array;
    if (type != ondemand::json_type::array) return JSON_FIT;
    if (depth > JSON_NESTING_MAX) return JSON_NESTED;
    if (!column_grow(c, 0)) return JSON_MEMORY;
    column_truncate(c->children, (uint32_t)((int32_t *)c->values)[c->rows]);
    if (auto error = value.get_array().get(array)) return class_of(error);
    for (auto item : array) {
        ondemand::value inner;
        if (auto error = item.get(inner)) return class_of(error);
        if (int32_t result = add_value(p, c->children, inner, depth + 1)) return result;
    }
    return column_add_valid(c) ? JSON_ROW : JSON_MEMORY;
}

bool key_is(const char *raw, const uint8_t *end, const char *name, size_t n)
{
    return (size_t)(end - (const uint8_t *)raw) > n && memcmp(raw, name, n) == 0 && raw[n] == '"';
}

/* The same for a name that may hold a quote itself. */
bool key_equals(const char *raw, const uint8_t *end, const char *name, size_t n)
{
    return key_is(raw, end, name, n) && !memchr(name, '"', n);
}

/* The key where it holds a backslash: then names are compared with its unescaped form. */
bool key_escaped(const char *raw)
{
    while (*raw != '"' && *raw != '\\') raw++;
    return *raw == '\\';
}

int32_t add_struct(json_parser *p, column *c, ondemand::value &value, ondemand::json_type type,
                   int depth)
{
    ondemand::object object;
    uint32_t row = c->rows;
    if (type != ondemand::json_type::object) return JSON_FIT;
    if (depth > JSON_NESTING_MAX) return JSON_NESTED;
    for (uint32_t i = 0; i < c->n_children; i++) column_truncate(&c->children[i], row);
    if (auto error = value.get_object().get(object)) return class_of(error);
    for (auto item : object) {
        ondemand::field field;
        column *child = nullptr;
        if (auto error = std::move(item).get(field)) return class_of(error);
        const char *raw = field.key().raw();
        std::string_view key;
        bool escaped = key_escaped(raw);
        if (escaped)
            if (auto error = field.unescaped_key().get(key)) return class_of(error);
        for (uint32_t i = 0; i < c->n_children && !child; i++)
            if (escaped ? key == c->children[i].name
                        : key_equals(raw, p->end, c->children[i].name,
                                     strlen(c->children[i].name)))
                child = &c->children[i];
        if (!child) continue;
        column_truncate(child, row);
        if (int32_t result = add_value(p, child, field.value(), depth + 1)) return result;
    }
    for (uint32_t i = 0; i < c->n_children; i++) {
        if (c->children[i].rows > row) continue;
        if (c->children[i].not_null) return JSON_FIT;
        if (!column_add_null(&c->children[i])) return JSON_MEMORY;
    }
    return column_add_valid(c) ? JSON_ROW : JSON_MEMORY;
}

int32_t add_value(json_parser *p, column *c, ondemand::value value, int depth)
{
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return class_of(error);
    if (type == ondemand::json_type::null) {
        bool is_null;
        if (auto error = value.is_null().get(is_null)) return class_of(error);
        if (!is_null) return JSON_SYNTAX;
        if (c->not_null) return JSON_FIT;
        return column_add_null(c) ? JSON_ROW : JSON_MEMORY;
    }
    switch (c->type) {
    case WEIR_TYPE_UTF8:
        if (type == ondemand::json_type::string) return add_string(p, c, value);
        return add_text_of(p, c, value, type, depth);
    case WEIR_TYPE_BINARY: return add_binary(c, value, type);
    case WEIR_TYPE_INT32:
    case WEIR_TYPE_INT64: return add_integer(c, value, type);
    case WEIR_TYPE_FLOAT64: return add_float(c, value, type);
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_DATE: return add_time(p, c, value, type);
    case WEIR_TYPE_LIST: return add_list(p, c, value, type, depth);
    case WEIR_TYPE_STRUCT: return add_struct(p, c, value, type, depth);
    default: break;
    }
    bool bit;
    if (type != ondemand::json_type::boolean) return JSON_FIT;
    if (auto error = value.get_bool().get(bit)) return class_of(error);
    return column_add_bool(c, bit) ? JSON_ROW : JSON_MEMORY;
}

/* A column of the plan; with null_on_error what does not fit is left out. */
int32_t add_column(json_parser *p, uint32_t number, ondemand::value value, int depth)
{
    column *c = &p->columns[number];
    int32_t result = add_value(p, c, value, depth);
    if (result != JSON_FIT) return result;
    if (p->fault->column < 0) p->fault->column = (int32_t)number;
    if (!p->plan->null_on_error) return JSON_FIT;
    column_truncate(c, p->row);
    return JSON_ROW;
}

int32_t visit(json_parser *p, const json_path *path, ondemand::value value, int depth);

/* Which part of `parent` the k-th member is, -1 for none, -2 for an error. */
int32_t part_of(json_parser *p, const json_path *parent, ondemand::field &field, uint32_t k,
                int32_t &result)
{
    const char *raw = field.key().raw();
    key_memory *memory = &p->keys[k % known_keys];
    skipped_key *skipped = &p->skipped[k % known_keys];
    result = JSON_ROW;
    if (memory->parent == parent) {
        if (memory->key && key_is(raw, p->end, memory->key, memory->length)) return memory->part;
        if (!memory->key && skipped->length &&
            key_is(raw, p->end, skipped->text, skipped->length))
            return -1;
    }
    if (key_escaped(raw)) {
        std::string_view key;
        if (auto error = field.unescaped_key().get(key)) {
            result = class_of(error);
            return -2;
        }
        for (uint32_t i = 0; i < parent->n_parts; i++)
            if (parent->parts[i].index < 0 &&
                key == std::string_view(parent->parts[i].name, parent->parts[i].n_name))
                return (int32_t)i;
        return -1;
    }
    memory->parent = parent;
    memory->key = nullptr;
    memory->part = -1;
    skipped->length = 0;
    for (uint32_t i = 0; i < parent->n_parts; i++) {
        const json_path *part = &parent->parts[i];
        if (part->index >= 0 || !key_equals(raw, p->end, part->name, part->n_name)) continue;
        memory->key = part->name;
        memory->length = (uint32_t)part->n_name;
        return memory->part = (int32_t)i;
    }
    const char *quote = raw;
    while (*quote != '"') quote++;
    if ((size_t)(quote - raw) <= sizeof skipped->text) {
        skipped->length = (uint32_t)(quote - raw);
        memcpy(skipped->text, raw, skipped->length);
    }
    return -1;
}

void take_back(json_parser *p, const json_path *path)
{
    for (uint32_t i = 0; i < path->n_below; i++)
        column_truncate(&p->columns[path->below[i]], p->row);
}

int32_t visit_members(json_parser *p, const json_path *path, ondemand::object object, int depth)
{
    uint32_t k = 0;
    for (auto item : object) {
        ondemand::field field;
        int32_t result;
        if (auto error = std::move(item).get(field)) return class_of(error);
        int32_t part = part_of(p, path, field, k++, result);
        if (part == -2) return result;
        if (part < 0) continue;
        take_back(p, &path->parts[part]);
        result = visit(p, &path->parts[part], field.value(), depth + 1);
        if (result) return result;
    }
    return JSON_ROW;
}

int32_t visit_elements(json_parser *p, const json_path *path, ondemand::array array, int depth)
{
    int64_t index = 0;
    for (auto item : array) {
        ondemand::value inner;
        if (auto error = item.get(inner)) return class_of(error);
        for (uint32_t i = 0; i < path->n_parts; i++)
            if (path->parts[i].index == index) {
                if (int32_t result = visit(p, &path->parts[i], inner, depth + 1)) return result;
                break;
            }
        index++;
    }
    return JSON_ROW;
}

int32_t visit_inside(json_parser *p, const json_path *path, ondemand::value value, int depth)
{
    ondemand::json_type type;
    if (auto error = value.type().get(type)) return class_of(error);
    if (depth > JSON_NESTING_MAX) return JSON_NESTED;
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        if (auto error = value.get_object().get(object)) return class_of(error);
        return visit_members(p, path, object, depth);
    }
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (auto error = value.get_array().get(array)) return class_of(error);
        return visit_elements(p, path, array, depth);
    }
    return check(value, depth); /* a scalar on the way: the columns inside are null */
}

/* One reading of a copy: of column path->columns[which], or of the parts. */
int32_t read_copy(json_parser *q, const json_path *path, uint32_t which, int depth)
{
    ondemand::document document;
    ondemand::value value;
    auto error = iterate(q->parser, q->copy, q->length, q->copy_room, document);
    if (error) return class_of(error);
    /* a scalar alone is no value to On-Demand: wrapped in brackets it is */
    ondemand::array array;
    if ((error = document.get_array().get(array))) return class_of(error);
    for (auto item : array) {
        if ((error = item.get(value))) return class_of(error);
        if (int32_t result = which < path->n_columns
                                 ? add_column(q, path->columns[which], value, depth)
                                 : visit_inside(q, path, value, depth))
            return result;
    }
    return JSON_ROW;
}

int32_t visit_twice(json_parser *p, const json_path *path, ondemand::value value, int depth)
{
    ondemand::json_type type;
    std::string_view text;
    if (auto error = value.type().get(type)) return class_of(error);
    if (type == ondemand::json_type::array || type == ondemand::json_type::object) {
        if (int32_t result = text_of(value, type, text)) return result;
    } else {
        text = token_of(value);
    }
    json_parser *q = inner_of(p, text);
    if (!q) return JSON_MEMORY;
    if (q->copy_room < text.size() + 2 + SIMDJSON_PADDING) {
        char *copy = (char *)realloc(q->copy, text.size() + 2 + SIMDJSON_PADDING);
        if (!copy) return JSON_MEMORY;
        q->copy = copy;
        q->copy_room = text.size() + 2 + SIMDJSON_PADDING;
    }
    memmove(q->copy + 1, q->copy, text.size());
    q->copy[0] = '[';
    q->copy[text.size() + 1] = ']';
    memset(q->copy + text.size() + 2, 0, SIMDJSON_PADDING);
    q->length = text.size() + 2;
    q->end = (const uint8_t *)q->copy + q->length;
    for (uint32_t i = 0; i < path->n_columns + (path->n_parts ? 1 : 0); i++)
        if (int32_t result = read_copy(q, path, i, depth)) return result;
    return JSON_ROW;
}

int32_t visit(json_parser *p, const json_path *path, ondemand::value value, int depth)
{
    if (path->n_columns + (path->n_parts ? 1 : 0) > 1) return visit_twice(p, path, value, depth);
    if (path->n_columns) return add_column(p, path->columns[0], value, depth);
    return visit_inside(p, path, value, depth);
}

void begin(json_parser *p, const json_plan *plan, column *columns, uint32_t row,
           const uint8_t *text, uint64_t length, json_fault *fault)
{
    p->plan = plan;
    p->columns = columns;
    p->row = row;
    p->fault = fault;
    p->length = length;
    p->end = text + length;
    fault->column = -1;
}

}

extern "C" struct json_parser *json_parser_create(void)
{
    void *memory = malloc(sizeof(json_parser));
    if (!memory) return nullptr;
    memset(memory, 0, sizeof(json_parser));
    json_parser *p = new (memory) json_parser();
    json_shapes_init(&p->shapes);
    return p;
}

extern "C" void json_parser_destroy(struct json_parser *p)
{
    if (!p) return;
    json_parser_destroy(p->inner);
    free(p->copy);
    p->~json_parser();
    free(p);
}

extern "C" uint64_t json_run(struct json_parser *p, const struct json_plan *plan,
                             struct column *columns, struct json_run *run, const uint8_t *text,
                             uint64_t length)
{
    return json_shapes_run(&p->shapes, plan, columns, run, text, length);
}

namespace {

int32_t parse(json_parser *p, const json_plan *plan, column *columns, uint32_t row,
              const uint8_t *text, uint64_t length, json_fault *fault)
{
    ondemand::document document;
    ondemand::object object;
    begin(p, plan, columns, row, text, length, fault);
    if (length > 0xffffff00u) return JSON_SYNTAX;
    auto error = iterate(p->parser, text, length, length + SIMDJSON_PADDING, document);
    if (!error) error = document.get_object().get(object);
    if (error) return class_of(error);
    if (int32_t result = visit_members(p, &plan->root, object, 1)) return result;
    return document.current_location().error() == OUT_OF_BOUNDS ? JSON_ROW : JSON_SYNTAX;
}

}

extern "C" int32_t json_parse(struct json_parser *p, const struct json_plan *plan,
                              struct column *columns, uint32_t row, const uint8_t *text,
                              uint64_t length, struct json_fault *fault)
{
    int32_t result = parse(p, plan, columns, row, text, length, fault);
    if (result == JSON_ROW && fault->column < 0)
        json_shapes_learn(&p->shapes, plan, columns, text, length);
    return result;
}

namespace {

int32_t check_document(json_parser *p, const uint8_t *text, uint64_t length, bool &is_array)
{
    ondemand::document document;
    ondemand::value root;
    ondemand::json_type type;
    auto error = iterate(p->parser, text, length, length + SIMDJSON_PADDING, document);
    if (!error) error = document.type().get(type);
    if (error) return class_of(error);
    is_array = type == ondemand::json_type::array;
    if (!is_array && type != ondemand::json_type::object) return JSON_SYNTAX;
    if ((error = document.get_value().get(root))) return class_of(error);
    if (int32_t result = check(root, 1)) return result;
    return document.current_location().error() == OUT_OF_BOUNDS ? JSON_ROW : JSON_SYNTAX;
}

}

extern "C" int32_t json_parse_document(struct json_parser *p, const struct json_plan *plan,
                                       struct column *columns, uint32_t row, const uint8_t *text,
                                       uint64_t length, json_row_fn fn, void *arg)
{
    ondemand::document document;
    ondemand::array array;
    json_fault fault;
    bool is_array = false;
    if (length > 0xffffff00u) return JSON_SYNTAX;
    if (int32_t result = check_document(p, text, length, is_array)) return result;
    if (!is_array) {
        int32_t result = parse(p, plan, columns, row, text, length, &fault);
        fn(arg, result, &fault, text, length, &row);
        return JSON_ROW;
    }
    auto error = iterate(p->parser, text, length, length + SIMDJSON_PADDING, document);
    if (!error) error = document.get_array().get(array);
    if (error) return class_of(error);
    for (auto item : array) {
        ondemand::value value;
        ondemand::object object;
        int32_t result = JSON_ROW;
        const char *at = nullptr;
        if ((error = item.get(value))) return JSON_ROW;
        if (value.current_location().get(at)) at = nullptr;
        begin(p, plan, columns, row, text, length, &fault);
        ondemand::json_type type;
        if ((error = value.type().get(type))) return JSON_ROW;
        if (type != ondemand::json_type::object) result = JSON_SYNTAX;
        else if ((error = value.get_object().get(object))) return JSON_ROW;
        else result = visit_members(p, &plan->root, object, 2);
        uint64_t left = at ? (uint64_t)((const char *)text + length - at) : 0;
        if (fn(arg, result, &fault, at ? (const uint8_t *)at : text, left, &row)) return JSON_ROW;
    }
    return JSON_ROW;
}
