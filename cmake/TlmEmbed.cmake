# SPDX-License-Identifier: BSD-2-Clause
# A file's bytes as C.
#
# tlm_embed(<target> <file> <symbol>): `const char <symbol>_text[]` with a zero byte behind, and
# `const size_t <symbol>_size`, compiled into the target.

set(TLM_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/TlmEmbedWrite.cmake")

function(tlm_embed target file symbol)
    set(source "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c")
    add_custom_command(OUTPUT "${output}"
        COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DOUTPUT=${output} -DSYMBOL=${symbol}
            -P "${TLM_EMBED_SCRIPT}"
        DEPENDS "${source}" "${TLM_EMBED_SCRIPT}"
        COMMENT "Embedding ${file}"
        VERBATIM)
    target_sources(${target} PRIVATE "${output}")
endfunction()
