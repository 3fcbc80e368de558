-- The limits of a key that several processes share, kept in Redis: `permits.py` with the rules of
-- `gate.py` and `day.py`, in one call. The reasons are in these files. Names and order are the
-- same, so that both can be read side by side, and a test compares the two.
--
-- KEYS[1]: the stored value, as JSON. ARGV[1]: an update, as JSON without the fields that are None.
-- Returns the reply, as JSON without the fields that are None.
--
-- The time is that of the server, in seconds since the beginning of 2026. JSON has 14 digits here:
-- microseconds until 2029, and tens of microseconds afterwards. Days are ordinals, as in Python.

local LEASE_S, POLL, MARGIN, DAY_S = 10, 2, 1.005, 86400
local AHEAD_S, CLOSE_S, GRACE_S, LOOK_S, AGAIN_S, EXPORT_LOOK_S = 1.2, 0.02, 0.25, 0.5, 0.05, 1
local MOST_REFUSALS, MOST_PROBES, LEAST, FORM = 32, 8, 64, 1
local NEVER, LATER = -1e18, 1e18
local PROBES, GONE_AFTER_S, LONGEST_DELAY_S, LONGEST_RETRY_AFTER_S, JITTER = 3, 120, 30, 300, 0.5
local REFUSALS, RECOVERY_COUNT, RECOVERY = 3, 50, 0.9
local FIRST_FACTOR, LARGEST_FACTOR, SMALLEST_FACTOR = 1.1, 64, 1.05
local MOST_DAYS, DAY_PROBE_S, IDLE_MS = 4, 300, 2 * 86400 * 1000
local BEGINNING_S, ORDINAL_OF_1970 = 1767225600, 719163

local update = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local unix_s, micros = tonumber(time[1]), tonumber(time[2])
local now = unix_s - BEGINNING_S + micros / 1e6
local date = math.floor(unix_s / DAY_S) + ORDINAL_OF_1970
local seconds_into_day = unix_s % DAY_S + micros / 1e6
local shared, gate, pace

-- The stored value contains lists of values. These are the names of the values.

local SLOT = {'id', 'at', 'by', 'is_known'}
local PROBE = {'id', 'until_at'}
local ENTRY = {'id', 'rank', 'since', 'due'}
local EXPORT = {'id', 'campaign_sn', 'at', 'until_at', 'is_open'}
local DAY = {'date', 'ends_at', 'sent', 'is_gone'}
local GATE = {
  'state', 'probe_at', 'shut_at', 'refused_since', 'held_until',
  'is_given_up', 'refused_probes', 'strikes', 'is_early',
}
local PACE = {'factor', 'refusals', 'accepted'}
local IS_INSTANT = {}
for _, name in ipairs({
  'at', 'by', 'since', 'due', 'until_at', 'ends_at',
  'probe_at', 'shut_at', 'refused_since', 'held_until',
}) do IS_INSTANT[name] = true end

local function named(values, names, back)
  local found = {}
  for index, name in ipairs(names) do
    found[name] = IS_INSTANT[name] and math.max(values[index] + back, NEVER) or values[index]
  end
  return found
end

local function values_of(found, names)
  local values = {}
  for index, name in ipairs(names) do values[index] = found[name] end
  return values
end

local function each_of(list, convert, names, back)
  local found = {}
  for index, each in ipairs(list) do found[index] = convert(each, names, back) end
  return found
end

local function only(list, is_kept)
  local found = {}
  for _, each in ipairs(list) do
    if is_kept(each) then found[#found + 1] = each end
  end
  return found
end

local function last_of(list, count)
  local found = {}
  for index = math.max(1, #list - count + 1), #list do found[#found + 1] = list[index] end
  return found
end

local function latest(slots, count)
  -- Requests that arrive at one instant stay in their order, as Python's sort keeps it.
  local order = {}
  for number, each in ipairs(slots) do order[each] = number end
  table.sort(slots, function(one, other)
    if one.by ~= other.by then return one.by < other.by end
    return order[one] < order[other]
  end)
  return last_of(slots, count)
end

local function of_id(list, id)
  for _, each in ipairs(list) do
    if each.id == id then return each end
  end
end

local function read(kept)
  local back = math.min(0, now - kept.now)
  return {
    born = kept.born + back,
    slots = each_of(kept.places, named, SLOT, back),
    probes = each_of(kept.probes, named, PROBE, back),
    queue = each_of(kept.line, named, ENTRY, back),
    exports = each_of(kept.exports, named, EXPORT, back),
    refusals = kept.refusals,
    last_at = kept.last_at + back,
    reach_s = kept.reach_s,
    most = kept.most,
    days = each_of(kept.days, named, DAY, back),
    day_probe_at = kept.day_probe_at + back,
    gate = named(kept.gate, GATE, back),
    pace = named(kept.pace, PACE, back),
  }
end

local function new()
  return {
    born = now, slots = {}, probes = {}, queue = {}, exports = {}, refusals = {},
    last_at = NEVER, reach_s = 0, most = 0, days = {}, day_probe_at = NEVER,
    gate = named({'OPEN', NEVER, NEVER, NEVER, NEVER, false, 0, 0, false}, GATE, 0),
    pace = named({0, 0, 0}, PACE, 0),
  }
end

local function write()
  local counting = only(shared.slots, function(each) return each.by + shared.reach_s > now end)
  local exports = only(shared.exports, function(each) return each.until_at > now end)
  return {
    form = FORM,
    now = now,
    born = shared.born,
    places = each_of(latest(counting, shared.most), values_of, SLOT),
    probes = each_of(last_of(shared.probes, MOST_PROBES), values_of, PROBE),
    line = each_of(shared.queue, values_of, ENTRY),
    exports = each_of(exports, values_of, EXPORT),
    refusals = last_of(shared.refusals, MOST_REFUSALS),
    last_at = shared.last_at,
    reach_s = shared.reach_s,
    most = shared.most,
    days = each_of(shared.days, values_of, DAY),
    day_probe_at = shared.day_probe_at,
    gate = values_of(gate, GATE),
    pace = values_of(pace, PACE),
  }
end

-- day.py: DayCount.

local function day_today()
  shared.days = only(shared.days, function(day) return day.ends_at > now end)
  local midnight_at = now + DAY_S - seconds_into_day
  for _, day in ipairs(shared.days) do
    if day.date == date then
      day.ends_at = math.min(day.ends_at, midnight_at)
      return day
    end
  end
  local today = {date = date, ends_at = midnight_at, sent = 0, is_gone = false}
  shared.days[#shared.days + 1] = today
  shared.days = last_of(shared.days, MOST_DAYS)
  return today
end

local function days_from_today()
  local today = day_today()
  return only(shared.days, function(day) return day.date >= today.date end)
end

local function day_used()
  local used = 0
  for _, day in ipairs(days_from_today()) do used = used + day.sent end
  return used
end

local function day_is_gone()
  return #only(days_from_today(), function(day) return day.is_gone end) > 0
end

local function day_heal()
  for _, day in ipairs(shared.days) do day.is_gone = false end
end

-- gate.py: Gate and Spacing.

local function probe_delay_s(refused_probes)
  return math.min(2 ^ math.min(refused_probes, 10), LONGEST_DELAY_S)
end

local function kept_s(retry_after_s)
  return math.min(retry_after_s or 0, LONGEST_RETRY_AFTER_S)
end

local function gate_may_probe()
  return (gate.state == 'SHUT' or gate.state == 'JUDGING') and now >= gate.probe_at
end

local function gate_hold_s()
  local is_held = gate.state == 'SHUT' or gate.state == 'JUDGING'
  return is_held and math.max(0, gate.probe_at - now) or 0
end

local function gate_go_at()
  if gate.state == 'OPEN' then return NEVER end
  if gate.state == 'PROBING' then return LATER end
  return gate.probe_at
end

local function gate_pass_one(early)
  if gate.state == 'OPEN' or (early and gate.state ~= 'SHUT') then return false end
  gate.is_early, gate.held_until = early, early and gate.probe_at or NEVER
  gate.state = 'PROBING'
  return true
end

local function gate_probe_unsent()
  gate.state = 'SHUT'
end

local function gate_shut_for(retry_after_s)
  local delay_s = probe_delay_s(gate.refused_probes) * (1 + JITTER * update.chance)
  gate.probe_at = math.max(gate.held_until, now + math.max(delay_s, kept_s(retry_after_s)))
end

local function gate_probe_settled(answered)
  gate.state = answered and 'JUDGING' or 'SHUT'
  gate_shut_for(nil)
end

local function gate_probe_refused(daily, retry_after_s)
  if not gate.is_early then
    gate.refused_probes = gate.refused_probes + 1
    gate.strikes = gate.strikes + 1
  end
  if daily == false then gate.strikes, gate.refused_since = 0, now end
  local gone = gate.strikes >= PROBES and now - gate.refused_since >= GONE_AFTER_S
  if gone then
    gate.refused_probes, gate.strikes = 0, 0
    gate.refused_since = now
  end
  gate.is_given_up = now - gate.shut_at >= GONE_AFTER_S
  gate.state = 'SHUT'
  gate_shut_for(retry_after_s)
  return gone
end

local function gate_refused(daily, retry_after_s)
  if gate.state == 'OPEN' then
    gate.refused_probes, gate.strikes = 0, 0
    gate.shut_at, gate.refused_since = now, now
    gate.state = 'SHUT'
    gate_shut_for(retry_after_s)
  elseif gate.state == 'JUDGING' then
    return gate_probe_refused(daily, retry_after_s)
  else
    gate.probe_at = math.max(gate.probe_at, now + kept_s(retry_after_s))
  end
  return false
end

local function gate_accepted()
  local opens = gate.state == 'JUDGING'
  if opens then
    gate.state, gate.is_given_up = 'OPEN', false
    gate.held_until = NEVER
  end
  return opens
end

local function pace_interval_s()
  local longest_s = 0
  for _, window in ipairs(update.windows) do
    longest_s = math.max(longest_s, window[2] / window[1])
  end
  return pace.factor * longest_s
end

local function pace_accepted()
  if pace.refusals >= REFUSALS then
    local factor = pace.factor == 0 and FIRST_FACTOR or math.min(pace.factor * 2, LARGEST_FACTOR)
    pace.factor, pace.refusals, pace.accepted = factor, 0, 0
    return
  end
  pace.accepted = pace.accepted + 1
  if pace.accepted >= RECOVERY_COUNT then
    pace.refusals, pace.accepted = 0, 0
    if pace.factor ~= 0 then pace.factor = math.max(pace.factor * RECOVERY, SMALLEST_FACTOR) end
  end
end

-- permits.py: the reports.

local function slot_of(id, at)
  local slot = of_id(shared.slots, id)
  if not slot then
    slot = {id = id, at = at, by = at, is_known = false}
    shared.slots[#shared.slots + 1] = slot
  end
  return slot
end

local function settled(id, at, by, answered)
  local slot = slot_of(id, at)
  slot.by, slot.is_known = slot.is_known and math.min(slot.by, by) or by, true
  if of_id(shared.probes, id) and (gate.state == 'SHUT' or gate.state == 'PROBING') then
    shared.probes = only(shared.probes, function(each) return each.id ~= id end)
    gate_probe_settled(answered)
  end
end

local function accepted()
  if gate_accepted() then
    shared.probes = {}
    day_heal()
  end
  if gate.state == 'OPEN' then pace_accepted() end
end

local function unsent(id)
  shared.queue = only(shared.queue, function(each) return each.id ~= id end)
  local slot = of_id(shared.slots, id)
  if not slot then return end
  shared.slots = only(shared.slots, function(each) return each ~= slot end)
  local today = day_today()
  today.sent = math.max(0, today.sent - 1)
  local last = shared.probes[#shared.probes]
  if last and last.id == id and gate.state == 'PROBING' then gate_probe_unsent() end
end

local function refused(report)
  for _, id in ipairs(shared.refusals) do
    if id == report.id then return end
  end
  shared.refusals[#shared.refusals + 1] = report.id
  pace.refusals = pace.refusals + 1
  local is_probe_answer = gate.state == 'JUDGING'
  local gone = gate_refused(report.daily, report.retry_after_s)
  if is_probe_answer and report.daily == false then
    day_heal()
  elseif update.has_day and (gone or (is_probe_answer and day_is_gone())) then
    pace.refusals = 0
    day_today().is_gone = true
    shared.day_probe_at = now + DAY_PROBE_S
  end
end

local function exported(report, at)
  local export = of_id(shared.exports, report.id)
  if not export then return end
  if report.what == 'unexported' then
    shared.exports = only(shared.exports, function(each) return each ~= export end)
  else
    export.until_at = export.until_at + (at - export.at)
    export.at, export.is_open = at, false
  end
end

local function note(report)
  local at, what = now - report.age_s, report.what
  if what == 'sent' then
    local slot = slot_of(report.id, at)
    slot.by, slot.is_known = at + update.uplink_s, true
  elseif what == 'answered' then
    settled(report.id, at, at, true)
  elseif what == 'lost' then
    settled(report.id, at, at + update.uplink_s, false)
  elseif what == 'unsent' then
    unsent(report.id)
  elseif what == 'accepted' then
    accepted()
  elseif what == 'refused' then
    refused(report)
  else
    exported(report, at)
  end
end

local function give_up_probe()
  if gate.state ~= 'PROBING' then return end
  local under_way = only(shared.probes, function(each) return each.until_at > now end)
  if #under_way == 0 then gate_probe_unsent() end
end

-- permits.py: the requests.

local function sent_today()
  local open_slots = only(shared.slots, function(each) return not each.is_known end)
  return math.max(0, day_used() - #open_slots)
end

local function refusal(permit_request)
  local may_probe = gate_may_probe()
  if day_is_gone() and not (may_probe and now >= shared.day_probe_at) then
    return {refused = 'gone'}
  end
  if update.allowance and sent_today() >= update.allowance then return {refused = 'used'} end
  local hold_s = gate_hold_s()
  if gate.is_given_up and not may_probe then
    return {refused = 'given-up', refused_s = math.max(hold_s, probe_delay_s(0))}
  end
  if hold_s > permit_request.longest_hold_s then return {refused = 'hold', refused_s = hold_s} end
end

local function free_at(arrivals, not_before)
  local at, sorted = not_before, {}
  for index, each in ipairs(arrivals) do sorted[index] = each end
  table.sort(sorted)
  for _, window in ipairs(update.windows) do
    local count, period_s = window[1], window[2]
    if #sorted >= count then at = math.max(at, sorted[#sorted - count + 1] + period_s * MARGIN) end
  end
  return at
end

local function held_until(permit_request, is_next)
  if gate.state == 'OPEN' then return NEVER end
  if permit_request.rank == 0 and (gate.state == 'PROBING' or refusal(permit_request)) then return NEVER end
  if gate.state == 'PROBING' or not is_next then return nil end
  return gate.probe_at
end

local function go_at(permit_request, ahead)
  local not_before = held_until(permit_request, ahead == 0)
  if not not_before then return now + LOOK_S, LATER end
  local apart_s, early, late = pace_interval_s(), {}, {}
  for index, each in ipairs(shared.slots) do
    early[index] = each.is_known and each.by or each.at
    late[index] = each.by
  end
  local last_at = shared.last_at
  for _ = 1, ahead do
    last_at = free_at(early, math.max(now, not_before, last_at + apart_s))
    if last_at > now + AHEAD_S then return last_at, LATER end
    early[#early + 1] = last_at
    late[#late + 1] = LATER
  end
  local since_lost = shared.born + AHEAD_S + shared.reach_s + update.uplink_s
  not_before = math.max(now, not_before, last_at + apart_s, since_lost)
  return free_at(early, not_before), free_at(late, not_before)
end

local function wait(permit_request, since, due)
  shared.queue[#shared.queue + 1] = {id = permit_request.id, rank = permit_request.rank, since = since, due = due}
end

local function permit(permit_request, since, at)
  if at > now and gate.state ~= 'OPEN' and at <= gate.probe_at then
    wait(permit_request, since, at)
    return {later_s = at - now}
  end
  if gate_pass_one(now < gate_go_at()) then
    shared.probes[#shared.probes + 1] = {id = permit_request.id, until_at = at + LEASE_S}
  end
  shared.slots[#shared.slots + 1] = {id = permit_request.id, at = at, by = at + LEASE_S, is_known = false}
  shared.last_at = math.max(at, shared.last_at)
  if update.has_day then
    local today = day_today()
    today.sent = today.sent + 1
  end
  return {go_s = at - now}
end

local function answer_request(permit_request)
  local slot = of_id(shared.slots, permit_request.id)
  if slot then return {go_s = slot.at - now} end
  local entry = of_id(shared.queue, permit_request.id)
  local since = entry and entry.since or now - permit_request.waited_s
  shared.queue = only(shared.queue, function(each)
    return each.due + GRACE_S >= now and each.id ~= permit_request.id
  end)
  if permit_request.rank ~= 0 then
    local why = refusal(permit_request)
    if why then return why end
  end
  if permit_request.rank ~= 0 and update.allowance and day_used() >= update.allowance then
    wait(permit_request, since, now + LOOK_S)
    return {later_s = LOOK_S}
  end
  local ahead = #only(shared.queue, function(each)
    return each.rank < permit_request.rank or (each.rank == permit_request.rank and each.since < since)
  end)
  local early, sure = go_at(permit_request, ahead)
  local latest = permit_request.rank == POLL and early or early + CLOSE_S
  local is_soon = sure <= now + (permit_request.rank == POLL and CLOSE_S / 10 or AHEAD_S)
  if sure <= latest and is_soon then return permit(permit_request, since, sure) end
  local later_s = math.min(math.max(early - now, AGAIN_S), AHEAD_S)
  wait(permit_request, since, now + later_s)
  return {later_s = later_s}
end

local function last_export_at(exports)
  local last_at = NEVER
  for _, each in ipairs(exports) do last_at = math.max(last_at, each.at) end
  return last_at
end

local function claimed(claim)
  local others = only(shared.exports, function(each) return each.id ~= claim.id end)
  local last_at = last_export_at(only(others, function(each)
    return each.campaign_sn == claim.campaign_sn
  end))
  if last_at + claim.period_s > now then return {exported_s = last_at + claim.period_s - now} end
  if claim.every_s then
    local open = only(others, function(each) return each.is_open and each.at + LEASE_S > now end)
    local wait_s = last_export_at(others) + claim.every_s * MARGIN - now
    if #open > 0 or wait_s > 0 then return {later_s = math.max(EXPORT_LOOK_S, wait_s)} end
  end
  others[#others + 1] = {
    id = claim.id, campaign_sn = claim.campaign_sn, at = now,
    until_at = now + math.max(claim.period_s, claim.every_s or 0), is_open = true,
  }
  shared.exports = others
  return {}
end

-- permits.py: apply.

local function apply(kept)
  shared = kept and read(kept) or new()
  gate, pace = shared.gate, shared.pace
  shared.most = math.max(shared.most, LEAST)
  for _, window in ipairs(update.windows) do
    shared.reach_s = math.max(shared.reach_s, MARGIN * window[2])
    shared.most = math.max(shared.most, window[1])
  end
  if update.day == date then
    local today = day_today()
    today.sent = math.max(today.sent, update.seen)
  end
  for _, report in ipairs(update.reports) do note(report) end
  give_up_probe()
  local reply = {}
  if update.permit_request then reply = answer_request(update.permit_request) end
  if update.claim then
    for name, value in pairs(claimed(update.claim)) do reply[name] = value end
  end
  reply.day = date
  reply.used = day_used()
  reply.sent = sent_today()
  reply.is_gone = day_is_gone()
  reply.is_open = gate.state == 'OPEN'
  reply.interval_s = pace_interval_s()
  return {cjson.encode(write()), cjson.encode(reply)}
end

local function apply_to(content)
  local kept = cjson.decode(content)
  assert(kept.form == FORM)
  return apply(kept)
end

-- A value that cannot be read counts as none.
local is_readable, updated = pcall(apply_to, redis.call('GET', KEYS[1]))
if not is_readable then updated = apply(nil) end
redis.call('SET', KEYS[1], updated[1], 'PX', IDLE_MS)
return updated[2]
