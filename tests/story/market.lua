-- A market: what is paid to it for somebody it hands on, less a fee of one; the fees go to the keeper when it asks.
Seen = Seen or {}
Sweeps = Sweeps or {}
Fees = Fees or 0
Refused = Refused or 0

local function pay (to, quantity, order)
  ao.send({
    Target = Token, Action = 'Transfer', Recipient = to, Quantity = tostring(quantity), ['X-Order'] = order,
  })
end

local from = function (process, action)
  return function (m) return m.From == process() and m.Tags.Action == action end
end

Handlers.add('order', from(function () return Token end, 'Credit-Notice'), function (m)
  local order = m.Tags['X-Order']
  Seen[order] = (Seen[order] or 0) + 1
  Fees = Fees + 1
  pay(m.Tags['X-For'], tonumber(m.Tags.Quantity) - 1, order)
end)

Handlers.add('sweep', from(function () return Keeper end, 'Sweep'), function (m)
  local number = m.Tags.Number
  Sweeps[number] = (Sweeps[number] or 0) + 1
  if Fees > 0 then
    pay(Keeper, Fees, 'sweep-' .. number)
    Fees = 0
  end
end)

Handlers.add('error', from(function () return Token end, 'Transfer-Error'), function () Refused = Refused + 1 end)
