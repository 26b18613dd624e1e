/**
 * What Redis does in one step, in Lua: nothing else sees half of it, and a crash leaves all of it or nothing in the append-only file.
 * Each may be run twice (a connection was lost before the answer came) with the outcome of once.
 */

/**
 * Makes a campaign unless it is there.
 * KEYS: the campaign, the list of campaigns. ARGV: name, field, value, field, value, …
 */
export const CREATE = `
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV, 2)) end
redis.call('SADD', KEYS[2], ARGV[1])
return redis.call('HGETALL', KEYS[1])`;

/**
 * Enters a shard. The bit decides: only who sets it counts.
 * KEYS: campaign, done bits, totals, counts, findings, finding runs, tries.
 * ARGV: shard, cases, differing, number of counts, (name, count)…, (finding, run, text)…
 * Of equal findings the one of the lowest case is kept, whoever came first: the same seed gives the same report.
 */
export const COMPLETE = `
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('SETBIT', KEYS[2], ARGV[1], 1) == 1 then return 0 end
redis.call('HDEL', KEYS[7], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'shards', 1)
redis.call('HINCRBY', KEYS[3], 'cases', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'differing', ARGV[3])
local at = 5
for i = 1, tonumber(ARGV[4]) do
  redis.call('HINCRBY', KEYS[4], ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at <= #ARGV do
  local known = redis.call('HGET', KEYS[6], ARGV[at])
  if not known or tonumber(ARGV[at + 1]) < tonumber(known) then
    redis.call('HSET', KEYS[6], ARGV[at], ARGV[at + 1])
    redis.call('HSET', KEYS[5], ARGV[at], ARGV[at + 2])
  end
  at = at + 3
end
return 1`;

/**
 * Asks for a shard before it is run. Returns 0 when it is done already, −1 when the campaign is gone, else how often it was begun.
 * KEYS: campaign, done bits, tries. ARGV: shard.
 */
export const BEGIN = `
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('GETBIT', KEYS[2], ARGV[1]) == 1 then return 0 end
return redis.call('HINCRBY', KEYS[3], ARGV[1], 1)`;

/**
 * A sign of life, by Redis' clock. Returns what the campaign says of its end: '1', '0', or nothing when it is gone.
 * KEYS: campaign, workers, beats. ARGV: worker, what it says of itself, seconds after which others are forgotten.
 */
export const BEAT = `
local now = tonumber(redis.call('TIME')[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], now, ARGV[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3])) do
  redis.call('HDEL', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
return redis.call('HGET', KEYS[1], 'ended')`;

/**
 * The workers that gave a sign of life.
 * KEYS: workers, beats. ARGV: seconds.
 */
export const ALIVE = `
local now = tonumber(redis.call('TIME')[1])
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now - ARGV[1], '+inf')) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[1], id) or '{}'
end
return found`;
