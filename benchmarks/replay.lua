-- Replays requests from a file, round robin. A line is METHOD, PATH, PURPOSE, BODY between tabs; "@" in headers becomes
-- a fresh idempotency key. Arguments: requests file, headers file, prefix of the keys.
local requests, headers, i, prefix, keyed = {}, {}, 0, "", false
function init(args)
  prefix = args[3]
  for line in io.lines(args[2]) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
    keyed = keyed or value == "@"
  end
  for line in io.lines(args[1]) do
    local method, path, purpose, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    if purpose ~= "" then headers["Purpose-Of-Use"] = purpose end
    requests[#requests + 1] = {method, path, body ~= "" and body or nil}
    if not keyed then requests[#requests] = wrk.format(method, path, headers, requests[#requests][3]) end
  end
end
function request()
  i = i + 1
  local r = requests[(i - 1) % #requests + 1]
  if not keyed then return r end
  headers["Idempotency-Key"] = prefix .. i
  return wrk.format(r[1], r[2], headers, r[3])
end
function done(summary, latency)
  io.write(string.format('RESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"bytes":%d,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.bytes,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
