-- One step of a SCAN: the next cursor, then a line for each key: database, key, type, SHA-1 of its value, and when it expires in ms
-- of Unix time (-1: never). What has no order is sorted, so that the same value gives the same sum whatever its encoding.
local step = redis.call('SCAN', ARGV[1], 'COUNT', 500)
local out = {step[1]}
local function plain(text)
  return (text:gsub('[^%w:._/-]', function(c) return string.format('%%%02x', c:byte()) end))
end
local function pairs_of(flat)
  local all = {}
  for i = 1, #flat, 2 do all[#all + 1] = #flat[i] .. ':' .. flat[i] .. '=' .. flat[i + 1] end
  table.sort(all)
  return all
end
local function sum(parts)
  for i = 1, #parts do parts[i] = #parts[i] .. ':' .. parts[i] end
  return redis.sha1hex(table.concat(parts))
end
for _, key in ipairs(step[2]) do
  local kind, parts = redis.call('TYPE', key)['ok'], nil
  if kind == 'string' then
    parts = {redis.call('GET', key)}
  elseif kind == 'list' then
    parts = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then
    parts = redis.call('SMEMBERS', key)
    table.sort(parts)
  elseif kind == 'hash' then
    parts = pairs_of(redis.call('HGETALL', key))
  elseif kind == 'zset' then
    parts = pairs_of(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'))
  elseif kind == 'stream' then
    parts = {}
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      parts[#parts + 1] = entry[1]
      for _, field in ipairs(entry[2]) do parts[#parts + 1] = field end
    end
  end
  if parts then
    local expires = string.format('%.0f', redis.call('PEXPIRETIME', key))
    out[#out + 1] = 'db' .. ARGV[2] .. ' ' .. plain(key) .. ' ' .. kind .. ' ' .. sum(parts) .. ' ' .. expires
  end
end
return out
