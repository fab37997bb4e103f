/*
 * text.h - text of unknown origin (names, positions, reasons) for terminals and JSON.
 */
#ifndef WEIR_TOOLS_TEXT_H
#define WEIR_TOOLS_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include <weir/abi.h>

/* Writes text on one line: control bytes and what is no UTF-8 as \xNN. */
void text_print(FILE *to, struct weir_bytes text);
void text_puts(FILE *to, const char *text);
/* A JSON string; in what is no UTF-8 each byte above 7f becomes U+FFFD. NULL without memory. */
json_t *text_json(struct weir_bytes text);
json_t *text_json_of(const char *text);
/* 1: UTF-8 without control characters, not empty. */
int text_printable(struct weir_bytes text);
char *text_hex(struct weir_bytes bytes);    /* malloc'ed; NULL without memory */
char *text_base64(struct weir_bytes bytes); /* malloc'ed; NULL without memory */

/* Prints on stdout as one document and releases. An exit status. */
int text_document(json_t *json);

#endif
