// The commands of the stores in Redis, as scripts that the server runs each as one: an entry, its place in the order of
// use and its bytes change together, whatever other machines do at the time and whenever a client or the server dies.
//
// A pool has three keys: a hash or a string for each entry, a sorted set USE of its members by the time of their last
// use in µs of the server's clock, and a hash BYTES of their sizes, whose field "" is their sum. Entries expire by
// themselves; a look-up that finds one gone, or an eviction, takes it out of USE and BYTES. A server that evicts may
// lose USE or BYTES: the other is then dropped, and the entries that they do not know expire.
//
// The server is not trusted to hold what was written: values of another type are misses, and numbers that are none too.
#pragma once

#include <string>
#include <string_view>

namespace frugal::redis {

/// KEYS: USE, BYTES, … ARGV: prefix of entries, member, prefix of neighbours, maximum age in seconds, …
inline constexpr std::string_view kCommon = R"lua(
local use, bytes, prefix, member, near_prefix, age = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local seconds, order = tonumber(time[1]), time[1] .. string.format('%06d', time[2])
local function text(value) return type(value) == 'string' and value or nil end
local function forget(name)
  local near = text(redis.pcall('HGET', prefix .. name, 'near'))
  if near then redis.pcall('ZREM', near_prefix .. near, name) end
  redis.call('DEL', prefix .. name)
  redis.pcall('ZREM', use, name)
  local size = tonumber(text(redis.pcall('HGET', bytes, name)) or '')
  if size then
    redis.pcall('HDEL', bytes, name)
    redis.pcall('HINCRBY', bytes, '', string.format('%.0f', -size))
  end
end
local function touch(name, near)
  redis.pcall('ZADD', use, 'XX', order, name)
  if near then redis.pcall('ZADD', near_prefix .. near, 'XX', order, name) end
end
local function read(name)
  local e = redis.pcall('HMGET', prefix .. name, 'question', 'body', 'checksum', 'created', 'used', 'hits', 'near')
  local created = not e.err and tonumber(e[4] or '')
  if not (created and created > seconds - age and e[1] and e[2] and e[3]) then return nil end  -- not of NaN either
  return e
end
local function mark(name, near)
  redis.call('HSET', prefix .. name, 'used', seconds)
  redis.pcall('HINCRBY', prefix .. name, 'hits', 1)
  touch(name, near)
end
)lua";

inline constexpr std::string_view kFind = R"lua(
local e = read(member)
if not e then forget(member) return false end
mark(member, e[7])
return e
)lua";

/// KEYS[3]: neighbours. ARGV: … maximum number, maximum bytes. Of each result the fields and the member.
inline constexpr std::string_view kFindSimilar = R"lua(
local found, total = {}, 0
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[3], 0, 63)) do
  local e = read(name)
  if e then
    total = total + #e[2]
    if #found >= tonumber(ARGV[5]) or (#found > 0 and total > tonumber(ARGV[6])) then break end
    e[7], e[8] = e[7] or '', name
    found[#found + 1] = e
  else
    redis.call('ZREM', KEYS[3], name)
  end
end
return found
)lua";

inline constexpr std::string_view kFindBytes = R"lua(
local value = redis.pcall('GET', prefix .. member)
if type(value) ~= 'string' then forget(member) return false end
touch(member)
return value
)lua";

/// ARGV: … size, maximum bytes, neighbours or "", body, question, checksum. Without neighbours the entry is a string.
inline constexpr std::string_view kPut = R"lua(
if redis.call('HLEN', bytes) ~= redis.call('ZCARD', use) + 1 then redis.call('DEL', use, bytes) end
forget(member)
local entry, size, limit, near = prefix .. member, ARGV[5], tonumber(ARGV[6]), ARGV[7]
if near == '' then
  redis.call('SET', entry, ARGV[8])
else
  redis.call('HSET', entry, 'body', ARGV[8], 'question', ARGV[9], 'checksum', ARGV[10], 'created', seconds,
             'used', seconds, 'hits', 0, 'near', near)
  redis.call('ZADD', near_prefix .. near, order, member)
  redis.call('EXPIRE', near_prefix .. near, age)
end
redis.call('EXPIRE', entry, age)
redis.call('ZADD', use, order, member)
redis.call('HSET', bytes, member, size)
redis.call('HINCRBY', bytes, '', size)
redis.call('EXPIRE', use, age)
redis.call('EXPIRE', bytes, age)
local expired = string.format('%.0f', (seconds - age) * 1000000)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', use, '-inf', expired, 'LIMIT', 0, 64)) do forget(name) end
for _ = 1, 1000 do
  if (tonumber(redis.call('HGET', bytes, '') or '') or 0) <= limit then break end
  local oldest = redis.call('ZRANGE', use, 0, 0)[1]
  if not oldest then break end
  forget(oldest)
end
return 1
)lua";

/// KEYS[3]: matches. ARGV: … the question that was asked, maximum number of matches.
inline constexpr std::string_view kRecordMatch = R"lua(
local e = read(member)
if not e then return false end
mark(member, e[7])
redis.call('RPUSH', KEYS[3], seconds .. ':' .. #ARGV[5] .. ':' .. ARGV[5] .. e[1])
redis.call('LTRIM', KEYS[3], -ARGV[6], -1)
redis.call('EXPIRE', KEYS[3], age)
return 1
)lua";

inline constexpr std::string_view kForget = "forget(member) return 1";

}  // namespace frugal::redis
