# SPDX-License-Identifier: BSD-2-Clause
# Run by tlm_embed(): cmake -DSOURCE=… -DOUTPUT=… -DSYMBOL=… -P …

file(READ "${SOURCE}" bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)"
    "\\1\n    " bytes "${bytes}")
file(WRITE "${OUTPUT}" "/* Made from ${SYMBOL}'s file while building. */
#include <stddef.h>

extern const char ${SYMBOL}_text[];
extern const size_t ${SYMBOL}_size;

const char ${SYMBOL}_text[] = {
    ${bytes}0x00};
const size_t ${SYMBOL}_size = ${size}U;
")
