"""What Redis does in one step to the journal of purges. It runs nothing.

All names are in one slot, in this order: state (a hash: incarnation, last version given, version of the last change,
version up to which changes may have been forgotten), hard (tag by version), soft (tag by newest version), moments (by
soft tag: its moment, and version and moment of the older mark), drops (key by version), members (process by the end of
its lease). Versions and moments are microseconds of Redis's clock; Lua holds them exactly up to 2^53. The three sets
hold an empty member from the beginning: one that is missing was evicted, and with it what nobody may forget.

They last for 40 days after the last change, longer than `HORIZON`, so than any record that a purge concerns.

`allow-oom` (Redis 7): a Redis that is full still takes what is purged; it is little, and bounded.
"""

from __future__ import annotations

from .ports import Script

_OPEN = """#!lua flags=allow-oom
local function text(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local node, seen, token, lease, forget = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local state = redis.call('HMGET', KEYS[1], 'incarnation', 'last', 'changed', 'floor')
local incarnation = state[1]
local last, changed, floor = tonumber(state[2] or 0), tonumber(state[3] or 0), tonumber(state[4] or 0)
if not incarnation or redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[5]) < 3 then
  incarnation = token
  for _, name in ipairs({KEYS[2], KEYS[3], KEYS[5]}) do
    redis.call('ZADD', name, 0, '')
    changed = math.max(changed, tonumber(redis.call('ZREVRANGE', name, 0, 0, 'WITHSCORES')[2]))
  end
  floor = math.max(last, changed, now)
end
last = math.max(last, changed, seen, now)
local function keep()
  redis.call('HSET', KEYS[1], 'incarnation', incarnation, 'last', text(last), 'changed', text(changed),
    'floor', text(floor))
end
local function prolong()
  for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, 3456000000) end
end
"""

LOOK = Script(
    _OPEN
    + """
local page = tonumber(ARGV[6])
local before = redis.call('ZSCORE', KEYS[6], node) or '0'
redis.call('ZADD', KEYS[6], text(now + lease), node)
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', text(now - forget))
redis.call('TOUCH', KEYS[4])
keep()
if seen == 0 then prolong() end
local bound = last
local function newer(name)
  local rows = redis.call('ZRANGEBYSCORE', name, '(' .. text(seen), '+inf', 'WITHSCORES', 'LIMIT', 0, page)
  if #rows == 2 * page then bound = math.min(bound, tonumber(rows[#rows])) end
  return rows
end
local hard, soft, drops = newer(KEYS[2]), newer(KEYS[3]), newer(KEYS[5])
local moments = {}
for at = 1, #soft, 2 do moments[#moments + 1] = redis.call('HGET', KEYS[4], soft[at]) or '' end
local gap = (seen > 0 and seen < floor) and 1 or 0
local members = redis.call('ZRANGE', KEYS[6], 0, -1)
local complete = bound == last and 1 or 0
return {incarnation, now, bound, complete, gap, before, now + lease, hard, soft, moments, drops, members}
"""
)
"""Renew a lease, and return what changed.

Arguments: process, `seen`, a token for a new incarnation, microseconds of a lease and after which a lapsed one is
forgotten, and how many rows of a set to return. Returns incarnation, now, the version up to which all changes are in
this reply or before it, whether these are all, whether some may have been forgotten, when the lease was to end and
when it ends now, rows (of hard marks, soft marks, the latter's moments, drops), and who is alive or lapsed lately.
"""

WRITE = Script(
    _OPEN
    + """
local horizon, reach, most_tags, most_drops = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local everything, channel, payload = ARGV[10], ARGV[11], ARGV[12]
local hards, softs, keys = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local previous, version, at = changed, last, 16
local function score_of(name, tag) return tonumber(redis.call('ZSCORE', name, tag) or 0) end
local function is_known(name, tag, known)
  if known == 0 then return false end
  return math.max(score_of(KEYS[2], everything), score_of(name, everything), score_of(name, tag)) >= known
end
local function marks_of(tag)
  local score = redis.call('ZSCORE', KEYS[3], tag)
  if not score then return {} end
  local moment, older, since = string.match(redis.call('HGET', KEYS[4], tag) or '', '^(%d+) (%d+) (%d+)$')
  local marks = {{tonumber(score), tonumber(moment or score)}}
  if older and older ~= '0' then marks[2] = {tonumber(older), tonumber(since)} end
  return marks
end
local function set_marks(tag, marks)
  table.sort(marks, function(one, other) return one[1] > other[1] end)
  local older, since = 0, 0
  for index = 2, #marks do
    older = math.max(older, marks[index][1])
    since = since == 0 and marks[index][2] or math.min(since, marks[index][2])
  end
  redis.call('ZADD', KEYS[3], text(marks[1][1]), tag)
  redis.call('HSET', KEYS[4], tag, text(marks[1][2]) .. ' ' .. text(older) .. ' ' .. text(since))
end
for _ = 1, hards do
  if not is_known(KEYS[2], ARGV[at], tonumber(ARGV[at + 1])) then
    version = version + 1
    redis.call('ZADD', KEYS[2], text(version), ARGV[at])
  end
  at = at + 2
end
for _ = 1, softs do
  if not is_known(KEYS[3], ARGV[at], tonumber(ARGV[at + 1])) then
    version = version + 1
    local marks = marks_of(ARGV[at])
    marks[#marks + 1] = {version, now - tonumber(ARGV[at + 2])}
    set_marks(ARGV[at], marks)
  end
  at = at + 3
end
for _ = 1, keys do
  version = version + 1
  redis.call('ZADD', KEYS[5], text(version), ARGV[at])
  at = at + 1
end
if version > last then
  changed = version
  local function trim(name, age, most)
    if redis.call('ZREMRANGEBYSCORE', name, '(0', text(now - age)) > 0 then floor = math.max(floor, now - age) end
    return redis.call('ZCARD', name) - 1 - most
  end
  local function oldest(name)
    local rows = redis.call('ZRANGE', name, 1, 2, 'WITHSCORES')
    if rows[1] == everything then return rows[3], tonumber(rows[4]) end
    return rows[1], tonumber(rows[2])
  end
  for _ = 1, trim(KEYS[2], horizon, most_tags) do
    local tag, score = oldest(KEYS[2])
    redis.call('ZREM', KEYS[2], tag)
    redis.call('ZADD', KEYS[2], text(math.max(score_of(KEYS[2], everything), score)), everything)
  end
  for _, tag in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(0', text(now - horizon))) do
    redis.call('HDEL', KEYS[4], tag)
  end
  for _ = 1, trim(KEYS[3], horizon, most_tags) do
    local tag = oldest(KEYS[3])
    local marks = marks_of(everything)
    for _, mark in ipairs(marks_of(tag)) do marks[#marks + 1] = mark end
    redis.call('ZREM', KEYS[3], tag)
    redis.call('HDEL', KEYS[4], tag)
    set_marks(everything, marks)
  end
  local surplus = trim(KEYS[5], reach, most_drops)
  if surplus > 0 then
    floor = math.max(floor, tonumber(redis.call('ZRANGE', KEYS[5], surplus, surplus, 'WITHSCORES')[2]))
    redis.call('ZREMRANGEBYRANK', KEYS[5], 1, surplus)
  end
  redis.call('PUBLISH', channel, incarnation .. ' ' .. text(version) .. ' ' .. text(previous) .. ' ' .. payload)
  prolong()
elseif hards + softs + keys == 0 then
  version = version + 1
end
last = version
keep()
redis.call('ZADD', KEYS[6], 'XX', text(now + lease), node)
local alive = redis.call('ZRANGEBYSCORE', KEYS[6], '(' .. text(now), '+inf')
local lapsed = redis.call('ZCOUNT', KEYS[6], '(' .. text(now - forget), text(now))
return {incarnation, previous, version, changed, now + lease, lapsed, alive}
"""
)
"""Give versions to purges and drops, keep them, and publish them.

Arguments: as for `LOOK` up to the fifth; after how many microseconds marks and drops are forgotten; how many there may
be of each; the tag of everything; channel and payload; how many hard tags, soft tags and keys follow; hard tags, each
with a version that makes it known already, 0 for none; soft tags, each with such a version and its age in microseconds;
keys. With none of these a version is given and nothing else. Returns incarnation, the version of the change before,
the last version given, that of the last change, when the lease ends, how many processes lapsed without a farewell, and
who is alive.
"""
