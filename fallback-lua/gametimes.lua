--[[
gametimes, the fallback script: records every round with its true times where the module cannot run.

Load it with  lua_modules "... luascripts/gametimes.lua"  AFTER the stats script, so that the stats file of an interrupted
round exists when this script looks for its name. The script writes the same gametimes files and posts the same STATS_READY
message as the module, with the same settings. While the module records, the script does nothing: exactly one of the two
records a round.

How a round is recorded:
  * The game reports what happens: et_Obituary a death, et_ClientSpawn a spawn, the print "Exit: ..." the end. Nothing is
    guessed from health or pm_type, because a player in limbo who follows another one has that player's state.
  * A printed line proves nothing, because a player's name can look like it. It counts only in the game's exact form, and only if
    the game's state agrees by the end of the same call.
  * The game stamps deaths and spawns with its own clock (deathTime, pers.lastSpawnTime), so their times are exact although a
    script runs only at the end of a frame.
  * All times are level times, which continue during a pause. Pauses are subtracted once, when the round is over.
  * A callback never returns a value (a number returned from et_Obituary stops the scripts loaded after this one) and never
    raises an error.
  * Only with gametimes_live 1, the live file is written in a frame every two seconds, without waiting for the disk.
  * No process is started in a frame of play, only when a map is loaded, in the intermission, and at shutdown.

Written for Lua 5.4; it also runs on 5.3. See docs/ for settings, files and log lines.
]]

local VERSION = "0.2.0"
local SCHEMA = 2

-- cvar gamestate: set by the command `map`; during a round; in the seconds before it; before these; after it; when a match was reset before or after a round
local INITIALIZE, PLAYING, COUNTDOWN, WARMUP, INTERMISSION, RESET = -1, 0, 1, 2, 3, 5
local AXIS, ALLIES = 1, 2
local STOPWATCH, LAST_MAN_STANDING = 3, 5      -- g_gametype
local LIMBO = 0x4000                           -- ps.pm_flags
local DEAD = 3                                 -- ps.pm_type
local PERS_KILLED = 6                          -- index of the number of deaths in ps.persistant
local PAUSED = 0x10                            -- configstring server toggles
local CS = { vote_time = 6, vote = 7, start = 11, intermission = 12, info = 13, winner = 14, waves = 31, toggles = 32,
  players = 689 }
local MAX_CLIENTS = 64
local WORLD = 1022                             -- the killer of a player whom no player killed
local MAP_LIMIT, NAME_LIMIT, CVAR_LIMIT = 64, 64, 256 -- characters; readers refuse more
local GAMETYPE_LIMIT = 64
local TIMELIMIT_LIMIT = 100000                 -- minutes

local START_MS = 1000                          -- who joins a team by then is in it from the start
local EVENTS_LIMIT = 20000                     -- two hours of heavy fighting on a full server
local OBJECTIVES_LIMIT = 2000                  -- of them, so that a map that announces something in every frame leaves room for deaths
local REPAIR_EVERY_MS = 5000                   -- further repairs of a player within this time are not listed
local TEXT_LIMIT = 104                         -- bytes of the name of an objective
local INTERVALS_LIMIT = 256                    -- of one team's waves
local INTERVAL_LIMIT_MS = 86400000
local PEOPLE_LIMIT = 4 * MAX_CLIENTS
local PAUSES_LIMIT = 200                       -- in the list; further pauses stop the clock too
local MODES = "0640"                           -- permissions of gametimes files, if gametimes_file_mode is not set
local URL_FILE_LIMIT = 65536                   -- bytes of the file of URLs
local STATS_FILE_WAIT_MS = 5000                -- how long the message waits for the stats file
local OUTBOX_LIMIT = 500
local SENDER_SECONDS = 600                     -- how long a background sender retries before it gives up

-- ---------------------------------------------------------------------------------------------------------------------
-- Log

local function now_ms() return et.trap_Milliseconds() end

local function log(format, ...)
  local line = select("#", ...) > 0 and string.format(format, ...) or format
  et.G_Print("[gametimes] " .. line:gsub("[\0-\x1F\x7F]", " "):sub(1, 980) .. "\n")
end

local debug_on = false
local function log_debug(...) if debug_on then log(...) end end

local complaints = {}
--- Logs something that can happen in every frame: each kind at most once in five seconds, with a count.
local function complain(kind, message)
  local c = complaints[kind]
  if not c then c = { count = 0 }; complaints[kind] = c end
  c.count = c.count + 1
  local now = now_ms()
  if not c.said or now - c.said >= 5000 or now < c.said then
    log("%s: %s%s", kind, tostring(message), c.count > 1 and string.format(" (%d times)", c.count) or "")
    c.said, c.count = now, 0
  end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Queries to the engine

local slots = MAX_CLIENTS
local function is_slot(n) return math.type(n) == "integer" and n >= 0 and n < slots end

local function cvar(name) return et.trap_Cvar_Get(name) or "" end

--- A field of a client; nil if it does not exist. The engine does not check the slot, so this function does.
local function field(slot, name)
  if not is_slot(slot) then return nil end
  local ok, value = pcall(et.gentity_get, slot, name)
  if not ok then
    complain("field " .. name, value)
    return nil
  end
  return value
end

--- The number at the start, as C's atoi reads it.
local function leading_number(text)
  return math.tointeger(tonumber(tostring(text or ""):match("^%s*(-?%d+)") or 0)) or 0
end

--- A function like leading_number for a text that is read in every frame and seldom changes.
local function remembered_number()
  local last, number
  return function(text)
    if text ~= last then last, number = text, leading_number(text) end
    return number
  end
end

local function configstring(n) return et.trap_GetConfigstring(n) or "" end

--- A gametype that readers accept; 0, which no game has, for others.
local function gametype()
  local value = leading_number(cvar("g_gametype"))
  return value >= 0 and value <= GAMETYPE_LIMIT and value or 0
end

--- A time limit in minutes; 0 if it is invalid.
local function minutes_of(name)
  local value = tonumber(cvar(name):match("^%s*([+-]?[%d.]+)")) or 0
  return value >= 0 and value <= TIMELIMIT_LIMIT and value or 0
end

local function timelimit() return minutes_of("timelimit") end

--- The value of a key in an info string.
local function info_value(info, key)
  local keys = info:sub(1, 1) == "\\" and info:sub(2) or info
  local name
  for part in (keys .. "\\"):gmatch("([^\\]*)\\") do
    if name == nil then
      name = part
    else
      if name == key then return part end
      name = nil
    end
  end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Text

--- A string of the engine as UTF-8 without control characters. If it is not valid UTF-8, it is read as Latin-1.
local function decode(bytes)
  if not utf8.len(bytes) or bytes:find("\xED[\xA0-\xBF]") then
    bytes = bytes:gsub("[\x80-\xFF]", function(c) return utf8.char(c:byte()) end)
  end
  return (bytes:gsub("[\0-\x1F\x7F]", ""):gsub("\xC2[\x80-\x9F]", ""))
end

--- Removes colour codes: a ^ and the character after it. A ^ before another ^, or at the end, stays.
local function strip_colors(text)
  local out, pending = {}, false
  for c in text:gmatch(utf8.charpattern) do
    if not pending then
      if c == "^" then pending = true else out[#out + 1] = c end
    elseif c == "^" then
      out[#out + 1] = "^"
    else
      pending = false
    end
  end
  if pending then out[#out + 1] = "^" end
  return table.concat(out)
end

local function plain(bytes) return strip_colors(decode(bytes or "")) end

--- The map in the id of a round: in lower case, without colour codes and the blanks around it.
local function canonical_map(map)
  local text = strip_colors(map):match("^%s*(.-)%s*$"):gsub("[A-Z]", function(c) return string.char(c:byte() + 32) end)
  -- The capitals of Latin-1, except the multiplication sign.
  return (text:gsub("\xC3([\x80-\x96\x98-\x9E])", function(c) return "\xC3" .. string.char(c:byte() + 32) end))
end

--- The first n characters.
local function head(text, n)
  local at = utf8.offset(text, n + 1)
  return at and text:sub(1, at - 1) or text
end

local NULL = {}                                -- JSON null
local json

local function json_string(text)
  return '"' .. text:gsub('[\0-\x1F\x7F"\\]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    return string.format("\\u%04x", c:byte())
  end) .. '"'
end

--- Makes an object of keys and values: object("a", 1, "b", true). Keys with the value nil are omitted.
local function object(...)
  local out, n = {}, select("#", ...)
  local args = { ... }
  for i = 1, n, 2 do
    if args[i + 1] ~= nil then out[#out + 1] = json_string(args[i]) .. ":" .. json(args[i + 1]) end
  end
  return setmetatable({ "{" .. table.concat(out, ",") .. "}" }, NULL)
end

--- Encodes strings, numbers, booleans, lists, NULL, and objects made by object().
function json(value)
  local kind = type(value)
  if kind == "string" then return json_string(value) end
  if kind == "boolean" then return tostring(value) end
  if math.type(value) == "integer" then return string.format("%d", value) end
  if kind == "number" then return (string.format("%.14g", value):gsub(",", ".")) end
  if value == NULL then return "null" end
  if getmetatable(value) == NULL then return value[1] end
  local out = {}
  for i, v in ipairs(value) do out[i] = json(v) end
  return "[" .. table.concat(out, ",") .. "]"
end

-- ---------------------------------------------------------------------------------------------------------------------
-- SHA-256 (FIPS 180-4) and HMAC (RFC 2104)

local sha256
do
  local H0 = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  }
  local K = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  }

  local function rotate(x, n) return ((x >> n) | (x << (32 - n))) & 0xffffffff end

  --- The digest as 32 bytes.
  function sha256(message)
    local data = message .. "\x80" .. ("\0"):rep((55 - #message) % 64) .. string.pack(">I8", #message * 8)
    local h = { table.unpack(H0) }
    local w = {}
    for block = 1, #data, 64 do
      for i = 1, 16 do w[i] = string.unpack(">I4", data, block + (i - 1) * 4) end
      for i = 17, 64 do
        local a, b = w[i - 15], w[i - 2]
        local s0 = rotate(a, 7) ~ rotate(a, 18) ~ (a >> 3)
        local s1 = rotate(b, 17) ~ rotate(b, 19) ~ (b >> 10)
        w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & 0xffffffff
      end
      local a, b, c, d, e, f, g, hh = table.unpack(h)
      for i = 1, 64 do
        local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
        local t1 = hh + s1 + ((e & f) ~ (~e & g)) + K[i] + w[i]
        local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
        local t2 = s0 + ((a & b) ~ (a & c) ~ (b & c))
        hh, g, f, e, d, c, b, a = g, f, e, (d + t1) & 0xffffffff, c, b, a, (t1 + t2) & 0xffffffff
      end
      for i, v in ipairs({ a, b, c, d, e, f, g, hh }) do h[i] = (h[i] + v) & 0xffffffff end
    end
    return string.pack(">I4I4I4I4I4I4I4I4", table.unpack(h))
  end
end

local function hex(bytes)
  return (bytes:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local function hmac_sha256(key, message)
  if #key > 64 then key = sha256(key) end
  key = key .. ("\0"):rep(64 - #key)
  local function pad(byte)
    return (key:gsub(".", function(c) return string.char(c:byte() ~ byte) end))
  end
  return sha256(pad(0x5c) .. sha256(pad(0x36) .. message))
end

--- A UUIDv7 (RFC 9562): unix milliseconds and 74 random bits.
local function uuid7(unix)
  local random
  local source = io.open("/dev/urandom", "rb")
  if source then
    random = source:read(16)
    source:close()
  end
  if not random or #random < 16 then
    random = sha256(table.concat({ unix, os.clock(), now_ms(), tostring({}), cvar("net_port") }, " "))
  end
  local a, b = string.unpack(">I2I8", random)
  local ms = unix * 1000 + now_ms() % 1000
  local text = hex(string.pack(">I6I2I8", ms, 0x7000 | (a & 0xfff), (b & 0x3fffffffffffffff) | (1 << 63)))
  return (text:gsub("^(" .. ("%x"):rep(8) .. ")(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Files

local WINDOWS = package.config:sub(1, 1) == "\\"

local function read_file(path)
  local file, err = io.open(path, "rb")
  if not file then return nil, err end
  local text = file:read("a")
  file:close()
  return text
end

--- Writes a file under a temporary name and renames it, so that a reader never sees an incomplete one.
local function write_file(path, text, tmp)
  tmp = tmp or path .. ".tmp"
  local file, err = io.open(tmp, "wb")
  if not file then return nil, err end
  local ok
  ok, err = file:write(text)
  if ok then ok, err = file:close() else file:close() end
  if ok then ok, err = os.rename(tmp, path) end
  if not ok then os.remove(tmp) end
  return ok, err
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- ---------------------------------------------------------------------------------------------------------------------
-- Settings

local settings, home, url_fault, integer_setting, secrets, first_map, give_back_secrets, read_folder, read_settings
do
  settings = {}

  function integer_setting(name, default, least, most)
    local text = cvar(name)
    if text == "" then return default end
    local value = math.tointeger(tonumber(text:match("^%s*([+-]?%d+)%s*$")))
    if not value or value < least or value > most then
      log('%s: "%s" is not a whole number from %d to %d; %d is used', name, decode(text), least, most, default)
      return default
    end
    return value
  end

  local function resolve(path)
    if path:sub(1, 1) == "/" or (WINDOWS and path:find("^%a:")) then return path end
    return home .. "/" .. path
  end

  local DISCORD_HOSTS = { ["discord.com"] = true, ["discordapp.com"] = true, ["ptb.discord.com"] = true,
    ["canary.discord.com"] = true }

  local function is_loopback(host)
    return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
  end

  --- What is wrong with a URL, or nil if it is that of a webhook at Discord, on this host, or on one of the allowed hosts. A URL is
  --- a secret and is never logged.
  function url_fault(text, allowed)
    if text:find("[^!#-;=?-Z%[%]_a-z~]") then return "it contains invalid characters" end
    local scheme, authority, path = text:match("^(%a+)://([^/?#]*)([^?#]*)")
    scheme = scheme and scheme:lower()
    if scheme ~= "https" and scheme ~= "http" then return "it does not start with https://" end
    local host = authority:gsub(":%d*$", ""):lower()
    if host == "" then return "it has no host" end
    if authority:find("@", 1, true) then return "it contains a user name" end
    if #path < 2 then return "it has no path" end
    if allowed[host] or is_loopback(host) then return nil end
    if not DISCORD_HOSTS[host] then return "its host is not discord.com; gametimes_webhook_hosts can allow it" end
    if scheme ~= "https" then return "it does not start with https://" end
    path = path:gsub("^/api/v%d+/", "/api/"):gsub("/+$", "")
    if not path:find("^/api/webhooks/%d+/[^/]+$") then return "its path is not /api/webhooks/ID/TOKEN" end
  end

  -- Secrets that were moved out of the cvars, so that rcon users cannot list them. The engine keeps a cvar's first value as its
  -- default and lists that too, so a cvar that a cfg created is removed first. Created here, it has an empty default.
  secrets = {}

  --- Whether this is the first map that the script records in this process.
  function first_map() return cvar("gametimes_lua_state") == "" end

  local function take_secret(name)
    local value = cvar(name)
    if value ~= "" then
      secrets[name] = value
      et.trap_Cvar_Set(name, "")
      if first_map() then et.trap_SendConsoleCommand(et.EXEC_INSERT or 1, "unset " .. name .. "\n") end
    end
    value = value:match("^%s*(.-)%s*$")
    return value ~= "none" and value or ""
  end

  --- Puts the secrets back for the next map's recorder. Nothing else runs between a shutdown and the next init.
  function give_back_secrets()
    for name, value in pairs(secrets) do
      if cvar(name) == "" then
        et.trap_Cvar_Set(name, "")               -- sets an empty default if the cvar does not exist
        et.trap_Cvar_Set(name, value)
      end
    end
    secrets = {}
  end

  local function allowed_hosts()
    local hosts, n = {}, 0
    for host in cvar("gametimes_webhook_hosts"):gmatch("%S+") do
      n = n + 1
      if host:find("^[%w%-%._:%[%]]+$") then
        hosts[host:lower()] = true
      else                                       -- not logged, because it may be a URL
        log("gametimes_webhook_hosts: entry %d is not a host name such as hooks.example.org; it is ignored", n)
      end
    end
    return hosts
  end

  --- The text of the file of URLs, as UTF-8 without a byte order mark; nil and an error if it cannot be read.
  local function read_url_file(path)
    local file, err = io.open(path, "rb")
    if not file then return nil, err end
    local text
    text, err = file:read(URL_FILE_LIMIT + 1)    -- a device could be endless
    file:close()
    if err then return nil, path .. ": " .. err end
    text = text or ""
    if #text > URL_FILE_LIMIT then return nil, path .. ": it is not a regular file of at most 65536 bytes" end
    -- Text in UTF-16 begins with one of these marks. Without a mark, it contains zeros.
    if text:find("^\xFF\xFE") or text:find("^\xFE\xFF") or text:find("\0", 1, true) then
      return nil, path .. ": it is in UTF-16; save it again as UTF-8"
    end
    return (text:gsub("\xEF\xBB\xBF", ""))
  end

  local function read_urls()
    local urls, seen, n = {}, {}, 0
    local hosts = allowed_hosts()
    local function add(url, name)
      n = n + 1
      local fault = url_fault(url, hosts)
      if fault then
        log("%s: entry %d is not a webhook URL (%s); expected https://discord.com/api/webhooks/ID/TOKEN; it is ignored", name, n,
          fault)
      elseif not seen[url] then
        seen[url] = true
        urls[#urls + 1] = url
      end
    end
    local text = take_secret("gametimes_webhook_url")
    if #text >= 255 then
      log("gametimes_webhook_url: longer than the 255 characters that a script can read; use gametimes_webhook_file")
    end
    for url in text:gmatch("%S+") do add(url, "gametimes_webhook_url") end
    local name = cvar("gametimes_webhook_file")
    if name:find("://", 1, true) then            -- not logged, because it is a secret
      log("gametimes_webhook_file: expected a file name, found a URL; write the URL into a file and set its name")
    elseif name ~= "" then
      settings.url_file = resolve(name)
      local content, err = read_url_file(settings.url_file)
      if not content then
        log("gametimes_webhook_file: %s; its URLs are not used", decode(tostring(err)))
      end
      for line in (content or ""):gmatch("[^\r\n]+") do
        local url = line:match("^[^#]*"):match("^%s*(.-)%s*$")
        if url ~= "" then add(url, "gametimes_webhook_file") end
      end
    end
    return urls
  end

  --- The permissions of gametimes files, and of a new folder for them.
  local function read_mode()
    local text = cvar("gametimes_file_mode")
    local mode = text:match("^%s*0*(6[0246][0246])%s*$")
    if text ~= "" and not mode then
      log("gametimes_file_mode: \"%s\" is not a file mode such as 0640 or 0644; 0640 is used", decode(text))
    end
    settings.file_mode = mode or MODES
    settings.folder_mode = settings.file_mode:gsub("^0", ""):gsub("%d", function(digit)
      digit = math.tointeger(tonumber(digit))
      return string.format("%d", digit & 4 ~= 0 and digit | 1 or digit)
    end)
  end

  function read_folder()
    local game = cvar("fs_game")
    home = cvar("fs_homepath") .. "/" .. (game ~= "" and game or "legacy")
    local dir = cvar("gametimes_dir")
    settings = { dir = resolve(dir ~= "" and dir or "gametimes"):gsub("/+$", ""), dir_set = dir }
    settings.outbox = settings.dir .. "/outbox/lua"
  end

  function read_settings()
    read_folder()
    log("fs_basepath=%s fs_homepath=%s fs_game=%s", cvar("fs_basepath"), cvar("fs_homepath"), cvar("fs_game"))
    log("gametimes_enabled=1 gametimes_dir=%s resolved=%s", settings.dir_set, settings.dir)
    settings.min_seconds = integer_setting("gametimes_min_seconds", 30, 0, 3600)
    settings.keep_days = integer_setting("gametimes_keep_days", 0, 0, 36500)
    settings.backlog_seconds = integer_setting("gametimes_backlog_seconds", 8, 0, 300)
    read_mode()
    settings.live = integer_setting("gametimes_live", 0, 0, 1) == 1
    debug_on = integer_setting("gametimes_debug", 0, 0, 1) == 1
    settings.hmac_key = take_secret("gametimes_hmac_key")
    settings.urls = read_urls()
  end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- State that survives a map_restart, in a cvar. The game loses everything else when a warmup ends.

-- map, warm_ms and warm_unix (the start of the warmup), axis, allies (the score), next_round and first (round 1) of a stopwatch match
local match = {}

--- Only stopwatch has a round 2.
local function round_number()
  return gametype() == STOPWATCH and leading_number(cvar("g_currentRound")) ~= 0 and 2 or 1
end

local function save_match()
  et.trap_Cvar_Set("gametimes_lua_state", string.format("1 %s %d %d %d %d %d", match.map:gsub("%s", "_"),
    match.warm_ms or -1, match.warm_unix or -1, match.axis, match.allies, match.next_round))
end

local function load_match(map)
  local state = cvar("gametimes_lua_state")
  local m, ms, unix, axis, allies, next_round = state:match("^1 (%S+) (-?%d+) (-?%d+) (%d+) (%d+) (%d)$")
  match = { map = map, axis = 0, allies = 0 }
  if m == map:gsub("%s", "_") then
    match.axis, match.allies = math.tointeger(axis), math.tointeger(allies)
    if ms ~= "-1" then match.warm_ms, match.warm_unix = math.tointeger(ms), math.tointeger(unix) end
    -- Round 1 instead of round 2: the match was reset, or a team was empty.
    if next_round == "2" and round_number() == 1 then match.axis, match.allies = 0, 0 end
  end
  match.next_round = round_number()
end

-- Round 1 of the running stopwatch match, until its round 2 has ended: id, attackers, held, play_ms. It is in a cvar that the module reads
-- and writes, too, so that either can record the other's round 2: 1 <id> <attackers> <held|lost|unknown> <play_ms> <map>
local first_round = { CVAR = "gametimes_match", HELD = { held = true, lost = false } }

--- Round 1 of the round that begins on this map, if it was recorded.
function first_round.load(map)
  local id, attackers, held, ms, on = cvar(first_round.CVAR):match("^1 (%S+) (%d) (%a+) (%d+) (.+)$")
  if id and on == map and round_number() == 2 then
    return { id = id, attackers = math.tointeger(tonumber(attackers)), held = first_round.HELD[held], play_ms = math.tointeger(ms) }
  end
  et.trap_Cvar_Set(first_round.CVAR, "")       -- a round 2 on another map belongs to no round 1
end

--- Whether the defenders won; nil if neither team did or the defender is unknown.
function first_round.was_held(done)
  if done.winner ~= 0 and done.defender ~= 0 then return done.winner == done.defender end
end

--- Keeps a finished round 1 until its round 2 has finished. An interrupted round 2 is played again.
function first_round.save(done)
  if done.gametype ~= STOPWATCH or not done.finished then return end
  local text = ""
  if done.number == 1 then
    local held = first_round.was_held(done)
    text = string.format("1 %s %d %s %d %s", done.event_id, done.defender == 0 and 0 or 3 - done.defender,
      held == nil and "unknown" or held and "held" or "lost", done.play_ms, done.map)
  end
  et.trap_Cvar_Set(first_round.CVAR, text)
end

-- ---------------------------------------------------------------------------------------------------------------------
-- The running round. Times are level time in ms.

-- The live file, see docs/live-format.md. `result` is the round that has ended on this map.
local live = { on = false, EVERY_MS = 2000, LOG_EVERY_MS = 300000, EVENTS = 30, seq = 0, clock = 0 }

local round                                    -- nil if no round is running
local clock = { last = 0, prev = 0 }           -- level time of the last frame and of the one before

local function name_of(slot) return plain(field(slot, "pers.netname")) end
local function team_of(slot) return field(slot, "sess.sessionTeam") or 0 end
local function plays(team) return team == AXIS or team == ALLIES end

-- Placeholders that clients without a guid send.
local NO_GUIDS = { unknown = true, no_guid = true }

--- Whether the client is a bot: an Omni-bot, or one that runs inside the server.
local function is_bot(slot, guid)
  return guid:lower():find("^omnibot") ~= nil or info_value(et.trap_GetUserinfo(slot) or "", "ip") == "localhost"
end

local function guid_of(slot)
  local guid = info_value(et.trap_GetUserinfo(slot) or "", "cl_guid") or ""
  return guid:find("^[!-~]+$") and not NO_GUIDS[guid:lower()] and guid:sub(1, 32) or ""
end

--- A time that the game stamped during the current call. Calls between frames have the last frame's time, calls inside a frame
--- the next one's. An older stamp belongs to something else.
local function stamp(slot, name)
  local t = field(slot, name)
  if math.type(t) == "integer" and t >= clock.last and t <= clock.last + 5000 then return t end
  return clock.last
end

local function key(person) return person.guid ~= "" and person.guid or person.name end

--- Whether two guids are equal. Readers ignore case.
local function same_guid(a, b) return a:lower() == b:lower() end

--- Sets a person's name. People without a guid who use one name at the same time get a suffix: name#2.
local function set_name(person, name)
  if person.own_name == name then return end
  person.own_name, person.name = name, name
  local function taken()
    for _, p in ipairs(round.people) do
      if p ~= person and p.guid == "" and p.name:lower() == person.name:lower() then return true end
    end
  end
  local n = 1
  while person.guid == "" and taken() do
    n = n + 1
    person.name = head(name, NAME_LIMIT - 1 - #tostring(n)) .. "#" .. n
  end
end

--- Adds an event to the timeline, and returns it if there was room. Without a seat, it is about no player.
local function note(t, kind, seat, extra)
  if #round.events >= EVENTS_LIMIT then
    round.events_dropped = round.events_dropped + 1
    return
  end
  local event = extra or {}
  event.t, event.kind, event.person, event.n = t, kind, seat and seat.person, #round.events
  round.events[#round.events + 1] = event
  return event
end

--- Ends the life, or the death, of a player. A seat is the state of a slot in this round.
local function close_life(seat, t)
  if seat.life == "alive" or seat.life == "dead" then
    local list = seat.person[seat.life]
    list[#list + 1] = { seat.since, t, seat.by }
  end
  seat.life, seat.by = "none", nil
end

--- Takes a player off the team: the player left or moved to the spectators, or the round is over.
local function stand_up(seat, t)
  close_life(seat, t)
  if seat.plays_since then
    local played = seat.person.played
    played[#played + 1] = { seat.plays_since, t }
    seat.plays_since = nil
  end
end

--- The seat of a slot. A new client is the person who was here before under the same guid, or without one under the same name,
--- or else a new person. A person who reconnects before the old connection has timed out leaves a ghost in the old slot,
--- for which nothing is counted.
local function sit(slot, t)
  local seat = round.seats[slot]
  if seat or round.ghosts[slot] then return seat end
  local guid, name = guid_of(slot), name_of(slot)
  local person
  for _, p in ipairs(round.people) do
    if guid ~= "" then
      if same_guid(p.guid, guid) then person = p; break end
    elseif p.guid == "" and p.own_name == name then
      local taken = false
      for _, s in pairs(round.seats) do taken = taken or s.person == p end
      if not taken then person = p; break end
    end
  end
  if not person then
    if #round.people >= PEOPLE_LIMIT then return nil end
    person = { guid = guid, name = "", team = 0, spawns = 0, revives = 0, deaths = 0, kills = 0,
      alive = {}, dead = {}, played = {}, is_bot = is_bot(slot, guid) }
    round.people[#round.people + 1] = person
  end
  for before, s in pairs(round.seats) do
    if s.person == person then
      stand_up(s, t)
      round.seats[before], round.ghosts[before] = nil, true
      break
    end
  end
  set_name(person, name)
  seat = { person = person, life = "none", team = 0 }
  round.seats[slot] = seat
  return seat
end

--- Moves a player to a team.
local function set_team(slot, t, team)
  local seat = round.seats[slot]
  if not plays(team) then
    if seat and plays(seat.team) then
      stand_up(seat, t)
      note(t, "team", seat, { team = team })
      seat.team = team
    end
    return
  end
  local new_here = not seat
  seat = sit(slot, t)
  if not seat or seat.team == team then return end
  if plays(seat.team) then
    if seat.life == "alive" then close_life(seat, t); seat.life, seat.since = "waiting", t end -- the dead stay dead till the wave
  else
    seat.life, seat.since, seat.plays_since = "waiting", t, t
  end
  seat.team, seat.person.team = team, team
  note(t, new_here and "join" or "team", seat, { team = team })
end

local CLASSES = { [0] = "soldier", "medic", "engineer", "field_ops", "covert_ops" } -- sess.playerType

local function spawn(slot, t, revived, by, class)
  local seat = round.seats[slot]
  if not seat then return end
  close_life(seat, t)
  seat.life, seat.since, seat.class = "alive", t, class
  local person = seat.person
  person.spawns = person.spawns + 1
  if revived then person.revives = person.revives + 1 end
  note(t, revived and "revive" or "spawn", seat, { by = revived and by or nil, class = not revived and class or nil })
end

local function death(d)
  local seat = sit(d.slot, d.t)
  if not seat then return end
  local person = seat.person
  person.deaths = person.deaths + 1
  local killer = d.killer and round.seats[d.killer]
  if seat.life ~= "dead" then
    close_life(seat, d.t)
    -- A killer who has gone to the spectators meanwhile counts for the last team.
    local killer_team = not plays(d.killer_team) and killer and killer.person.team or d.killer_team
    local enemy = d.killer and d.killer ~= d.slot and plays(killer_team) and killer_team ~= d.team
    killer = killer or (enemy and sit(d.killer, d.t)) or nil
    seat.life, seat.since, seat.limbo, seat.by = "dead", d.t, nil, enemy and killer and killer.person or nil
    if seat.by then seat.by.kills = seat.by.kills + 1 end
    round.fallen[d.slot], seat.saved_deaths = seat, nil
  end
  note(d.t, "death", seat, { by = killer and killer.person, means = d.means, class = seat.class, victim_team = d.team,
    killer_team = d.killer and d.killer_team })
end

--- Applies a spawn after its call: only then is the limbo flag set for players who joined without spawning.
local function settle(entry)
  set_team(entry.slot, entry.t, entry.team)
  if plays(entry.team) and (entry.flags or field(entry.slot, "ps.pm_flags") or 0) & LIMBO == 0 then
    spawn(entry.slot, entry.t, entry.revived, entry.by, entry.class)
  end
end

--- Applies the queued spawns of one slot or of all.
local function settle_queue(slot)
  if #round.queue == 0 then return end
  local rest = {}
  for _, entry in ipairs(round.queue) do
    if slot and entry.slot ~= slot then rest[#rest + 1] = entry else settle(entry) end
  end
  round.queue = rest
end

-- The waves. Each team has an offset in ms, and a list of { from, interval }: the level time from which on an interval counts.
local WAVES = { [AXIS] = { cvar = "g_redlimbotime", key = "axis" }, [ALLIES] = { cvar = "g_bluelimbotime", key = "allies" } }
local WAVE_FACTORS = { 11, 3, 13, 7, 2, 5, 1, 17 }

--- An interval that readers accept, or nil.
local function wave_interval(text)
  local ms = leading_number(text)
  return ms >= 1 and ms <= INTERVAL_LIMIT_MS and ms or nil
end

--- Reads the waves at the start of a round; nil if they are unknown, or if players spawn without waves.
local function read_waves(t)
  if gametype() == LAST_MAN_STANDING or leading_number(cvar("g_forcerespawn")) == -1 then return nil end
  local seeds = {}
  for digits in configstring(CS.waves):gmatch("%d+") do seeds[#seeds + 1] = math.tointeger(tonumber(digits)) end
  if #seeds ~= 10 then return nil end
  local waves = {}
  for team, index in pairs({ [AXIS] = seeds[2] >> 2, [ALLIES] = seeds[1] >> 3 }) do
    if index > 7 then return nil end
    local value = cvar(WAVES[team].cvar)
    local interval = wave_interval(value)
    waves[team] = { offset = 1000 * seeds[3 + index] // WAVE_FACTORS[1 + index], seen = value,
      intervals = interval and { { t, interval } } or {} }
  end
  return waves
end

--- Follows the intervals, which map scripts can change. The game reads its cvars at the beginning of a frame, so a change that is
--- seen at the end of this frame takes effect with the next one.
local function watch_waves(t)
  for team, wave in pairs(round.waves) do
    if wave.next then
      if #wave.intervals < INTERVALS_LIMIT then wave.intervals[#wave.intervals + 1] = { t, wave.next } end
      wave.next = nil
    end
    local value = cvar(WAVES[team].cvar)
    if value ~= wave.seen then wave.seen, wave.next = value, wave_interval(value) end
  end
end

local function begin(t)
  round = {
    map = match.map,
    number = round_number(),
    gametype = gametype(),
    event_id = uuid7(os.time()),
    start = t, start_unix = os.time(),
    warmup_ms = match.warm_ms and math.max(0, now_ms() - match.warm_ms) or 0,
    warmup_unix = match.warm_unix,
    pauses = {},
    current_before = leading_number(cvar("g_currentRound")),
    intermission_before = leading_number(configstring(CS.intermission)) ~= 0,
    first = match.first,
    fallen = {},                               -- the seats of the dead who are not in limbo yet, by slot
    people = {}, seats = {}, ghosts = {}, queue = {}, medics = {}, kills = {}, kills_printed = 0, votes = {}, events = {}, events_dropped = 0,
    objectives = 0, halves = {}, waves = read_waves(t),
  }
  match.warm_ms, match.warm_unix = nil, nil
  save_match()
  log("round start: %s R%d, limit %.14g min", round.map, round.number, timelimit())
end

--- Time paused between two level times.
local function paused_between(a, b)
  local sum = 0
  for _, p in ipairs(round.pauses) do
    sum = sum + math.max(0, math.min(b, p.stop or b) - math.max(a, p.start))
  end
  return sum
end

local function cut(a, b) return b - a - paused_between(a, b) end
local function play_clock(t) return cut(round.start, t) end

--- 8:32.150
local function minutes(ms) return string.format("%d:%02d.%03d", ms // 60000, ms // 1000 % 60, ms % 1000) end

-- What could pause the match since the last frame: the slot of a client's command and the command, or a vote that passed.
local asked

--- Who has paused the match: the game sets the bit inside the call that asks for it.
local function paused_by()
  if asked and asked.slot then
    local seat, slot = round.seats[asked.slot], asked.slot
    local referee = (field(slot, "sess.referee") or 0) ~= 0
    return { kind = referee and "referee" or "player", guid = guid_of(slot), team = team_of(slot),
      name = seat and seat.person.name or name_of(slot) }
  end
  local vote = asked and asked.vote
  if vote then return { kind = "vote", guid = vote.guid, name = vote.name, team = vote.team } end
  return { kind = "server", guid = "", name = "", team = 0 }
end
local toggles_number = remembered_number()

--- Checks whether the match is paused. The game moves configstring 11 by the length of the pause, in steps of half a second
--- and exactly when play continues. This gives the exact time at which the clock stopped.
local function watch_pause(t, toggles)
  local paused = toggles_number(toggles) & PAUSED ~= 0
  local pause = round.pauses[#round.pauses]
  local open = pause and not pause.stop
  if not paused and not open then return end
  local shift = configstring(CS.start)
  if not open then
    pause = { start = math.max(clock.prev, round.start), start_unix = os.time(), by = paused_by() }
    round.pauses[#round.pauses + 1] = pause
    log("pause %d at %s", #round.pauses, minutes(play_clock(t)))
  elseif shift ~= round.shift then
    local start = t - (leading_number(shift) - round.start)
    for i = 1, #round.pauses - 1 do start = start + round.pauses[i].stop - round.pauses[i].start end
    if math.abs(start - pause.start) <= 200 and start >= round.start then pause.start = start end
  end
  round.shift = shift
  if open and not paused then
    pause.stop, pause.stop_unix = t, os.time()
    log("resume after pause %d of %s", #round.pauses, minutes(pause.stop - pause.start))
  end
end

--- The time at which the round ended. The game prints Exit between two frames, when its clock shows the last one, or inside a
--- frame, when it shows that one. In stopwatch, the limit for the next round shows which. Otherwise this frame is taken, which
--- is one frame too late if a player's action between two frames ended the round.
local function exit_time(t)
  local limit = tonumber(cvar("g_nextTimeLimit"))
  if limit and round.gametype == STOPWATCH and math.abs(limit * 60000 - play_clock(round.exit_after)) < 5 then
    return round.exit_after
  end
  return t
end

local function side(info, name)
  local value = (info_value(info, name) or ""):match("^%s*([01])%s*$")
  return value and math.tointeger(tonumber(value)) + 1 or 0
end

local REASONS = {
  { "^Wolf EndRound%.$", "objective" }, { "^Timelimit hit%.$", "time_expired" }, { "^Nextmap vote passed$", "vote" },
  { " Surrender$", "surrender" }, { " team eliminated%.$", "eliminated" },
  { " First Blood%.$", "time_expired" }, { " most survivors%.$", "time_expired" },
}
local function end_reason(text)
  for _, r in ipairs(REASONS) do
    if text:find(r[1]) then return r[2] end
  end
  return "unknown"
end

--- The waves on the play clock, as the file contains them. Adds to each death the time to the next waves.
local function finish_waves(done)
  local waves
  for team, wave in pairs(done.waves or {}) do
    local intervals = {}
    for _, i in ipairs(wave.intervals) do
      local from = play_clock(i[1])
      if #intervals > 0 and intervals[#intervals].from == from then intervals[#intervals] = nil end
      if from <= done.play_ms and (#intervals == 0 or intervals[#intervals].interval ~= i[2]) then
        intervals[#intervals + 1] = { from = from, interval = i[2] }
      end
    end
    if #intervals > 0 then
      waves = waves or {}
      waves[team] = { offset = wave.offset, intervals = intervals }
    end
  end
  if not waves then return nil end
  local function next_wave(team, t)
    local wave = waves[team]
    for n = wave and #wave.intervals or 0, 1, -1 do
      local i = wave.intervals[n]
      if i.from <= t then return i.interval - (wave.offset + t) % i.interval end
    end
  end
  for _, p in ipairs(done.people) do p.wave_wait_ms = 0 end
  for _, e in ipairs(done.events) do
    if e.kind == "death" then
      e.wave_in, e.killer_wave_in = next_wave(e.victim_team, e.t_ms), next_wave(e.killer_team, e.t_ms)
      e.person.wave_wait_ms = e.person.wave_wait_ms + (e.wave_in or 0)
    end
  end
  return waves
end

--- Ends the round at level time t. The returned round is complete, except for its stats file.
local function finish(t, unix, reason)
  settle_queue()
  local done = round
  done.stop, done.stop_unix, done.reason = t, unix, reason
  done.exit = done.exit or ""
  local pause = done.pauses[#done.pauses]
  if pause and not pause.stop then pause.stop, pause.stop_unix = math.max(t, pause.start), unix end
  -- If the system clock was changed during the round, the unix times follow the game clock. A busy server drifts by some seconds.
  local drift = unix - done.start_unix - (t - done.start) // 1000
  done.ended_unix = unix                       -- the time in the name of the stats file
  if math.abs(drift) > 60 then
    log("the system clock was changed by %d sec during the round; the round's times follow the game clock", drift)
    local function mended(level_time) return done.start_unix + (level_time - done.start) // 1000 end
    for _, p in ipairs(done.pauses) do p.start_unix, p.stop_unix = mended(p.start), mended(p.stop) end
    done.stop_unix = mended(t)
  end
  done.axis, done.allies = {}, {}
  for slot = 0, slots - 1 do
    local seat = done.seats[slot]
    if seat then
      local list = seat.team == AXIS and done.axis or seat.team == ALLIES and done.allies
      if list then list[#list + 1] = seat.person end
      if live.on then seat.shown = { live.life(seat) } end
      stand_up(seat, t)
    end
  end
  local finished = done.exit ~= "" or reason == "unknown"
  done.winner = finished and reason ~= "vote" and side(configstring(CS.winner), "w") or 0
  done.defender = side(configstring(CS.info), "d")
  if done.winner == AXIS then match.axis = match.axis + 1 end
  if done.winner == ALLIES then match.allies = match.allies + 1 end
  done.score_axis, done.score_allies = match.axis, match.allies
  if done.gametype == STOPWATCH and finished then match.next_round = 3 - done.number end
  save_match()
  local team = done.exit == "Axis Surrender" and AXIS or done.exit == "Allies Surrender" and ALLIES or 0
  local caller = team ~= 0 and done.caller or { guid = "", name = "" }
  done.surrender = { team = team, guid = caller.guid, name = caller.name }
  done.timelimit = timelimit()
  done.finished = finished
  local next_limit = finished and done.gametype == STOPWATCH and minutes_of("g_nextTimeLimit") or 0
  done.next_limit = next_limit > 0 and next_limit or nil
  done.play_ms = play_clock(t)

  for _, p in ipairs(done.people) do
    p.dead_ms, p.max_dead_ms, p.denied_ms, p.alive_ms, p.played_ms = 0, 0, 0, 0, 0
  end
  for _, p in ipairs(done.people) do
    for _, d in ipairs(p.dead) do
      local ms = cut(d[1], d[2])
      p.dead_ms, p.max_dead_ms = p.dead_ms + ms, math.max(p.max_dead_ms, ms)
      if d[3] then d[3].denied_ms = d[3].denied_ms + ms end
    end
    for _, a in ipairs(p.alive) do p.alive_ms = p.alive_ms + cut(a[1], a[2]) end
    for _, a in ipairs(p.played) do p.played_ms = p.played_ms + cut(a[1], a[2]) end
  end
  table.sort(done.events, function(a, b)
    if a.t ~= b.t then return a.t < b.t end
    return a.n < b.n
  end)
  for _, e in ipairs(done.events) do e.t_ms = play_clock(math.min(e.t, t)) end
  done.waves = finish_waves(done)
  for n = #done.pauses, PAUSES_LIMIT + 1, -1 do done.pauses[n] = nil end
  live.result = live.on and done or nil
  round = nil
  return done
end

-- ---------------------------------------------------------------------------------------------------------------------
-- The gametimes file and the message

local harmless, team_field, utc_offset, pause_ms, message, server_version, gametimes_file
do
  local function reference(person) return object("guid", person.guid, "name", person.name) end

  local function references(people)
    local out = {}
    for i, p in ipairs(people) do out[i] = reference(p) end
    return out
  end

  --- Replaces quotes and backslashes, because some readers unescape a field before they parse it.
  function harmless(text) return (text:gsub('"', "'"):gsub("\\", "/")) end

  --- A list of players as valid JSON within the 1024 characters of a field. If it is too long, names are shortened first, then guids
  --- to 8 characters, then players are left out.
  function team_field(people)
    local function render(count, guid_length, name_length)
      local out = {}
      for i = 1, count do
        local p = people[i]
        out[i] = object("guid", harmless(p.guid):sub(1, guid_length), "name", head(harmless(p.name), name_length))
      end
      local text = json(out)
      return utf8.len(text) <= 1024 and text or nil
    end
    for length = 36, 12, -1 do
      local text = render(#people, 32, length)
      if text then return text end
    end
    for count = #people, 0, -1 do
      for length = 36, 1, -1 do
        local text = render(count, 8, length)
        if text then return text end
      end
    end
  end

  local function pause_list(done, short)
    local out, paused = {}, 0
    for n, p in ipairs(done.pauses) do
      local sec = (p.stop - p.start) // 1000
      if short then
        out[n] = object("n", n, "start", p.start_unix, "end", p.stop_unix, "sec", sec)
      else
        local by = p.by
        out[n] = object("n", n, "start", p.start_unix, "end", p.stop_unix, "sec", sec, "start_ms", p.start, "end_ms", p.stop,
          "at_play_ms", p.start - done.start - paused,
          "by", object("kind", by.kind, "guid", by.guid, "name", by.name, "team", by.team))
      end
      paused = paused + p.stop - p.start
    end
    return out
  end

  local function pauses_field(done)
    local list = pause_list(done, true)
    while utf8.len(json(list)) > 1024 do list[#list] = nil end -- Lua_Pauses still contains their number
    return json(list)
  end

  function pause_ms(done)
    local sum = 0
    for _, p in ipairs(done.pauses) do sum = sum + p.stop - p.start end
    return sum
  end

  local function spawn_summary(people)
    local spawns, deaths, dead_ms, max_ms = 0, 0, 0, 0
    for _, p in ipairs(people) do
      spawns, deaths, dead_ms = spawns + p.spawns, deaths + p.deaths, dead_ms + p.dead_ms
      max_ms = math.max(max_ms, p.max_dead_ms)
    end
    return string.format("Players:%d | Spawns:%d | AvgRespawn:%ds | MaxRespawn:%ds", #people, spawns,
      deaths > 0 and dead_ms // deaths // 1000 or 0, max_ms // 1000)
  end

  -- The words in the message for those that readers of the old script do not know. The file has the exact word.
  local MESSAGE_REASONS = { server_quit = "server_restart", server_crash = "server_restart", eliminated = "objective",
    vote = "map_change", unknown = "time_expired" }

  --- The Discord message, with the signature in its footer.
  function message(done, signature)
    local fields = {}
    local function add(name, value, wide)
      fields[#fields + 1] = object("name", name, "value", tostring(value), "inline", not wide)
    end
    local function seconds(ms) return string.format("%d sec", ms // 1000) end
    add("Map", harmless(done.map))
    add("Round", done.number)
    add("Winner", done.winner)
    add("Defender", done.defender)
    add("Lua_Playtime", seconds(done.play_ms))
    add("Lua_Timelimit", string.format("%.14g min", done.timelimit))
    add("Lua_Pauses", string.format("%d (%s)", #done.pauses, seconds(pause_ms(done))))
    add("Lua_EndReason", MESSAGE_REASONS[done.reason] or done.reason)
    add("Lua_Warmup", seconds(done.warmup_ms))
    add("Lua_WarmupStart", done.warmup_unix or done.start_unix)
    add("Lua_RoundStart", done.start_unix)
    add("Lua_RoundEnd", done.stop_unix)
    add("Lua_SurrenderTeam", done.surrender.team)
    add("Lua_SurrenderCaller", harmless(done.surrender.guid))
    add("Lua_SurrenderCallerName", harmless(done.surrender.name))
    add("Lua_AxisScore", done.score_axis)
    add("Lua_AlliesScore", done.score_allies)
    add("Axis_JSON", team_field(done.axis), true)
    add("Allies_JSON", team_field(done.allies), true)
    add("Lua_Pauses_JSON", pauses_field(done), true)
    add("Lua_SpawnSummary", spawn_summary(done.players), true)
    add("Lua_WarmupEnd", done.start_unix)
    add("Lua_RoundID", done.canonical_id)
    add("Lua_StatsFile", harmless(done.stats_file or "none"))
    add("Lua_EventID", done.event_id)
    local footer = "gametimes v" .. VERSION .. " lua" .. (signature and " hmac-sha256 " .. signature or "")
    return object("username", "ET:Legacy Stats", "content", "STATS_READY",
      "embeds", { object("title", string.format("Round Complete: %s R%d", done.map, done.number),
        "description", "Playtime without pauses · warmup · wall clock", "color", 3447003, "fields", fields,
        "footer", object("text", footer)) },
      "allowed_mentions", object("parse", {}))
  end

  local function spawn_stats(p)
    local dead = p.dead_ms // 1000
    return object("guid", p.guid, "name", p.name, "spawns", p.spawns, "deaths", p.deaths, "dead_seconds", dead,
      "avg_respawn", p.deaths > 0 and dead // p.deaths or 0, "max_respawn", p.max_dead_ms // 1000, "team", p.team,
      "revives", p.revives, "kills", p.kills, "denied_seconds", p.denied_ms // 1000, "dead_ms", p.dead_ms,
      "max_dead_ms", p.max_dead_ms, "denied_ms", p.denied_ms, "alive_ms", p.alive_ms, "played_ms", p.played_ms,
      "is_bot", p.is_bot, "wave_wait_ms", p.wave_wait_ms)
  end

  --- The entries of the timeline from the n-th on.
  local function timeline(events, first)
    local out = {}
    for i = first, #events do
      local e = events[i]
      local p = e.person
      out[#out + 1] = object("t_ms", e.t_ms, "kind", e.kind, "guid", p and p.guid or "",
        "name", p and p.guid == "" and p.name or nil, "by", e.by and key(e.by) or NULL,
        "mod", e.means or NULL, "team", e.team, "class", e.class, "wave_in_ms", e.wave_in,
        "killer_wave_in_ms", e.killer_wave_in, "action", e.action, "text", e.text)
    end
    return out
  end

  local function waves_object(waves)
    if not waves then return nil end
    local function of(team)
      local wave = waves[team]
      if not wave then return nil end
      local intervals = {}
      for n, i in ipairs(wave.intervals) do intervals[n] = object("from_ms", i.from, "interval_ms", i.interval) end
      return object("offset_ms", wave.offset, "intervals", intervals)
    end
    return object("axis", of(AXIS), "allies", of(ALLIES))
  end

  --- The server's local time minus UTC.
  function utc_offset(unix)
    local utc = os.date("!*t", unix)
    utc.isdst = os.date("*t", unix).isdst
    return math.tointeger(unix - os.time(utc)) or 0
  end

  function server_version()
    return cvar("mod_version"):match("(%d+%.%d+%.?%d*)") or cvar("version"):match("[vV](%d+%.%d+%.?%d*)") or ""
  end

  local function milliseconds(minutes) return math.floor(minutes * 60000 + 0.5) end

  --- Where the teams of a match play in this round, or nil if it is unknown.
  local function sides(number, first, defender)
    local team_a
    if number == 2 then
      team_a = first and first.attackers ~= 0 and 3 - first.attackers
    elseif defender ~= 0 then
      team_a = 3 - defender
    end
    return team_a and object("team_a", team_a, "team_b", 3 - team_a) or nil
  end

  local lineups, match_keys
  do
    --- The players of both teams at the start, and the substitutions: a player from outside takes the place of one who has left
    --- the server or joined the spectators. Places are taken in the order in which they became free. A player who comes back before that
    --- was not substituted, and a change of sides does not count.
    function lineups(events)
      local plays_for, free, start, replaced = {}, { {}, {} }, { {}, {} }, {}
      local function remove(list, person)
        for i, p in ipairs(list) do
          if p == person then return table.remove(list, i) end
        end
      end
      for _, e in ipairs(events) do
        local moves = e.kind == "join" or e.kind == "team" or e.kind == "leave"
        local person, from = e.person, plays_for[e.person]
        local to = moves and e.kind ~= "leave" and plays(e.team) and e.team or nil
        if moves and from ~= to then
          plays_for[person] = to
          if e.t_ms <= START_MS then
            if from then remove(start[from], person) end
            if to then table.insert(start[to], person) end
          elseif from and not to then
            table.insert(free[from], person)
          elseif to and not from and not remove(free[to], person) and #free[to] > 0 then
            replaced[#replaced + 1] = object("t_ms", e.t_ms, "team", to, "out", reference(table.remove(free[to], 1)),
              "in", reference(person))
          end
        end
      end
      return object("axis", references(start[AXIS]), "allies", references(start[ALLIES])), replaced
    end

    --- The keys about the match; docs/json.md explains them.
    function match_keys(done)
      local first = done.first
      local keys = { match_uid = first and first.id or done.event_id, round_1_event_id = first and first.id,
        sides = sides(done.number, first, done.defender) }
      if done.gametype ~= STOPWATCH then return keys end
      local held, limit = first_round.was_held(done), milliseconds(done.timelimit)
      local function or_null(value) if value == nil then return NULL end return value end
      keys.stopwatch = object("limit_ms", limit, "target_ms", done.number == 2 and limit or NULL,
        "next_limit_ms", done.next_limit and milliseconds(done.next_limit) or NULL, "held", or_null(held))
      if done.number == 2 then
        local before, winner, reason = nil, NULL, NULL
        if first then before = first.held end
        if before ~= nil and held ~= nil then
          if not held then
            winner, reason = "team_b", before and "held" or "faster"
          elseif before then
            winner, reason = "draw", "both_held"
          else
            winner, reason = "team_a", "held"
          end
          if winner ~= "draw" and done.reason == "surrender" then reason = "surrender" end
        end
        keys.map_result = object("winner", winner, "reason", reason, "team_a_ms", before == false and first.play_ms or NULL,
          "team_b_ms", held == false and done.play_ms or NULL)
      end
      return keys
    end
  end

  --- Sets the time dead and denied of everybody until level time t. Deaths that are over are added up once, but not during a pause,
  --- whose start is not exact yet.
  local function add_up(t)
    local pause = round.pauses[#round.pauses]
    local is_exact = not pause or pause.stop
    local function add(sums, by, ms)
      sums.dead = sums.dead + ms
      if by then by.denied = by.denied + ms end
    end
    local function add_deaths(which)
      for _, p in ipairs(round.people) do
        for n = p.over.n + 1, #p.dead do
          local from, to, by = table.unpack(p.dead[n])
          add(p[which], by and by[which], cut(from, to))
        end
      end
    end
    for _, p in ipairs(round.people) do p.over = p.over or { n = 0, dead = 0, denied = 0 } end
    if is_exact then
      add_deaths("over")
      for _, p in ipairs(round.people) do p.over.n = #p.dead end
    end
    for _, p in ipairs(round.people) do p.sums = { dead = p.over.dead, denied = p.over.denied } end
    add_deaths("sums")
    for _, seat in pairs(round.seats) do
      if seat.life == "dead" then add(seat.person.sums, seat.by and seat.by.sums, cut(seat.since, t)) end
    end
    for _, p in ipairs(round.people) do p.dead_ms, p.denied_ms = p.sums.dead, p.sums.denied end
  end

  --- A player of the live file, as JSON.
  local function live_player(slot, team, class, p, life, since)
    return string.format('{"slot":%d,"guid":%s,"name":%s,"team":%d,"class":%s,"life":"%s","since_ms":%d,"kills":%d,"deaths":%d,'
      .. '"revives":%d,"dead_ms":%d,"denied_ms":%d,"is_bot":%s}', slot, json_string(p.guid), json_string(p.name), team,
      class and json_string(class) or "null", life, since, p.kills, p.deaths, p.revives, p.dead_ms, p.denied_ms, tostring(p.is_bot))
  end

  --- The players on a team, as JSON: of this round, or else those who are connected.
  local function live_players(of)
    local out = {}
    for slot = 0, slots - 1 do
      local seat = of and of.seats[slot]
      if seat and plays(seat.team) then
        local life, since = table.unpack(seat.shown or { live.life(seat) })
        out[#out + 1] = live_player(slot, seat.team, seat.class, seat.person, life, since)
      end
      local info = not of and configstring(CS.players + slot) or ""
      local team = info ~= "" and leading_number(info_value(info, "t"))
      if team and plays(team) then
        local guid = guid_of(slot)
        out[#out + 1] = live_player(slot, team, nil, { guid = guid, name = name_of(slot), kills = 0, deaths = 0, revives = 0, dead_ms = 0,
          denied_ms = 0, is_bot = is_bot(slot, guid) }, "waiting", 0)
      end
    end
    return setmetatable({ "[" .. table.concat(out, ",") .. "]" }, NULL)
  end

  --- The newest entries of the timeline. Those of one moment can be in another order until the end of the round.
  local function live_events(of)
    local events = {}
    for n = math.max(1, #of.events - 2 * live.EVENTS), #of.events do events[#events + 1] = of.events[n] end
    if of == round then
      table.sort(events, function(a, b)
        if a.t ~= b.t then return a.t < b.t end
        return a.n < b.n
      end)
      for _, e in ipairs(events) do e.t_ms = play_clock(e.t) end
    end
    return timeline(events, math.max(1, #events - live.EVENTS + 1))
  end

  --- The waves of a team at this time on the play clock.
  local function live_wave(wave, now)
    for n = wave and #wave.intervals or 0, 1, -1 do
      local i = wave.intervals[n]
      if play_clock(i[1]) <= now then
        return object("interval_ms", i[2], "next_in_ms", i[2] - (wave.offset + now) % i[2])
      end
    end
    return NULL
  end

  --- Whether a player lives, and since when on the play clock.
  function live.life(seat)
    local life, since = seat.life, seat.since
    if life == "dead" then
      life = seat.limbo and "limbo" or "wounded"
      since = seat.limbo or since
    elseif life == "none" then
      life = "waiting"
    end
    return life, since and play_clock(since) or 0
  end

  --- The live file at level time t as text.
  function live.text(t, is_idle)
    local server = object("ip", decode(cvar("net_ip")), "port", decode(cvar("net_port")), "hostname", plain(cvar("sv_hostname")))
    if is_idle then
      return json(object("schema", 1, "seq", live.seq, "unix_ms", live.unix_ms, "server", server, "state", "idle"))
    end
    local running, result = round, nil
    local gs = leading_number(cvar("gamestate"))
    local state = gs == INTERMISSION and "intermission" or gs == COUNTDOWN and "countdown" or "warmup"
    local pause, now, waves = nil, 0, {}
    if running then
      add_up(t)
      now, pause = play_clock(t), running.pauses[#running.pauses]
      if pause and pause.stop then pause = nil end
      state = pause and "paused" or "playing"
      waves = running.waves or waves
    elseif live.result and (gs == INTERMISSION or gs == PLAYING) then
      state, result = "intermission", live.result
      now = result.play_ms
    end
    local of = running or result
    local number, limit = of and of.number or round_number(), milliseconds(timelimit())
    local function by_of(by) return object("kind", by.kind, "guid", by.guid, "name", by.name, "team", by.team) end
    return json(object("schema", 1, "seq", live.seq, "unix_ms", live.unix_ms, "server", server, "state", state, "map", match.map,
      "round", number, "match_uid", of and (of.first and of.first.id or of.event_id) or "", "gametype", gametype(),
      "config", head(decode(cvar("g_customConfig")), CVAR_LIMIT), "played_ms", now, "limit_ms", limit > 0 and limit or NULL,
      "target_ms", number == 2 and limit > 0 and limit or NULL, "score", object("axis", match.axis, "allies", match.allies),
      "sides", sides(number, match.first, side(configstring(CS.info), "d")) or NULL,
      "pause", pause and object("n", #running.pauses, "since_unix_ms", pause.start_unix * 1000, "by", by_of(pause.by)) or NULL,
      "waves", object("axis", live_wave(waves[AXIS], now), "allies", live_wave(waves[ALLIES], now)),
      "players", live_players(of), "events", of and live_events(of) or {}))
  end

  --- The gametimes file as text.
  function gametimes_file(done)
    local stats = {}
    local bots = 0
    for i, p in ipairs(done.players) do
      stats[i] = spawn_stats(p)
      if p.is_bot then bots = bots + 1 end
    end
    local keys, start, replaced = match_keys(done), lineups(done.events)
    local meta = object("map", done.map, "round", done.number, "round_start_unix", done.start_unix,
      "round_end_unix", done.stop_unix, "actual_duration_seconds", done.play_ms // 1000,
      "warmup_seconds", done.warmup_ms // 1000, "pause_seconds", pause_ms(done) // 1000, "pause_count", #done.pauses,
      "server_ip", decode(cvar("net_ip")), "server_port", decode(cvar("net_port")), "match_id", tostring(done.stop_unix),
      "spawn_stats", stats, "schema", SCHEMA, "source", "lua", "module_version", VERSION,
      "engine_version", server_version(), "event_id", done.event_id, "round_canonical_id", done.canonical_id,
      "gametype", done.gametype, "timelimit_minutes", done.timelimit, "winner", done.winner, "defender", done.defender,
      "end_reason", done.reason, "exit_text", done.exit, "surrender", object("team", done.surrender.team,
        "caller_guid", done.surrender.guid, "caller_name", done.surrender.name),
      "score", object("axis", done.score_axis, "allies", done.score_allies),
      "teams", object("axis", references(done.axis), "allies", references(done.allies)),
      "pauses", pause_list(done), "duration_ms", done.play_ms, "warmup_ms", done.warmup_ms,
      "utc_offset_seconds", utc_offset(done.stop_unix), "server_hostname", plain(cvar("sv_hostname")),
      "stats_file", done.stats_file or NULL, "events", timeline(done.events, 1),
      "events_dropped", done.events_dropped > 0 and done.events_dropped or nil,
      "match_uid", keys.match_uid, "round_1_event_id", keys.round_1_event_id, "sides", keys.sides, "stopwatch", keys.stopwatch,
      "map_result", keys.map_result, "config", head(decode(cvar("g_customConfig")), CVAR_LIMIT),
      "mod_version", head(decode(cvar("mod_version")), CVAR_LIMIT), "teams_start", start, "substitutions", replaced, "bots", bots,
      "waves", waves_object(done.waves))
    return json(object("meta", meta, "payload", message(done)))
  end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Sending. There is one file for each message and webhook in the outbox, until a curl in the background has delivered it. A
-- webhook is identified by a hash of its URL, here called the target:
--   <event>.json             the message
--   <event>.<target>.curl    curl's form for this webhook; the names sort by time
--   <target>.url             the webhook's URL (0600, in a folder that only the server's user can enter)
--   <target>.wait, .off      not before this time; disabled (401, unknown webhook) until the server restarts
--   <target>.trouble         the problem that was logged last, until a message is delivered
--   <target>.lock/           a sender is working for this webhook
--   <target>.results         the sender's results, which the script reads between rounds
--   targets                  the webhooks in the order of the settings: a corrected URL inherits the messages of the wrong one
--   new-file                 the next gametimes file, created with its permissions
--   rejected/, dropped/      messages that a webhook rejected, or that had no room in the outbox

local SENDER = [==[
# The sender of gametimes: send.sh FOLDER TARGET SECONDS PAUSE sends the messages in the outbox to one webhook, one at a time and
# in order, with a pause between messages that wait for one another, and retries for some time. The fallback script replaces this
# file at every start.
cd "$1" || exit 1
target=$2
seconds=$3
pause=${4:-8}
backlog=
umask 077
# Close the server's files and sockets: its port must be free when it restarts.
if [ -n "$BASH_VERSION" ]; then
  for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    if [ "$fd" -gt 2 ] && [ "$fd" -ne 255 ]; then eval "exec $fd>&-"; fi
  done
else # this shell can close descriptors of one digit only, so it must not run long
  exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
  if [ "$seconds" -gt 30 ]; then seconds=30; fi
fi

lives() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

lock() {
  if mkdir "$target.lock" 2>/dev/null; then echo $$ >"$target.lock/pid"; return 0; fi
  # A running sender touches its lock. The process id alone could belong to another process after a restart of the host.
  pid=$(cat "$target.lock/pid" 2>/dev/null)
  if [ -z "$(find "$target.lock" -maxdepth 0 -mmin +3)" ] && { [ -z "$pid" ] || lives "$pid"; }; then return 1; fi
  rm -rf "$target.lock"
  mkdir "$target.lock" 2>/dev/null && echo $$ >"$target.lock/pid"
}

tell() { echo "$*" >>"$target.results"; }

gone() { # removes the message from this webhook's queue, and its text with the last queue
  rm -f "$1.$target.curl" "$target.wait"
  set -- "$1" "$1".*.curl
  if [ ! -e "$2" ]; then rm -f "$1.json"; fi
}

report() { # kind event code seconds: tells each kind of trouble once, until a message is delivered
  if [ "$(cat "$target.trouble" 2>/dev/null)" != "$1" ]; then
    echo "$1" >"$target.trouble"
    tell "$@"
  fi
}

later() { # seconds failures
  if [ "$1" -gt 3600 ]; then set -- 3600 "$2"; fi
  echo "$(($(date +%s) + $1)) $2" >"$target.wait.tmp" && mv "$target.wait.tmp" "$target.wait"
}

delivered() { # event code
  gone "$1"
  if [ -e "$target.trouble" ]; then rm -f "$target.trouble"; tell works "$1" "$2" 0; fi
  tell sent "$1" "$2" 0
  # Readers drop messages that come too fast. The pause after the last one of several keeps the next round's in pace, too.
  if [ "$pause" -gt 0 ] && { [ "$waiting" -gt 1 ] || [ -n "$backlog" ]; }; then later $((pause + 1)) 0; fi
  backlog=
  if [ "$waiting" -gt 1 ]; then backlog=1; fi
}

reject() { # event code
  cp "$1.json" "rejected/$1.$target.json" 2>/dev/null
  gone "$1"
  tell rejected "$1" "$2" 0
}

send() { # event
  code=$(curl -q -K "$target.url" -K "$1.$target.curl" --silent --globoff --proto =http,https \
    --connect-timeout 10 --max-time 60 --dump-header "$target.head" --output "$target.body" --write-out '%{http_code}' \
    2>/dev/null)
  status=$?
  # The longest pause that headers and body ask for, and Discord's code for the error.
  retry=$({
    sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9][0-9]*\).*/\1/p' "$target.head"
    sed -n 's/.*"retry_after": *\([0-9][0-9]*\).*/\1/p' "$target.body"
  } 2>/dev/null | sort -n | tail -n 1)
  error=$(sed -n 's/.*"code": *\([0-9][0-9]*\).*/\1/p' "$target.body" 2>/dev/null | tail -n 1)
  if grep -q '"thread_id": *[[{]' "$target.body" 2>/dev/null; then error=thread_id; fi
  if grep -q '"webhook_\(id\|token\)": *[[{]' "$target.body" 2>/dev/null; then error=webhook_id; fi
  timed=
  if grep -q '^[Rr]etry-[Aa]fter: *[0-9]' "$target.head" || grep -q '"retry_after": *[0-9]' "$target.body"; then timed=1; fi 2>/dev/null
  rm -f "$target.head" "$target.body"
  fails=0
  if [ -f "$target.wait" ]; then read -r _ fails _ <"$target.wait"; fi
  case $code/$error in
    2??/*) # the message is stored, even if the answer's body is incomplete
      delivered "$1" "$code" ;;
    429/* | 4??/20016 | 4??/20028 | 4??/20029 | 4??/40062) # rate limited; a banned address gets no time
      if [ -n "$timed" ]; then
        fails=$((fails + 1)); wait=$((retry + 1))
        if [ "$fails" -gt 5 ]; then wait=$((wait + 60)); report limited "$1" "$code" "$wait"; fi
      else
        if [ "$(cat "$target.trouble" 2>/dev/null)" != banned ]; then fails=0; fi
        fails=$((fails + 1)); wait=3600
        if [ "$fails" -le 6 ]; then wait=$((60 << (fails - 1))); fi
        report banned "$1" "$code" "$wait"
      fi
      later "$wait" "$fails" ;;
    401/* | 4??/10015 | 4??/50027)
      case $error in 10015 | 50027) code=$code/$error ;; esac
      : >"$target.off"; tell off "$1" "$code" 0 ;;
    413/* | 4??/40005) # too large with the file
      if grep -q '^form = "files' "$1.$target.curl"; then
        grep -v '^form = "files' "$1.$target.curl" >"$target.curl.tmp" && mv "$target.curl.tmp" "$1.$target.curl"
      else
        reject "$1" "$code"
      fi ;;
    4??/22000[1-4] | 4??/50008 | 4??/50024 | 4??/40067 | 4??/10003 | 4??/50083 | 4??/160005 | 400/thread_id | 400/webhook_id | \
      405/* | 414/*) # the URL or its channel is wrong, not the message
      echo "$(($(date +%s) + 3600)) $fails held" >"$target.wait.tmp" && mv "$target.wait.tmp" "$target.wait"
      report held "$1" "$code/${error:-0}" 3600 ;;
    400/* | 406/* | 411/* | 415/* | 422/* | 431/*)
      reject "$1" "$code" ;;
    *)
      fails=$((fails + 1)); wait=300
      if [ "$fails" -le 5 ]; then wait=$((5 << fails)); fi
      wait=$((wait + $$ % 5))
      later "$wait" "$fails"
      report retry "$1" "${code:-000}/$status" "$wait" ;;
  esac
}

next() { # sets event to the oldest message for this webhook
  event=
  if [ -e "$target.off" ] || [ ! -s "$target.url" ]; then return 1; fi
  for file in *."$target".curl; do
    if [ -f "$file" ]; then event=${file%."$target".curl}; return 0; fi
  done
  return 1
}

is_due() {
  if [ ! -f "$target.wait" ]; then return 0; fi
  read -r due _ <"$target.wait"
  now=$(date +%s)
  # A pause of more than an hour comes from a clock that was set back meanwhile.
  [ "$now" -ge "$due" ] || [ "$due" -gt $((now + 3600)) ]
}

trap 'rm -rf "$target.lock"; exit 0' INT TERM
stop=$(($(date +%s) + seconds))
while next && lock; do
  while next && [ "$(date +%s)" -lt "$stop" ]; do
    touch "$target.lock"
    waiting=$(ls | grep -c "\.$target\.curl\$")
    if is_due; then send "$event"; else sleep 1; fi
  done
  rm -rf "$target.lock"
  if [ "$(date +%s)" -ge "$stop" ]; then exit 0; fi
  # Check again: a message may have been queued while the lock was still held.
done
]==]

local sender_ready = false                     -- there are webhooks, a curl, and a folder for messages

local function target_of(url) return hex(sha256(url)):sub(1, 8) end

--- Starts a background sender for each webhook. If one is running already, it continues and the new one ends.
local function start_senders()
  if not sender_ready then return end
  local commands = { "shell=$(command -v bash || echo sh)" }
  for _, url in ipairs(settings.urls) do
    commands[#commands + 1] = string.format('nohup "$shell" %s %s %s %d %d </dev/null >/dev/null 2>&1 &',
      quote(settings.outbox .. "/send.sh"), quote(settings.outbox), target_of(url), SENDER_SECONDS, settings.backlog_seconds)
  end
  os.execute(table.concat(commands, "\n"))
end

-- Removes old gametimes files, if the admin wants it. A wrong clock must not cost an archive: at most a day's worth of files is
-- removed, and none at all if the files contradict the clock. Only files of module and script are removed, which contain `ours`.
local CLEANER = [==[
ours='"schema":2,"source":"\(native\|lua\)"'
files() { ls | sed -n 's/^gametime-[A-Za-z0-9_.+-]*-R[0-9]*-\([0-9]\{1,12\}\)\.json$/\1 &/p' | sort -n; }
clean() (
  cd "$dir" || exit
  now=$(date +%s); oldest=$((now - days * 86400)); day=; removed=0
  set -- $(files | tail -n 1)
  if [ $# = 0 ]; then exit; fi
  if [ "$1" -gt $((now + 86400)) ]; then echo "clock $2 is from the future"; exit; fi
  if [ "$1" -lt "$oldest" ]; then echo "clock the newest file, $2, is $(((now - $1) / 86400)) days old"; exit; fi
  for f in $(files | while read -r end f; do if [ "$end" -lt "$oldest" ]; then echo "$f"; fi; done | xargs grep -l "$ours"); do
    end=${f%.json}; end=${end##*-}
    if [ -n "$day" ] && [ "$end" -ge $((day + 86400)) ]; then break; fi
    if [ -L "$f" ] || ! grep -q "\"round_end_unix\":$end," "$f"; then continue; fi
    day=${day:-$end}
    rm -f "$f" && removed=$((removed + 1))
  done
  echo "removed $removed"
)
]==]

--- Creates the folders, removes old files and logs what is missing. Runs while the map is loaded.
local function prepare_folders(fresh)
  sender_ready = false
  if WINDOWS then
    os.execute('mkdir "' .. (settings.dir .. (settings.live and "/live" or "")):gsub("/", "\\") .. '" 2>nul')
    if #settings.urls > 0 then log("messages are not sent: this script can send on Linux only") end
    return
  end
  local targets = {}
  for i, url in ipairs(settings.urls) do targets[i] = target_of(url) end
  local script = {
    CLEANER, "dir=" .. quote(settings.dir), "out=" .. quote(settings.outbox), "urls=" .. quote(settings.url_file or ""),
    "targets=" .. quote(table.concat(targets, " ")), "fresh=" .. (fresh and 1 or 0), "days=" .. settings.keep_days,
    "limit=" .. OUTBOX_LIMIT, "mode=" .. settings.file_mode, "folder_mode=" .. settings.folder_mode,
    "live=" .. (settings.live and 1 or 0),
    [==[
[ -d "$dir" ] || { mkdir -p "$(dirname "$dir")" && mkdir "$dir" && chmod "$folder_mode" "$dir"; }
[ -d "$dir" ] && [ -w "$dir" ] && echo folder
if [ "$live" = 1 ]; then [ -d "$dir/live" ] || { mkdir "$dir/live" && chmod "$folder_mode" "$dir/live"; }; fi
umask 077
mkdir -p "$out/rejected" "$out/dropped" && chmod 700 "$out" && [ -w "$out" ] && echo outbox
command -v curl >/dev/null && echo curl
if [ -n "$urls" ] && [ -n "$(find "$urls" -maxdepth 0 -perm /044)" ]; then echo readable; fi
if cd "$out"; then
  if [ "$fresh" = 1 ]; then
    rm -f ./*.off ./*.url ./*.trouble
    for f in *.wait; do if grep -q held "$f"; then rm -f "$f"; fi; done
  fi
  rm -f new-file; : >new-file && chmod "$mode" new-file
  for t in $targets; do [ -e "$t.url" ] || : >"$t.url"; done
  # Messages for a removed webhook go to the new one in its place, whose URL was probably corrected; without one to dropped/.
  # Without any webhook they stay, because the file of URLs may be missing only for a moment.
  known=$(cat targets)
  if [ -n "$targets" ]; then
    for f in *.curl; do
      [ -f "$f" ] || break
      e=${f%.curl}; t=${e##*.}; e=${e%.*}
      case " $targets " in *" $t "*) continue ;; esac
      heir=; n=0
      for old in $known; do
        n=$((n + 1))
        if [ "$old" = "$t" ]; then heir=$(echo $targets | cut -d' ' -f$n); fi
      done
      case " $(echo $known) " in *" $heir "*) heir= ;; esac
      if [ -n "$heir" ]; then
        mv "$f" "$e.$heir.curl"
      else
        cp "$e.json" dropped/ && echo removed-webhook; rm -f "$f"
        set -- "$e".*.curl
        [ -e "$1" ] || rm -f "$e.json"
      fi
    done
    echo $targets >targets
  fi
  extra=$(($(ls | grep -c '\.curl$') - limit))
  for f in *.curl; do
    if [ "$extra" -le 0 ] || [ ! -f "$f" ]; then break; fi
    e=${f%.curl}; e=${e%.*}; cp "$e.json" dropped/ && echo "dropped $e"
    rm -f "$f"; extra=$((extra - 1))
    set -- "$e".*.curl
    [ -e "$1" ] || rm -f "$e.json"
  done
  for shelf in rejected dropped; do # the names sort by time
    ls $shelf | grep '\.json$' | head -n -200 | while read -r f; do rm -f "$shelf/$f"; done
  done
  if [ "$days" -gt 0 ] && [ -z "$(find cleaned -mmin -360)" ]; then
    : >cleaned
    clean
  fi
fi
]==],
  }
  local pipe = io.popen("exec 2>/dev/null\n" .. table.concat(script, "\n"), "r")
  local said, moved = {}, 0
  for line in pipe and pipe:lines() or function() end do
    local word, rest = line:match("^(%S+)%s*(.*)$")
    if word == "dropped" then
      log("the outbox is full: %s was moved to dropped/", rest)
    elseif word == "removed" and rest ~= "0" then
      log("gametimes files older than %d days removed: %s", settings.keep_days, rest)
    elseif word == "clock" then
      log("old gametimes files are kept, because the system clock seems to be wrong: %s", rest)
    elseif word == "removed-webhook" then
      moved = moved + 1
    end
    said[word or ""] = true
  end
  if pipe then pipe:close() end
  if moved > 0 then log("messages for removed webhooks moved to dropped/: %d", moved) end
  settings.new_file = said.outbox and settings.outbox .. "/new-file" or nil
  if not said.folder then
    log("the folder cannot be used: %s cannot be written; make it writable for the server's user", settings.dir)
  end
  if said.readable then
    log("gametimes_webhook_file: other users can read %s; run chmod 600 on it", settings.url_file)
  end
  if #settings.urls == 0 then return end
  if not said.outbox then
    log("the outbox cannot be used: %s cannot be written; messages are not sent", settings.outbox)
  elseif not said.curl then
    log("curl is not installed: messages are not sent")
  else
    for i, url in ipairs(settings.urls) do     -- the file exists already, with mode 0600
      local file = io.open(settings.outbox .. "/" .. targets[i] .. ".url", "w")
      if file then
        file:write('url = "' .. url .. '"\n')
        file:close()
      end
    end
    sender_ready = write_file(settings.outbox .. "/send.sh", SENDER) or false
  end
end

-- What the admin can do about an answer that is about the URL or its channel, by Discord's code. The module has the same list.
local CHANNEL = "its channel does not take such messages: use the webhook of a text channel"
local THREAD = "its thread is closed: open it, or use another thread_id"
local CURES = {
  ["220001"] = "its channel is a forum: append ?thread_id= and the id of a post to the URL, or use the webhook of a text channel",
  ["220002"] = CHANNEL, ["220003"] = CHANNEL, ["220004"] = CHANNEL, ["50008"] = CHANNEL, ["50024"] = CHANNEL,
  ["40067"] = "its forum requires tags: append ?thread_id= and the id of a post to the URL",
  ["10003"] = "the thread_id in the URL is not that of a thread in its channel: correct or remove it",
  ["50083"] = THREAD, ["160005"] = THREAD,
  thread_id = "the thread_id in the URL is not a number: correct it",
}

--- Logs the results of the background senders.
local function read_results()
  for _, url in ipairs(sender_ready and settings.urls or {}) do
    local target = target_of(url)
    local path = settings.outbox .. "/" .. target .. ".results"
    if os.rename(path, path .. ".read") then
      local text = read_file(path .. ".read") or ""
      os.remove(path .. ".read")
      for what, event, code, wait in text:gmatch("(%S+) (%S+) (%S+) (%S+)\n") do
        if what == "sent" then
          log("message sent: %s to webhook %s (HTTP %s)", event, target, code)
        elseif what == "works" then
          log("webhook %s works again", target)
        elseif what == "held" then
          log("webhook %s accepts no message: HTTP %s; %s; then restart the server", target, code,
            CURES[code:match("/(.*)$")] or "correct the URL")
        elseif what == "limited" or what == "banned" then
          log("webhook %s answers 429 %s; messages stay queued and are retried at growing intervals, first in %s sec", target,
            what == "banned" and "without a time, as for a banned address" or "again and again", wait)
        elseif what == "off" then
          log("webhook %s is disabled until the server restarts: HTTP %s; check its URL", target, code)
        elseif what == "rejected" then
          log("message rejected: webhook %s answered HTTP %s; %s was moved to rejected/", target, code, event)
        else
          log("sending to webhook %s failed (HTTP %s); %s is retried in %s sec", target, code, event, wait)
        end
      end
    end
  end
end

--- Queues a message for each webhook. The entry is written last, after the files that it refers to.
local function queue_message(done, file_name, text)
  local signature = settings.hmac_key ~= "" and hex(hmac_sha256(settings.hmac_key, text)) or nil
  local base = settings.outbox .. "/" .. done.event_id
  local ok, err = write_file(base .. ".json", json(message(done, signature)))
  for _, url in ipairs(ok and settings.urls or {}) do
    ok, err = write_file(base .. "." .. target_of(url) .. ".curl", string.format(
      'form = "payload_json=<%s.json;type=application/json"\nform = "files[0]=@../../%s;type=application/json"\n',
      done.event_id, file_name))
    if not ok then break end
  end
  if not ok then log("message not sent: the outbox cannot be written: %s", tostring(err)) end
  return ok
end

--- The name of the round's stats file, which contains the second in which it was written. The stats script writes it in one go,
--- so a file that exists is complete.
local function find_stats_file(done)
  local from = done.ended_unix - 1
  for unix = from, math.min(os.time(), from + 8) do
    for n = 1, 2 do
      local name = string.format("%s-%s-round-%d.txt", os.date("%Y-%m-%d-%H%M%S", unix), done.map, n)
      local file = io.open(home .. "/gamestats/" .. name, "rb")
      if file then
        file:close()
        return name
      end
    end
  end
end

local function say_summary(done)
  local function names(people)
    local out = {}
    for i, p in ipairs(people) do out[i] = p.name end
    return #out > 0 and table.concat(out, ", ") or "-"
  end
  local spawns, revives, deaths, dead_ms, max_ms = 0, 0, 0, 0, 0
  for _, p in ipairs(done.players) do
    spawns, revives, deaths = spawns + p.spawns, revives + p.revives, deaths + p.deaths
    dead_ms, max_ms = dead_ms + p.dead_ms, math.max(max_ms, p.max_dead_ms)
  end
  log("round end: %s R%d %s after %s, winner %s, score Axis %d Allies %d, pauses %d (%d sec)", done.map, done.number,
    done.reason, minutes(done.play_ms), done.winner == AXIS and "Axis" or done.winner == ALLIES and "Allies" or "none",
    done.score_axis, done.score_allies, #done.pauses, pause_ms(done) // 1000)
  log("teams: Axis %s | Allies %s", names(done.axis), names(done.allies))
  log("summary: players %d spawns %d (revives %d) deaths %d dead %d sec, longest %d sec", #done.players, spawns, revives,
    deaths, dead_ms // 1000, max_ms // 1000)
end

local waiting                                  -- the round that is over, but not written yet

--- Writes the gametimes file of the waiting round and sends its message. If the disk is full, a later call may succeed; `last` is
--- set in the last call.
local function deliver(last)
  local done = waiting
  done.stats_file = done.stats_file or find_stats_file(done)
  if not done.players then
    done.players = {}
    for _, p in ipairs(done.people) do
      if p.played_ms > 0 or p.spawns > 0 or p.deaths > 0 or p.kills > 0 then done.players[#done.players + 1] = p end
    end
    done.canonical_id = hex(sha256(string.format("%d:%s:%d", done.start_unix, canonical_map(done.map),
      done.number))):sub(1, 16)
    first_round.save(done)
    say_summary(done)
  end
  local map = done.map:gsub("[^%w_%-]", "_")
  local name = string.format("gametime-%s-R%d-%d.json", map, done.number, done.stop_unix)
  local text = gametimes_file(done)
  local path = settings.dir .. "/" .. name
  -- The file that was created with the right permissions, unless the outbox is gone or on another disk.
  local ok, err = settings.new_file and write_file(path, text, settings.new_file)
  if not ok then ok, err = write_file(path, text) end
  if not ok then
    if last then
      log("%s cannot be written: %s; this round is lost", name, tostring(err))
    else
      complain(name .. " cannot be written", tostring(err) .. "; it is retried")
    end
    return
  end
  waiting = nil
  log("file written: %s", settings.dir .. "/" .. name)
  if #settings.urls == 0 then
    log("message not sent: no webhook is set")
  elseif #done.players == 0 then
    log("message not sent: nobody played in this round")
  elseif done.play_ms // 1000 < settings.min_seconds then
    log("message not sent: the round of %d sec is shorter than gametimes_min_seconds %d", done.play_ms // 1000,
      settings.min_seconds)
  elseif not sender_ready then
    log("message not sent: this server cannot send, see the lines at the start of the map")
  elseif queue_message(done, name, text) then
    start_senders()
  end
end

-- ---------------------------------------------------------------------------------------------------------------------
-- The live file

--- Follows the wall clock to the millisecond: os.time() gives whole seconds only, and is the most behind right before the next one.
function live.watch_clock()
  local ahead = os.time() * 1000 - now_ms()
  if ahead > live.clock or ahead < live.clock - 2000 then live.clock = ahead end -- the latter if it was set back
end

--- Writes the file. A script cannot create a folder without starting a process, so one that was removed comes back with the next map.
function live.write(t, is_idle)
  live.at = t
  live.unix_ms = live.clock + now_ms()
  live.seq = math.max(live.seq + 1, live.unix_ms)
  if WINDOWS then os.remove(live.path) end
  local ok, err = write_file(live.path, live.text(t, is_idle), live.tmp)
  if not ok and (not live.logged or now_ms() - live.logged >= live.LOG_EVERY_MS) then
    live.logged = now_ms()
    log("the live file %s cannot be written: %s; it is tried again all the time", live.path, tostring(err))
  end
end

--- A frame is over.
function live.frame(t)
  live.watch_clock()
  if t - live.at < live.EVERY_MS and t >= live.at then return end
  local ok, err = pcall(live.write, t)
  if not ok then complain("error in the live file", err) end
end

--- A map begins that this script records. The engine looks for et_RunFrame in every frame, so without a live file nothing is done.
function live.start(t)
  live.on = settings.live
  if not live.on then return end
  local name = string.format("%s_%s.json", cvar("net_ip"), cvar("net_port")):gsub("[^%w.%-_]", "_")
  live.path, live.tmp = settings.dir .. "/live/" .. name, settings.dir .. "/live/.tmp-" .. name .. ".part"
  live.seq = math.tointeger(tonumber((read_file(live.path) or ""):match('"seq":(%d+)'))) or 0
  live.watch_clock()
  live.at = t
  local run_frame = et_RunFrame
  function et_RunFrame(level_time)
    run_frame(level_time)
    live.frame(level_time)
  end
  live.write(t)
end

-- ---------------------------------------------------------------------------------------------------------------------
-- Callbacks of the game

local recording = false                        -- whether this script records, and not the module
local gamestate                                -- as of the last frame
local gamestate_number = remembered_number()
local engine_error = ""                        -- the engine's last error before this map
local looked = 0                               -- level time of the last check for stats files and results

local function refuse(line)
  complain("a printed line contradicts the game's state, as if a player's name were made to look like it; ignored", line)
end

local KNOWN_VOTE_ENDS = { "^Failed: %(Y:", "^TIMEOUT! ", "^CANCELED!$", "^canceled: " }

--- Whether the game says that a player died in this frame.
local function just_died(slot)
  local t = field(slot, "deathTime")
  if t == nil then return field(slot, "ps.pm_type") == DEAD end -- this game lacks the field
  return t > 0 and t >= clock.prev
end

local obituaries_hidden = false                -- whether the log says so

--- Counts the deaths that were printed, up to the n-th print, but for which et_Obituary was not called: a script that is loaded
--- before this one has returned a value from it.
local function settle_kills(n)
  local kills, later = {}, {}
  for _, kill in ipairs(round.kills) do
    local list = kill.n <= n and kills or later
    list[#list + 1] = kill
  end
  round.kills = later
  -- Those that were true at the print come first: a name can claim a death of a player who really died a moment later.
  table.sort(kills, function(a, b)
    if (a.t == nil) ~= (b.t == nil) then return a.t ~= nil end
    return a.n < b.n
  end)
  for _, kill in ipairs(kills) do
    settle_queue(kill.victim)
    local seat = round.seats[kill.victim]
    local limbo = (field(kill.victim, "ps.pm_flags") or 0) & LIMBO ~= 0
    if seat and seat.life == "alive" and (kill.t or limbo or just_died(kill.victim)) then
      if not obituaries_hidden then
        obituaries_hidden = true
        log("a script before this one returns a value from et_Obituary, which hides it from this script; deaths are taken from prints")
      end
      death({ slot = kill.victim, t = kill.t or stamp(kill.victim, "deathTime"), team = kill.team, killer = kill.killer,
        killer_team = kill.killer_team, means = kill.means })
    else
      refuse("Kill")
    end
  end
end

--- Whether the game has queued the intermission, as it does right after it prints "Exit: ...". The configstring shows it only in
--- the first round on a map: the game never clears it. In stopwatch the next round shows it, else the gamestate, which follows
--- in the same frame or in the next one. Until then, the score that the game prints in the same call must do.
local function intermission_queued()
  return not round.intermission_before and leading_number(configstring(CS.intermission)) ~= 0
    or round.gametype == STOPWATCH and leading_number(cvar("g_currentRound")) ~= round.current_before
    or leading_number(cvar("gamestate")) == INTERMISSION
end

--- Runs the callbacks that were held, as of their time.
local function run_held(list)
  local last, prev = clock.last, clock.prev
  for _, held in ipairs(list) do
    clock.last, clock.prev = held.last, held.prev
    if not held.is_obituary then settle_kills(held.kills) end
    held.f(table.unpack(held, 1, held.n))
  end
  clock.last, clock.prev = last, prev
end

--- Decides about the "Exit: ..." print. `last` if nothing can prove it later. Until then, the callbacks that follow are held.
local function settle_exit(is_print, last)
  local claim = round and not round.exit and round.exit_claim
  if not claim then return end
  if intermission_queued() then
    -- The intermission will clear the limbo flags, so those at the print count. Nothing is counted from now on.
    round.exit_claim = nil
    settle_kills(claim.kills)
    settle_queue()
    for n = #round.events, 1, -1 do            -- what happened to objectives after the exit does not count
      if n > claim.events and round.events[n].action then table.remove(round.events, n) end
    end
    round.exit, round.exit_after, round.exit_unix, round.exit_frame = claim.text, claim.after, claim.unix, claim.frame
  elseif not is_print and (last or not round.intermission_before or not claim.scored or claim.frames >= 2) then
    refuse("Exit")
    round.exit_claim = nil
    for _, entry in ipairs(round.queue) do entry.flags = nil end
    run_held(claim.held)
  end
end

--- Decides about the prints of votes. The game sets the configstrings of votes right after them, or clears them before.
local function settle_votes()
  local running, text = configstring(CS.vote_time) ~= "", configstring(CS.vote)
  local found
  for _, claim in ipairs(round.votes) do
    local rest = running and text:sub(1, #claim.vote) == claim.vote and text:sub(#claim.vote + 1)
    if rest and (rest == "" or rest:find("^ %(called by ")) then
      if found then refuse("callvote") end
      found = claim
    else
      refuse("callvote")
    end
  end
  if found then
    round.caller = found.vote:lower():find("^surrender%f[%s\0]") and { guid = found.guid, name = found.name } or nil
  end
  round.votes = {}
  if round.vote_failed then
    if running then refuse("Vote") else round.caller = nil end
    round.vote_failed = nil
  end
end

--- Decides about what was printed before this callback. Prints themselves can come between a line and the state that proves it.
local function settle_prints(is_print, last)
  if not round or round.exit then return end
  if round.exit_claim then settle_exit(is_print, last) end
  if is_print or round.exit or round.exit_claim then return end
  if #round.kills > 0 then settle_kills(round.kills_printed) end
  if #round.votes > 0 or round.vote_failed then settle_votes() end
end

--- A frame is over: what no player did happened in it.
local function settle_objectives(t)
  if #round.halves == 0 then return end
  for _, event in ipairs(round.halves) do
    if not event.person then event.t = t end
  end
  round.halves = {}
end

local HELD = { et_ClientSpawn = true, et_Obituary = true, et_ClientDisconnect = true, et_ClientUserinfoChanged = true }

-- Whether the next frame has nothing to do as long as four texts of the engine stay and nobody goes into limbo: a round is being
-- played and not paused, and no callback has come since the last frame.
local calm = false

--- Makes a callback that never raises an error and never returns a value.
local function callback(name, f)
  local is_print, is_last = name == "et_Print", name == "et_ShutdownGame"
  -- et_Obituary follows its print, so it decides about that itself.
  local settle = name == "et_Obituary" and settle_exit or settle_prints
  local is_held = HELD[name]
  local function run(...)
    calm = false
    settle(is_print, is_last)
    local claim = is_held and round and round.exit_claim
    if claim then
      claim.held[#claim.held + 1] = { f = f, is_obituary = name == "et_Obituary", kills = round.kills_printed,
        last = clock.last, prev = clock.prev, n = select("#", ...), ... }
    else
      f(...)
    end
  end
  return function(...)
    local ok, err = pcall(run, ...)
    if not ok then complain("error in " .. name, err) end
  end
end

--- The reason why this script does not record this map, or nil.
local function stand_by()
  -- A relay shows a match that another server plays and records.
  if et.TVG_Say then return "this server is an ETLTV relay" end
  local module = cvar("gametimes_module")
  if module:find("^native") then return "the module does (gametimes_module is \"" .. decode(module) .. "\")" end
  if integer_setting("gametimes_enabled", 1, 0, 1) == 0 then
    et.trap_Cvar_Set(first_round.CVAR, "")     -- it would belong to a match before this one
    return "gametimes_enabled is 0"
  end
  for vm = 0, (et.FindSelf() or 0) - 1 do      -- listed twice in lua_modules, or installed in two places
    if (et.FindMod(vm) or ""):find("^gametimes ") then return "another copy of this script does; lua_modules names it twice" end
  end
end

--- Sends messages that an earlier map left, although this script read no URLs: the files with the URLs still exist.
local function send_what_waits()
  read_folder()
  if WINDOWS or not read_file(settings.outbox .. "/send.sh") then return end
  os.execute("cd " .. quote(settings.outbox) .. [==[ || exit
shell=$(command -v bash || echo sh)
for url in *.url; do
  set -- *."${url%.url}".curl
  if [ -e "$1" ]; then nohup "$shell" ./send.sh . "${url%.url}" ]==] .. SENDER_SECONDS .. [==[ </dev/null >/dev/null 2>&1 & fi
done]==])
end

et_InitGame = callback("et_InitGame", function(level_time)
  et.RegisterModname("gametimes " .. VERSION .. " lua")
  round, waiting, recording, looked = nil, nil, false, level_time
  clock.last, clock.prev = level_time, level_time
  slots = math.max(1, math.min(MAX_CLIENTS, leading_number(cvar("sv_maxclients"))))
  gamestate = leading_number(cvar("gamestate"))
  local why = stand_by()
  if why then
    log("v%s lua does not record: %s", VERSION, why)
    return send_what_waits()
  end
  read_settings()
  local module = cvar("gametimes_module")
  log("v%s lua engine %s webhooks %d%s", VERSION, server_version(), #settings.urls,
    module ~= "" and " (gametimes_module is \"" .. decode(module) .. "\")" or "")
  prepare_folders(first_map())
  local map = harmless(head(decode(cvar("mapname")), MAP_LIMIT))
  map = map ~= "" and map or "unknown"
  load_match(map)
  match.first = first_round.load(map)
  engine_error = cvar("com_errorMessage")
  recording = true
  if gamestate == PLAYING then
    begin(level_time)
  elseif not match.warm_ms then
    match.warm_ms, match.warm_unix = now_ms(), os.time()
  end
  save_match()
  read_results()
  start_senders()
  live.start(level_time)
end)

local calm_gamestate, calm_toggles, calm_red, calm_blue, calm_fallen -- as of the last frame that was not calm

--- A counter that the game copies when a player goes into limbo, and that has grown with the death before. Much cheaper to read than
--- ps.pm_flags: the game looks for a field's name in a list, in which this one is the third. nil if this game lacks the field.
local function saved_deaths(slot)
  local ok, value = pcall(et.gentity_get, slot, "saved_persistant", PERS_KILLED)
  return ok and value or nil
end

local run_frame = callback("et_RunFrame", function(level_time)
  if not recording then
    if gamestate == nil then
      gamestate = false
      log("loaded in mid-map: recording starts with the next map or map_restart")
    end
    return
  end
  clock.prev, clock.last = clock.last, level_time
  if round then
    if next(round.medics) then round.medics = {} end
    local claim = round.exit_claim
    if claim then
      claim.frame, claim.frames = claim.frame or level_time, claim.frames + 1
      settle_exit()
    end
  end
  calm_gamestate, calm_toggles = cvar("gamestate"), configstring(CS.toggles)
  gamestate = gamestate_number(calm_gamestate)
  if round then
    watch_pause(level_time, calm_toggles)
    asked = nil
    if round.waves then watch_waves(level_time) end
    settle_objectives(level_time)
    if not round.exit and not round.exit_claim and gamestate ~= PLAYING then -- play is over, and the game printed no reason
      round.exit, round.exit_after, round.exit_unix = "", clock.prev, os.time()
    end
    if round.exit then
      local reason = round.exit == "" and "unknown" or end_reason(round.exit)
      waiting = finish(exit_time(round.exit_frame or level_time), round.exit_unix, reason)
      waiting.deadline = level_time + STATS_FILE_WAIT_MS
    elseif not round.exit_claim then
      settle_queue()
      local known = true
      for slot, seat in pairs(round.fallen) do
        local saved = saved_deaths(slot)
        known = known and saved
        if seat.life ~= "dead" or round.seats[slot] ~= seat then
          round.fallen[slot] = nil
        elseif not saved or saved ~= seat.saved_deaths then
          seat.saved_deaths = saved
          if (field(slot, "ps.pm_flags") or 0) & LIMBO ~= 0 then
            round.fallen[slot] = nil
            seat.limbo = math.max(seat.since, clock.prev)
            note(seat.limbo, "limbo", seat)
          end
        end
      end
      local pause = round.pauses[#round.pauses]
      calm = known and gamestate == PLAYING and not (pause and not pause.stop)
      calm_fallen = round.fallen
      local red, blue = round.waves and round.waves[AXIS], round.waves and round.waves[ALLIES]
      calm_red, calm_blue = red and red.seen, blue and blue.seen
      if red and (red.next or blue.next) then calm = false end -- takes effect in the next frame
    end
  end
  if gamestate ~= PLAYING and level_time - looked >= 1000 then
    looked = level_time
    if waiting then
      waiting.stats_file = find_stats_file(waiting)
      if waiting.stats_file or level_time >= waiting.deadline then deliver() end
    end
    read_results()
  end
end)

local get_cvar, get_configstring, get_field = et.trap_Cvar_Get, et.trap_GetConfigstring, et.gentity_get

--- Nearly every frame of play is calm, and makes no table and no string. Memory that a frame touches has left the processor's cache
--- since the last one, so this function touches little: no constant of the script, no other function.
function et_RunFrame(level_time)
  if calm and get_cvar("gamestate") == calm_gamestate and get_configstring(32) == calm_toggles -- CS.toggles
    and (not calm_red or get_cvar("g_redlimbotime") == calm_red and get_cvar("g_bluelimbotime") == calm_blue) then
    local in_limbo
    for slot, seat in next, calm_fallen do
      if get_field(slot, "saved_persistant", 6) ~= seat.saved_deaths then in_limbo = true; break end -- PERS_KILLED
    end
    if not in_limbo then
      clock.prev, clock.last = clock.last, level_time
      return
    end
  end
  run_frame(level_time)
end

et_ShutdownGame = callback("et_ShutdownGame", function(restart)
  et.trap_Cvar_Set("gametimes_module", "")     -- a module sets it again before the next map
  local state = leading_number(cvar("gamestate"))
  local restarted = false
  if recording then
    if round then
      if round.exit then
        waiting = finish(round.exit_after, round.exit_unix, end_reason(round.exit))
      else
        -- A map_restart that changes sv_maxclients comes without `restart`. It sets a gamestate, unlike quit; if that is
        -- PLAYING, the two look alike.
        -- An error of the game or of the engine ends the map, too; the engine keeps its text.
        local reason = restart == 1 and "map_restart" or state == INITIALIZE and "map_change"
          or state ~= PLAYING and "map_restart" or cvar("com_errorMessage") ~= engine_error and "server_crash"
          or "server_quit"
        waiting = finish(clock.last, os.time(), reason)
        restarted = reason == "map_restart"
      end
    end
    -- The match was reset: before or after a round, gamestate shows it; during one, play goes back to the warmup.
    if round_number() == 1 and (state == RESET or state == WARMUP and restarted) then match.axis, match.allies = 0, 0 end
    if waiting then deliver(true) end
    save_match()
  end
  if live.on then live.write(clock.last, true) end
  if state == INITIALIZE and not first_map() then et.trap_Cvar_Set("gametimes_lua_state", "another map") end
  recording = false
  give_back_secrets()
end)

et_ClientBegin = callback("et_ClientBegin", function(slot)
  if recording then log_debug("slot %d begins, team %s", slot, tostring(team_of(slot))) end
end)

et_ClientUserinfoChanged = callback("et_ClientUserinfoChanged", function(slot)
  local seat = round and not round.exit and round.seats[slot]
  if not seat then return end
  local person = seat.person
  set_name(person, name_of(slot))
  if person.guid == "" then                    -- some clients send their guid late
    local guid = guid_of(slot)
    if guid == "" then return end
    for _, p in ipairs(round.people) do
      if same_guid(p.guid, guid) then return end -- played before: statistics without the guid stay with the name
    end
    person.guid, person.name = guid, person.own_name
  end
end)

et_ClientDisconnect = callback("et_ClientDisconnect", function(slot)
  if not round or round.exit then return end
  settle_queue(slot)
  round.ghosts[slot] = nil
  local seat = round.seats[slot]
  if not seat then return end
  stand_up(seat, clock.last)
  note(clock.last, "leave", seat)
  round.seats[slot] = nil
end)

et_ClientSpawn = callback("et_ClientSpawn", function(slot, revived)
  if not round or round.exit or not is_slot(slot) then return end
  revived = revived == 1 or revived == true
  local medic = revived and round.medics[slot]
  round.medics[slot] = nil
  settle_queue(slot)
  round.queue[#round.queue + 1] = { slot = slot, t = stamp(slot, "pers.lastSpawnTime"), team = team_of(slot),
    revived = revived, by = medic, class = CLASSES[field(slot, "sess.playerType")] }
end)

et_Obituary = callback("et_Obituary", function(victim, killer, _)
  if not round or round.exit or not is_slot(victim) then return end
  local kill
  killer = is_slot(killer) and killer or nil
  for i = #round.kills, 1, -1 do               -- the print right before
    local k = round.kills[i]
    if k.victim == victim and k.killer == killer then kill = table.remove(round.kills, i); break end
  end
  settle_queue(victim)
  death({ slot = victim, t = stamp(victim, "deathTime"), team = team_of(victim), killer = killer,
    killer_team = team_of(killer), means = kill and kill.means })
end)

--- A number as the game prints it, without leading zeros.
local function printed(digits)
  return (digits == "0" or digits:find("^[1-9]")) and #digits < 10 and math.tointeger(tonumber(digits)) or nil
end

--- The slot that the game prints; nil if the server does not have it.
local function printed_slot(digits)
  local slot = printed(digits)
  return is_slot(slot) and slot or nil
end

--- The name of an objective, or an announcement, as UTF-8 without colour codes; nil if it is empty.
local function objective_text(bytes)
  if not bytes or bytes == "(null)" then return nil end
  local text = bytes:sub(1, TEXT_LIMIT)
  -- A character that was cut in two.
  for n = 1, #bytes > #text and 3 or 0 do
    if utf8.len(text) then break end
    if utf8.len(text:sub(1, -1 - n)) then text = text:sub(1, -1 - n) end
  end
  text = plain(text)
  return text ~= "" and text or nil
end

local ENGINEERS_ONLY = { planted = true, defused = true, repaired = true }

--- Whether the player in a slot can do this. A player who armed dynamite can be dead when it explodes, or have another class.
local function can_do(slot, seat, action)
  if not seat or not plays(seat.team) then return false end
  if action == "destroyed" then return true end
  local alive = seat.life == "alive"
  for _, entry in ipairs(round.queue) do       -- revived just now
    alive = alive or entry.slot == slot and entry.revived
  end
  return alive and (not ENGINEERS_ONLY[action] or seat.class == "engineer")
end

--- Notes what happened to an objective. The game prints some actions twice, with the player and with the team: both are one event.
--- Its prints do not tell whether they come from a player's own call, before the next frame, or from inside it. Those with a player
--- mostly do the former, all others the latter.
local function note_objective(action, seat, team, text)
  if action == "repaired" then
    local now, last = play_clock(clock.last), seat.person.repaired
    if last and now - last < REPAIR_EVERY_MS then return end
    seat.person.repaired = now
  end
  local half = { action = action, team = plays(team) and team or nil, text = text }
  local other_action = action == "stolen" and "picked_up" or action
  for n, other in ipairs(round.halves) do
    local same_team = not other.team or not half.team or other.team == half.team
    if other.action == other_action and (other.person == nil) ~= (seat == nil) and same_team then
      other.text, other.team = other.text or text, other.team or half.team
      table.remove(round.halves, n)
      if action == "stolen" then break end     -- of what is taken, both are events
      if seat then other.person = seat.person end
      other.t = clock.last
      return
    end
  end
  if round.objectives >= OBJECTIVES_LIMIT then
    round.events_dropped = round.events_dropped + 1
    return
  end
  local event = note(clock.last, "objective", seat, half)
  if event then
    round.objectives = round.objectives + 1
    round.halves[#round.halves + 1] = event
  end
end

--- A print about an objective that names a slot.
local function objective_by(slot, action, text)
  slot = slot and printed_slot(slot)
  if not slot then return nil end
  local seat = round.seats[slot]
  if not can_do(slot, seat, action) then refuse(action) else note_objective(action, seat, seat.team, objective_text(text)) end
  return true
end

local POPUPS = { stole = "stolen", returned = "returned", planted = "planted", defused = "defused" }

-- Handlers for the game's prints, by first byte. Most prints need no handler. They return true for a line of the game's exact form,
-- and nil for one that has its beginning only.
local PRINTS = {
  [75] = function(text)                        -- Kill: killer victim number: ^7name^7 killed name^7 by MOD_MP40
    local killer, victim, means = text:match("^Kill: (%d+) (%d+) %d+: .* killed .* by (MOD_[%u%d_]+)\n$")
    victim = victim and printed_slot(victim)
    killer = killer and printed(killer)
    if not victim or not killer or not (killer == WORLD or is_slot(killer)) then return end
    round.kills_printed = round.kills_printed + 1
    round.kills[#round.kills + 1] = { n = round.kills_printed, victim = victim, killer = is_slot(killer) and killer or nil,
      means = means:sub(1, 32), t = just_died(victim) and stamp(victim, "deathTime") or nil, team = team_of(victim),
      killer_team = is_slot(killer) and team_of(killer) or nil }
    return true
  end,
  [77] = function(text)                        -- Medic_Revive: medic patient
    local medic, patient = text:match("^Medic_Revive: (%d+) (%d+)\n$")
    medic, patient = medic and printed_slot(medic), patient and printed_slot(patient)
    if not medic or not patient then return end
    local seat, team = round.seats[medic], team_of(medic)
    if medic == patient or not plays(team) or team ~= team_of(patient) then
      refuse("Medic_Revive")
      return true
    end
    local person = seat and seat.person
    -- The game prints it right after the spawn.
    for i = #round.queue, 1, -1 do
      local entry = round.queue[i]
      if entry.slot == patient then
        if not entry.revived then break end
        if not entry.by_print then entry.by, entry.by_print = person, true end
        return true
      end
    end
    round.medics[patient] = person
    return true
  end,
  [69] = function(text)                        -- Exit: why
    local why = text:match("^Exit: (.-)\n+$")
    if not why or why:find("\n", 1, true) or not why:find("%S") then return end
    if why:find(" %(already triggered%)$") then return true end
    why = decode(why):sub(1, 96)
    local claim = round.exit_claim
    if claim then
      refuse("Exit")
      if claim.scored then return true end
      if end_reason(claim.text) ~= "unknown" and end_reason(why) == "unknown" then return true end
    end
    for _, entry in ipairs(round.queue) do entry.flags = field(entry.slot, "ps.pm_flags") end
    round.exit_claim = { text = why, after = clock.last, unix = os.time(), frames = 0, kills = round.kills_printed, events = #round.events,
      held = {} }
    return true
  end,
  [97] = function(text)                        -- axis:60  allies:68, after the exit and the players' scores
    if round.exit_claim and text:find("^axis:%-?%d+  allies:%-?%d+\n$") then round.exit_claim.scored = true end
    return true
  end,
  [99] = function(text)                        -- callvote: slot Surrender [ALLIES]
    local slot, vote = text:match("^callvote: (%d+) ([^\n]+)\n+$")
    slot = slot and printed_slot(slot)
    if not slot then return end
    local seat = round.seats[slot]
    round.vote_caller = { guid = guid_of(slot), name = seat and seat.person.name or name_of(slot), team = team_of(slot) }
    round.votes[#round.votes + 1] = { vote = vote, guid = guid_of(slot), name = seat and seat.person.name or name_of(slot) }
    return true
  end,
  [73] = function(text)                        -- Item: slot team_CTF_redflag
    local slot, color = text:match("^Item: (%d+) team_CTF_(%a+)flag\n$")
    local team = color == "red" and AXIS or color == "blue" and ALLIES
    local seat = team and round.seats[printed_slot(slot) or -1]
    -- Players bring back what their own team has lost by touching it.
    return team and objective_by(slot, seat and seat.team == team and "returned" or "picked_up")
  end,
  [68] = function(text)                        -- Dynamite_Plant: slot [name], Dynamite_Diffuse: slot [name]
    local word, slot, name = text:match("^Dynamite_(%a+): (%d+)([^\n]*)\n+$")
    local action = word == "Plant" and "planted" or word == "Diffuse" and "defused"
    if not action or not (name == "" or name:find("^ ")) then return nil end
    return objective_by(slot, action, name:sub(2))
  end,
  [79] = function(text)                        -- Objective_Destroyed: slot name
    local slot, name = text:match("^Objective_Destroyed: (%d+)([^\n]*)\n+$")
    return slot and (name == "" or name:find("^ ")) and objective_by(slot, "destroyed", name:sub(2))
  end,
  [82] = function(text)                        -- Repair: slot
    return objective_by(text:match("^Repair: (%d+)\n+$"), "repaired")
  end,
  [108] = function(text)                       -- legacy popup: ^7axis^7 stole "name", legacy announce: "^7text"
    local kind = text:match("^legacy (%a+): ")
    if kind == "announce" then
      local said = text:match('^legacy announce: "^7(.*)"\n$')
      if said then note_objective("announce", nil, 0, objective_text(said)) end
      return said and true
    elseif kind ~= "popup" then
      return true
    end
    local team, verb, name = text:match('^legacy popup: ^7(%a*)^7 (%a+) "([^\n]*)"\n+$')
    if not POPUPS[verb] or not (team == "axis" or team == "allies" or team == "") then return nil end
    note_objective(POPUPS[verb], nil, team == "axis" and AXIS or team == "allies" and ALLIES or 0, objective_text(name))
    return true
  end,
  [86] = function(text)                        -- Vote Failed: ..., Vote TIMEOUT! ..., Vote CANCELED!
    local rest = text:match("^Vote ([^\n]*)\n+$")
    for _, form in ipairs(KNOWN_VOTE_ENDS) do
      if rest and rest:find(form) then
        round.vote_failed = true
        return true
      end
    end
    if not rest or not rest:find("^Passed: ") then return end
    asked = { vote = round.vote_caller }
    return true
  end,
}

-- The beginnings of the lines above.
local BEGINNINGS = { [75] = "^Kill: ", [77] = "^Medic_Revive: ", [69] = "^Exit: ", [97] = "^axis:", [99] = "^callvote: ", [86] = "^Vote %a+[:!]",
  [73] = "^Item: %d+ team_CTF_", [68] = "^Dynamite_[PD]%a+: ", [79] = "^Objective_Destroyed: ", [82] = "^Repair: ", [108] = "^legacy %a+: " }

local handle_print = callback("et_Print", function(text)
  local first = text:byte()
  local f = round and not round.exit and PRINTS[first]
  if f and text:find(BEGINNINGS[first]) and not f(text) then
    complain("the game printed a line that could not be understood; ignored", text:match("^%w+"))
  end
end)

function et_Print(text)
  if round and (round.exit_claim or PRINTS[text:byte()]) then handle_print(text) end
end

et_ClientCommand = callback("et_ClientCommand", function(slot, command)
  if not round then return end
  command = tostring(command):lower()
  if command == "ref" then command = et.trap_Argv(1):lower() end
  if command == "pause" or command == "timeout" then asked = { slot = slot } end
end)

--- `gametimes status` on the server's console. While the module records, the module answers.
local function console_command()
  if et.trap_Argv(0):lower() ~= "gametimes" then return false end
  local command = et.trap_Argv(1):lower()
  if command ~= "" and command ~= "status" then
    log("the fallback script supports only: gametimes status")
    return true
  end
  local why = stand_by()
  log("v%s lua %s", VERSION, recording and "records, engine " .. server_version() or "does not record: " .. (why or "no map yet"))
  if round then
    local pause = round.pauses[#round.pauses]
    log("round: %s R%d played %s%s", round.map, round.number, minutes(play_clock(clock.last)),
      pause and not pause.stop and ", paused" or "")
    for slot = 0, slots - 1 do
      local seat = round.seats[slot]
      if seat and plays(seat.team) then
        local dead = seat.life == "dead" and cut(seat.since, clock.last) or 0
        for _, d in ipairs(seat.person.dead) do dead = dead + cut(d[1], d[2]) end
        log("  %2d %-6s %-5s dead %s %s", slot, seat.team == AXIS and "Axis" or "Allies",
          seat.life == "alive" and "alive" or "dead", minutes(dead), seat.person.name)
      end
    end
  else
    log("no round is being played")
  end
  if live.on then log("live file: %s", live.path) end
  if recording then log("webhooks: %d", #settings.urls) end
  return true
end

--- The only callback that returns a value: 1 if the command was one of this script.
function et_ConsoleCommand()
  local ok, ours = pcall(console_command)
  if not ok then complain("error in et_ConsoleCommand", ours) end
  if ours then return 1 end
end

-- lua_restart closes this Lua state without et_ShutdownGame. The secrets must survive it.
local keeper = setmetatable({}, { __gc = function() pcall(give_back_secrets) end })
_ENV.gametimes_keeper = keeper
