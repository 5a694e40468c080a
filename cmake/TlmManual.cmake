# SPDX-License-Identifier: BSD-2-Clause
# Manual pages whose tables come from the program's own tables.
#
# tlm_manual(<name>.<section> [PIECE <word> <target> <argument>…]…)
#
# Makes man/<name>.<section> of the build from man/<name>.<section>.in of the source: the line
# @<word>@ becomes what the target prints. A page with a word left over fails the build. Installed
# below the manual directory.
#
#     tlm_manual(tlm-token-init.8
#         PIECE OPTIONS tlm-mdoc options token
#         PIECE SUBCOMMANDS tlm-token-mdoc)

set(TLM_MANUAL_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/TlmManualFill.cmake")

function(tlm_manual page)
    set(source "${CMAKE_CURRENT_SOURCE_DIR}/man/${page}.in")
    set(output "${CMAKE_CURRENT_BINARY_DIR}/man/${page}")
    string(REGEX REPLACE "^.*\\." "" section "${page}")

    set(arguments)
    set(targets)
    set(next "")
    foreach(word IN LISTS ARGN)
        if(word STREQUAL "PIECE")
            list(APPEND arguments PIECE)
            set(next name)
        elseif(next STREQUAL "name")
            list(APPEND arguments ${word})
            set(next target)
        elseif(next STREQUAL "target")
            list(APPEND arguments "$<TARGET_FILE:${word}>")
            list(APPEND targets ${word})
            set(next argument)
        else()
            list(APPEND arguments ${word})
        endif()
    endforeach()

    add_custom_command(OUTPUT "${output}"
        COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DOUTPUT=${output} -P "${TLM_MANUAL_SCRIPT}"
            -- ${arguments}
        DEPENDS "${source}" "${TLM_MANUAL_SCRIPT}" ${targets}
        COMMENT "Filling the manual page ${page}"
        VERBATIM)
    add_custom_target(manual-${page} ALL DEPENDS "${output}")
    install(FILES "${output}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endfunction()
