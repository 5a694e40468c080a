-- SPDX-License-Identifier: BSD-2-Clause
-- For wrk: requests, microseconds, answers that were not right.
function done(summary)
    local errors = summary.errors
    io.write(string.format("result %d %d %d\n", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
