-- A keeper: a timer wakes it, and it asks the market for its fees.
Ticks = Ticks or 0
Collected = Collected or 0

Handlers.add('tick', Handlers.utils.hasMatchingTag('Action', 'Wake'), function ()
  if not Market then return end
  Ticks = Ticks + 1
  ao.send({ Target = Market, Action = 'Sweep', Number = tostring(Ticks) })
end)

Handlers.add('credit', function (m) return m.From == Token and m.Tags.Action == 'Credit-Notice' end, function (m)
  Collected = Collected + tonumber(m.Tags.Quantity)
end)
