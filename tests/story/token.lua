-- A token: who has how much, and which transfer of which order came how often.
Balances = Balances or {}
Arrived = Arrived or {}
Settled = Settled or 0

Handlers.add('transfer', Handlers.utils.hasMatchingTag('Action', 'Transfer'), function (m)
  local quantity, order = tonumber(m.Tags.Quantity), m.Tags['X-Order']
  local name = m.From .. ' ' .. order
  Arrived[name] = (Arrived[name] or 0) + 1
  local from, to = m.From, m.Tags.Recipient
  local balance = Balances[from] or 0
  if quantity <= 0 or quantity > balance then
    ao.send({ Target = from, Action = 'Transfer-Error', ['X-Order'] = order })
    return
  end
  Balances[from] = balance - quantity
  Balances[to] = (Balances[to] or 0) + quantity
  if from == Market then Settled = Settled + 1 end
  ao.send({
    Target = to, Action = 'Credit-Notice', Sender = from, Quantity = tostring(quantity),
    ['X-Order'] = order, ['X-For'] = m.Tags['X-For'] or '-',
  })
end)
