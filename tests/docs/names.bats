#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Names in the documents are names of the programs, and the other way round.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    table=$SOURCE/common/include/tlm/settings_table.h
}

# The rows of the settings table, each on one line, without the definition of the macro.
rows() {
    sed -n '/#define TLM_SETTINGS(ROW)/,/^enum/p' "$table" | tr -d '\\\n' | sed 's/ROW(/\n&/g' |
        grep '^ROW([a-z]'
}

table_keys() { rows | awk -F '"' '$2 != "" { print $2 }'; }
table_environment() { rows | awk -F '"' '{ print $4 }' | tr ' ' '\n'; }
table_flags() { rows | awk -F '"' '{ print "--" $6 }'; }

@test "the table is read as it is meant" {
    [ "$(rows | wc -l)" -gt 20 ]
    table_keys | grep -qx TPM.Tcti
    table_environment | grep -qx TSS2_TCTI
    table_flags | grep -qx -- --no-tpm
    [ "$(table_flags | wc -l)" -eq "$(rows | wc -l)" ]
}

@test "every flag in the documents is a flag of a program" {
    {
        "$DAEMON" --help
        "$TOKEN_INIT" help
        local command
        for command in $("$TOKEN_INIT" help | awk '/^Subcommands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
            "$TOKEN_INIT" help "$command"
        done
        "$ISSUE" help
        for command in $("$ISSUE" help | awk '/^Subcommands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
            "$ISSUE" help "$command"
        done
        local script
        for script in run test bench; do
            "$SOURCE/scripts/$script" --help
        done
        "$SOURCE/docker/tlm-backup" --help
        man_text TLLicenseManager.8 tlm-token-init.8 tlm-tokend.8 tlm.1
        "$SOURCE/docker/build_and_stage.sh" --help
        grep -v '^#' "$SOURCE/tests/docs/foreign-flags.txt"
    } | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u > known
    grep -ohE -- '(^|[^[:alnum:]-])--[a-z][a-z0-9-]+' "${documents[@]}" |
        grep -oE -- '--[a-z][a-z0-9-]+' | missing_from known > unknown
    cat unknown
    [ ! -s unknown ]
}

@test "every environment name in the documents is read by a program" {
    {
        table_environment
        grep -oE '(option\(|set\()[A-Z_0-9]+' -h "$SOURCE/CMakeLists.txt" "$SOURCE/tests/CMakeLists.txt" |
            sed 's/.*(//'
        grep -ohE '\bTLM_[A-Z_]+' "$SOURCE/client/include/tlm-client.h" "$SOURCE/client/man/tlm.1.in"
        grep -v '^#' "$SOURCE/tests/docs/foreign-names.txt"
    } | sort -u > known
    grep -ohE '\b(TLM|TPM|TSS2|TPM2|TPM2TOOLS|SOFTHSM2|DOCKER)_[A-Z0-9_]*[A-Z0-9]\b' \
        "${documents[@]}" | missing_from known > unknown
    cat unknown
    [ ! -s unknown ]
}

@test "every configuration key in the documents is in the table" {
    # Of a key in a section of a section, the inner one is named by itself too: REST.Tls.
    table_keys | sed -E 'p; s/^([^.]*\.[^.]*)\..*/\1/' | sort -u > known
    grep -ohE '\b(LicenseManager|REST|TPM|Docker|Pkcs11|Persistence|Licensing)(\.[A-Z][A-Za-z0-9]+)+' "${documents[@]}" |
        missing_from known > unknown
    cat unknown
    [ ! -s unknown ]
}

@test "every flag, environment name and key of the table is in the manual" {
    man_text TLLicenseManager.8 tlm-token-init.8 tlm-tokend.8 TLLicenseManager.json.5 > manual
    local word bad=0
    for word in $(table_flags) $(table_environment); do
        grep -qF -- "$word" manual || { echo "not in the manual: $word"; bad=1; }
    done
    for word in $(table_keys | sed 's/.*\.//'); do
        grep -qwF -- "$word" manual || { echo "not in the manual: key $word"; bad=1; }
    done
    [ "$bad" -eq 0 ]
}

@test "every start-up state is in docs/architecture.md" {
    state_names > names
    [ "$(wc -l < names)" -ge 20 ]
    in_document names "$SOURCE/docs/architecture.md"
}

@test "every error code is in docs/formats.md" {
    grep -oE '= \{"[a-z-]+", "' "$SOURCE/common/src/result.c" | cut -d '"' -f 2 > names
    [ "$(wc -l < names)" -gt 20 ]
    in_document names "$SOURCE/docs/formats.md"
}

@test "every finding of doctor is in docs/troubleshooting.md" {
    cat "$SOURCE"/token-init/src/doctor*.c | tr '\n' ' ' |
        grep -oE 'tlm_exam_add\([^;]*;' | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u > names
    [ "$(wc -l < names)" -gt 20 ]
    in_document names "$SOURCE/docs/troubleshooting.md"
}

@test "every route of the REST interface is in the documents" {
    grep -oE '"/[a-z0-9/{}]+"' "$SOURCE/httpd/src/routes.c" | tr -d '"' | sort -u | grep -v '^/api/v1/$' > names
    [ "$(wc -l < names)" -ge 17 ]
    grep -v '^/api' names > documents
    [ "$(wc -l < documents)" -ge 5 ]
    in_document documents "$SOURCE/docs/formats.md"
    # There a route has its methods before it.
    cat "$SOURCE/docs/formats.md" "$SOURCE/docs/rest.md" |
        sed -E 's/`(GET|POST|PUT|DELETE) /`/g; s/\?[a-z]+=[^`]*`/`/g' > both
    in_document names both
}

@test "every code of the REST interface is in docs/formats.md" {
    cat "$SOURCE"/httpd/src/*.c | tr '\n' ' ' | sed 's/\\"/"/g' |
        grep -oE '((tlm_notices_raise|load_token|refuse)\([^;]*;|tell\(self, [^;]*;|"code":"[a-z-]+"|\{MHD_HTTP_[A-Z_]+, "[a-z-]+")' |
        grep -oE '"[a-z]+(-[a-z]+)+"' | tr -d '"' | sort -u > names
    grep -qx tpm-facts names
    grep -qx tls-certificate names
    grep -qx request-timeout names
    grep -qx content-too-large names
    grep -qx media-type names
    grep -qx admin-token names
    in_document names "$SOURCE/docs/formats.md"
}

@test "every start-up state with a remedy is in docs/troubleshooting.md" {
    state_names | grep -vxE 'pending|cold|warm|interrupted' > names
    in_document names "$SOURCE/docs/troubleshooting.md"
}
