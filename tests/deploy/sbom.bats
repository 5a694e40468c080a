#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker/image/sbom: every package once, what SPDX 2.3 wants, the same bytes each time.

setup() {
    : "${SOURCE:?the repository}"
    sbom=$SOURCE/docker/image/sbom
    root=$BATS_TEST_TMPDIR/root
    own=$BATS_TEST_TMPDIR/own
    out=$BATS_TEST_TMPDIR/out.json
    mkdir -p "$root/var/lib/dpkg" "$root/etc" "$own/usr/sbin" "$own/usr/bin"
    printf 'ID=debian\nVERSION_ID="12"\n' > "$root/etc/os-release"
    cat > "$root/var/lib/dpkg/status" << 'END'
Package: zlib1g
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: zlib
Version: 1:1.2.13.dfsg-1

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 12.2.0-14+deb12u1
Description: a "quoted" \ word
 Package: none
 .
 Status: install ok installed

Package: was-here
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: base-files
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 12.4~rc1
END
    printf 'program' > "$own/usr/sbin/TLLicenseManager"
    printf 'tool' > "$own/usr/bin/tlm"
}

# What the specification of SPDX 2.3 requires of a document in JSON, and that all references lead
# somewhere.
assert_spdx() {
    jq -e '
        .spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT"
        and (.name | length > 0) and (.documentNamespace | test("^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))
        and (.creationInfo.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"))
        and (.creationInfo.creators | length > 0 and all(test("^(Tool|Person|Organization): ")))' "$1"
    jq -e '.packages | all(.name and .downloadLocation and (.SPDXID | test("^SPDXRef-[A-Za-z0-9.-]+$"))
        and has("filesAnalyzed") and .licenseConcluded and .licenseDeclared and .copyrightText
        and (.filesAnalyzed == (.packageVerificationCode != null)))' "$1"
    jq -e '(.files // []) | all(.SPDXID and (.fileName | startswith("./"))
        and ([.checksums[].algorithm] | index("SHA1")) and .licenseConcluded and .copyrightText)' "$1"
    jq -e '[.SPDXID, .packages[].SPDXID, (.files // [])[].SPDXID] as $all | ($all | length) == ($all | unique | length)
        and (.relationships | all((.spdxElementId | IN($all[])) and (.relatedSpdxElement | IN($all[]))))
        and (.documentDescribes | all(IN($all[])))
        and ([.relationships[].relatedSpdxElement] | sort) == ($all - ["SPDXRef-DOCUMENT"] | sort)' "$1"
}

@test "every installed package is there once, with its source and its address" {
    "$sbom" --root "$root" --version 1.2.3 > "$out"
    assert_spdx "$out"
    jq -r '.packages[] | select(.externalRefs) | "\(.name) \(.versionInfo) \(.sourceInfo) \(.externalRefs[0].referenceLocator)"' \
        "$out" > "$BATS_TEST_TMPDIR/told"
    diff - "$BATS_TEST_TMPDIR/told" << 'END'
base-files 12.4~rc1 source package: base-files 12.4~rc1 pkg:deb/debian/base-files@12.4~rc1?arch=amd64&distro=debian-12
libstdc++6 12.2.0-14+deb12u1 source package: gcc-12 12.2.0-14 pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12
zlib1g 1:1.2.13.dfsg-1 source package: zlib 1:1.2.13.dfsg-1 pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64&distro=debian-12
END
    jq -e '.packages[] | select(.SPDXID == "SPDXRef-program") | .versionInfo == "1.2.3"' "$out"
}

@test "our own files have their checksums, and the program the code over them" {
    "$sbom" --root "$root" --own "$own" --version 1.2.3 > "$out"
    assert_spdx "$out"
    jq -r '.files[] | "\(.checksums[] | select(.algorithm == "SHA256").checksumValue)  \(.fileName)"' "$out" > "$BATS_TEST_TMPDIR/sums"
    [ "$(wc -l < "$BATS_TEST_TMPDIR/sums")" -eq 2 ]
    (cd "$own" && sha256sum --strict -c "$BATS_TEST_TMPDIR/sums")
    [ "$(jq -r '.packages[] | select(.packageVerificationCode).packageVerificationCode.packageVerificationCodeValue' "$out")" = \
        "$(sha1sum "$own"/usr/*/* | cut -d' ' -f1 | sort | tr -d '\n' | sha1sum | cut -d' ' -f1)" ]
}

@test "the same image gives the same bytes, and another one another name space" {
    "$sbom" --root "$root" --own "$own" --version 1.2.3 > "$out"
    TZ=Asia/Tokyo LC_ALL=C.UTF-8 "$sbom" --root "$root/" --own "$own/" --version 1.2.3 | cmp "$out"
    [ "$(jq -r .creationInfo.created "$out")" = 1970-01-01T00:00:00Z ]
    SOURCE_DATE_EPOCH=1769860800 "$sbom" --root "$root" --own "$own" --version 1.2.3 > "$out.2"
    [ "$(jq -r .creationInfo.created "$out.2")" = 2026-01-31T12:00:00Z ]
    printf 'another' > "$own/usr/bin/tlm"
    "$sbom" --root "$root" --own "$own" --version 1.2.3 > "$out.3"
    [ "$(jq -r .documentNamespace "$out" "$out.2" "$out.3" | sort -u | wc -l)" -eq 3 ]
}

@test "this machine's packages are those that dpkg tells" {
    "$sbom" --version 1 > "$out"
    assert_spdx "$out"
    jq -r '.packages[] | select(.externalRefs) | "\(.name) \(.versionInfo)"' "$out" | sort > "$BATS_TEST_TMPDIR/told"
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' | sed -n 's/^installed //p' | sort |
        diff - "$BATS_TEST_TMPDIR/told"
}

@test "a root without packages, a missing version and unknown options are errors" {
    run "$sbom" --version 1 --root "$BATS_TEST_TMPDIR"
    [ "$status" -eq 1 ]
    [[ $output == *"no list of packages"* ]]
    printf 'Package: a\nStatus: deinstall ok config-files\n' > "$root/var/lib/dpkg/status"
    run "$sbom" --version 1 --root "$root"
    [ "$status" -eq 1 ]
    [[ $output == *"no package is installed"* ]]
    run "$sbom" --root "$root"
    [ "$status" -eq 2 ]
    run "$sbom" --version
    [ "$status" -eq 2 ]
    run "$sbom" --nothing x
    [ "$status" -eq 2 ]
}
