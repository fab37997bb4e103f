/*
 * decoder.h - the part of weir.format/1 by which operators decode.
 */
#ifndef WEIR_CORE_DECODER_H
#define WEIR_CORE_DECODER_H

#include "core/load/context.h"

/* The functions of struct weir_formats of these names; see <weir/format.h>. */
int32_t decoder_bind(struct weir_context *context, struct ArrowSchema *out,
                     struct weir_error *error);
int32_t decoder_create(struct weir_context *lane, struct weir_decoder **out,
                       struct weir_error *error);
void decoder_destroy(struct weir_decoder *decoder);
int32_t decoder_decode(struct weir_decoder *decoder, const struct weir_records *records,
                       const struct weir_decoded *out, struct weir_error *error);

#endif
