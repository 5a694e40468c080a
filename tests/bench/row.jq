# SPDX-License-Identifier: BSD-2-Clause
# One row of the report from the lines "ours reference" of a measurement, read with -R -n.
# The ratio is made within each line, as both were measured one after the other; the row carries
# its median, and its quartiles as the spread.

def quantile($part):
    sort | ((length - 1) * $part) as $at | ($at | floor) as $low
    | ([$low + 1, length - 1] | min) as $high
    | .[$low] + (.[$high] - .[$low]) * ($at - $low);

[inputs | split(" ") | map(tonumber) | select(length == 2)] as $pairs
| if ($pairs | length) == 0 then error("nothing was measured for \($name)") else . end
| ($pairs | map(.[0]) | quantile(0.5)) as $ours
| ($pairs | map(.[1]) | quantile(0.5)) as $reference
| ($pairs | map(.[0] / .[1])) as $ratios
| ($ratios | quantile(0.5)) as $ratio
| {
    group: $group, name: $name, unit: $unit, against: $against,
    ours: $ours, reference: $reference,
    ratio: $ratio, low: ($ratios | quantile(0.25)), high: ($ratios | quantile(0.75)),
    samples: ($pairs | length),
    target: (if $target == "" then null else $target end),
    pass: (
        if $target == "" then null
        else ($target | capture("^(?<what>ratio|ours) (?<sign><=|>=|<|>) (?<bound>[0-9.]+)$")) as $t
        | (if $t.what == "ratio" then $ratio else $ours end) as $value
        | ($t.bound | tonumber) as $bound
        | if $t.sign == "<=" then $value <= $bound
          elif $t.sign == ">=" then $value >= $bound
          elif $t.sign == "<" then $value < $bound
          else $value > $bound end
        end)
  }
