# SPDX-License-Identifier: BSD-2-Clause
# Compiler flags of every target of the project, as one INTERFACE target.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(tlm_build INTERFACE)
target_compile_definitions(tlm_build INTERFACE _GNU_SOURCE TLM_VERSION="${PROJECT_VERSION}")
if(FASTCRYPT)
    target_compile_definitions(tlm_build INTERFACE TLM_FASTCRYPT=1)
endif()
if(TPM_ON)
    target_compile_definitions(tlm_build INTERFACE TLM_TPM_ON=1)
endif()
if(TLM_SANITIZE OR CMAKE_C_FLAGS MATCHES "--coverage")
    # Their runtimes write files and trace, which tlm-tokend forbids itself otherwise.
    target_compile_definitions(tlm_build INTERFACE TLM_INSTRUMENTED=1)
endif()
target_compile_options(tlm_build INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wwrite-strings
    -Wstrict-prototypes -Wmissing-prototypes -Wbad-function-cast -Wcast-qual -Wpointer-arith
    -Wformat=2 -Wnull-dereference -Wimplicit-fallthrough -Wundef -Wunused-result -Wvla
    -fstack-protector-strong -fno-common -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wduplicated-branches>
    $<$<BOOL:${TLM_WERROR}>:-Werror>)
target_link_options(tlm_build INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(TLM_SANITIZE)
    target_compile_options(tlm_build INTERFACE
        -fsanitize=${TLM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(tlm_build INTERFACE -fsanitize=${TLM_SANITIZE})
    if(TLM_FUZZ)
        # Counts edges in all of our code, for libFuzzer to steer by.
        target_compile_options(tlm_build INTERFACE -fsanitize=fuzzer-no-link)
    endif()
else()
    # FORTIFY_SOURCE needs optimisation and does not mix with the sanitizers.
    target_compile_options(tlm_build INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
