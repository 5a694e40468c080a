# SPDX-License-Identifier: BSD-2-Clause
# Prints the fenced command blocks that stand behind a line "<!-- NAME -->", one after the other.
# Call: awk -v name='test' -f blocks.awk README.md
$0 == "<!-- " name " -->" { wanted = 1; next }
/^```/ {
    if (inside) { inside = 0; next }
    inside = 1
    printing = wanted
    wanted = 0
    next
}
inside && printing { print }
!inside && NF { wanted = 0 }
