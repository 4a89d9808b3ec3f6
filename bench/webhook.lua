-- SPDX-License-Identifier: MIT
-- wrk's requests: a 1.5 KiB webhook each, every one of another conversation and delivery.
local filler = string.rep("x", 1180)
local n = 0
local run = os.getenv("BENCH_RUN") or "0"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer bench-secret"
function request()
  n = n + 1
  local id = run .. "-" .. n
  return wrk.format(nil, nil, nil, string.format(
    '{"id":"d-%s","type":"opened","timestamp":"%s","conversation":"c-%s","email":"p%s@example.com","text":"%s"}',
    id, os.date("!%Y-%m-%dT%H:%M:%SZ"), id, id, filler))
end
function response(status)
  if status ~= 200 then wrk.thread:stop() end
end
