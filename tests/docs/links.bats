#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Every relative link of the documents leads somewhere, headings included.

load common

# Heading texts of a file as the anchors that repository hosts make of them.
anchors() {
    awk '/^```/ { inside = !inside } !inside && /^#+ / { sub(/^#+ /, ""); print }' "$1" |
        tr '[:upper:]' '[:lower:]' | sed -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
}

check_link() {
    local from=$1 link=$2 file anchor
    file=${link%%#*}
    anchor=""
    [[ $link == *#* ]] && anchor=${link#*#}
    if [ -n "$file" ]; then
        file=$(dirname "$from")/$file
    else
        file=$from
    fi
    if [ ! -e "$file" ]; then
        echo "$from: link to $link: there is no $file"
        return 1
    fi
    if [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
        echo "$from: link to $link: no such heading in $file"
        return 1
    fi
}

@test "relative links resolve" {
    local bad=0 seen=0 file link
    for file in "${documents[@]}"; do
        while read -r link; do
            seen=$((seen + 1))
            check_link "$file" "$link" || bad=$((bad + 1))
        done < <(grep -oE '\]\([^)]+\)' "$file" | sed -e 's/^](//' -e 's/)$//' | grep -vE '^[a-z]+:')
    done
    echo "$seen links, $bad bad"
    [ "$seen" -gt 10 ]
    [ "$bad" -eq 0 ]
}

@test "a link that leads nowhere is noticed" {
    printf '# A heading\n[x](missing.md) [y](#nowhere)\n' > "$BATS_TEST_TMPDIR/page.md"
    run check_link "$BATS_TEST_TMPDIR/page.md" missing.md
    [ "$status" -eq 1 ]
    run check_link "$BATS_TEST_TMPDIR/page.md" '#nowhere'
    [ "$status" -eq 1 ]
    check_link "$BATS_TEST_TMPDIR/page.md" '#a-heading'
}

@test "the documents that the README promises are there" {
    local file
    for file in docs/architecture.md docs/formats.md docs/troubleshooting.md docs/security.md \
        docs/departures.md HACKING.md SECURITY.md CHANGELOG.md LICENSE; do
        [ -s "$SOURCE/$file" ]
        [ "$file" = LICENSE ] || grep -qF "($file)" "$SOURCE/README.md"
    done
}
