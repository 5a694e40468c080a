# SPDX-License-Identifier: BSD-2-Clause
# Whom a build trusts: the keys that are compiled in, and whether it takes more from files.

# tlm_trust_source(<output.c> <jwks file or empty> <ON|OFF>)
# Writes the definitions of trust_private.h. The file is read when CMake runs, which it does again
# when the file changed.
function(tlm_trust_source output jwks runtime)
    set(bytes "0x00")
    set(size 0)
    if(jwks)
        get_filename_component(jwks "${jwks}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
        if(NOT EXISTS "${jwks}")
            message(FATAL_ERROR "TLM_TRUST_JWKS: there is no file ${jwks}")
        endif()
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${jwks}")
        file(READ "${jwks}" hex HEX)
        string(LENGTH "${hex}" digits)
        math(EXPR size "${digits} / 2")
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        string(REGEX REPLACE "((0x..,){16})" "\\1\n    " bytes "${bytes}")
    endif()
    if(runtime)
        set(runtime true)
    else()
        set(runtime false)
    endif()
    file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT
"/* SPDX-License-Identifier: BSD-2-Clause */
/* Made by cmake/TlmTrust.cmake. */
#include \"trust_private.h\"

const bool tlm_trust_build_runtime = @runtime@;
const size_t tlm_trust_build_size = @size@;
const unsigned char tlm_trust_build_jwks[] = {
    @bytes@
};
")
endfunction()
