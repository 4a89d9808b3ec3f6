-- SPDX-License-Identifier: MIT
-- wrk's requests: a webhook each. The ids are a permutation of a counter, in no order, because ids in order would be
-- cheap for the store's b-trees. A request is one concatenation, so that wrk does not become the limit.
-- Environment:
--   BENCH_RUN     a number; another number gives other ids
--   BENCH_KIND    opened: every one of another conversation and delivery (default)
--                 duplicate: the same 1,000 deliveries again and again
--                 ignored: of a kind that the definition does not name
--                 lookup: every tenth goes to /webhooks/desk, the others to wrk's URL
--   BENCH_SIZE    bytes of a body
--   BENCH_TOKEN   the bearer token
--   BENCH_KEY     the key of the signature (HMAC-SHA256 of the body); then there is no token
--   BENCH_PAUSE   milliseconds that a connection waits before each request
local ffi = require("ffi")
local bit = require("bit")
ffi.cdef [[
long time(long *);
int gnutls_hmac_fast(int algorithm, const void *key, size_t key_size, const void *text, size_t size, void *digest);
]]

local kind = os.getenv("BENCH_KIND") or "opened"
local size = tonumber(os.getenv("BENCH_SIZE") or "1536")
local key = os.getenv("BENCH_KEY")
local pause = tonumber(os.getenv("BENCH_PAUSE") or "0")
local first = ffi.new("uint64_t", tonumber(os.getenv("BENCH_RUN") or "0")) * 0x100000000ULL
local transition = kind == "ignored" and "note" or "opened"
local token = os.getenv("BENCH_TOKEN") or "bench-secret"
local n = 0
local second, stamp, head, desk_head, tail

local function next_id()
  n = n + 1
  return bit.tohex((first + (kind == "duplicate" and n % 1000 or n)) * 0x9E3779B97F4A7C15ULL)
end

-- The time of the run's requests, to the second.
local function time()
  local now = tonumber(ffi.C.time(nil))
  if now ~= second then
    second, stamp = now, os.date("!%Y-%m-%dT%H:%M:%SZ", now)
  end
  return stamp
end

local function body(id)
  return '{"id":"d-' .. id .. '","type":"' .. transition .. '","timestamp":"' .. time() ..
    '","conversation":"c-' .. id .. '","email":"p' .. id .. '@example.com","customer":"k' .. id ..
    '","text":"' .. tail
end

local gnutls, digest, words
local function sign(text)
  gnutls.gnutls_hmac_fast(6, key, #key, text, #text, digest)
  local hex = ""
  for i = 0, 7 do
    hex = hex .. bit.tohex(bit.bswap(words[i]))
  end
  return hex
end

local function start(path)
  return "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
    "\r\nContent-Type: application/json\r\nContent-Length: " .. size ..
    (key and "\r\nX-Signature: sha256=" or "\r\nAuthorization: Bearer " .. token .. "\r\n\r\n")
end

function init()
  tail = '"}'
  tail = string.rep("x", size - #body(next_id())) .. tail
  head, desk_head = start(wrk.path), start("/webhooks/desk")
  if key then
    local found
    found, gnutls = pcall(ffi.load, "gnutls")
    if not found then gnutls = ffi.load("libgnutls.so.30") end
    digest = ffi.new("uint8_t[32]")
    words = ffi.cast("int32_t *", digest)
  end
end

function request()
  local text = body(next_id())
  if key then return head .. sign(text) .. "\r\n\r\n" .. text end
  if kind == "lookup" and n % 10 == 0 then return desk_head .. text end
  return head .. text
end

if pause > 0 then
  function delay()
    return pause
  end
end
