"""What Redis does in one step to the record of one key. Versions are integers below 2^53, which Lua holds exactly."""

from __future__ import annotations

from .ports import Script

REFUSED, NEW, REPLACED = -1, 0, 1

WRITE = Script(
    """
local tombstone = redis.call('GET', KEYS[2])
if tombstone and tonumber(ARGV[3]) < tonumber(tombstone) then
  return -1
end
local replaced = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if replaced == 1 and ARGV[5] ~= '' then
  redis.call('PUBLISH', ARGV[4], ARGV[5])
end
return replaced
"""
)
"""Write a record unless its key was dropped later than the app was asked.

Names: record, tombstone. Arguments: value, milliseconds to keep it, `seen`, channel, and what to publish there if
something was replaced, empty for nothing. Returns REFUSED, NEW or REPLACED.
"""

DROP = Script(
    """#!lua flags=allow-oom
local tombstone = redis.call('GET', KEYS[2])
if not tombstone or tonumber(tombstone) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end
return redis.call('UNLINK', KEYS[1])
"""
)
"""Drop a record, and refuse what was under way for its key.

Names: record, tombstone. Arguments: the cluster version of the drop, and milliseconds to keep the tombstone. Returns
how many records there were. An older version never replaces a newer one. A Redis that is full takes it as it takes the
journal (`allow-oom`, Redis 7): it frees more than it needs, and what waits for it would keep all purges waiting.
"""

TOMBSTONE_PX = 3_600_000
"""Milliseconds that a tombstone is kept: no answer is under way for an hour."""
