// Proves that the history checker sees what it must see: each rule finds a minimal history that breaks it, and finds
// nothing in its lawful neighbour.
import t from 'tap'
import { disconnects, errors, unsubscribes } from '../../protocol/client/codes.ts'
import { check, report, reportedMax } from './checker.ts'
import { HistoryBuilder } from './history-builder.ts'
import { fromJsonLines, toJsonLines, type Operation } from './history.ts'

interface Case {
  rule: string
  name: string
  breaks: (history: HistoryBuilder) => HistoryBuilder
  holds: (history: HistoryBuilder) => HistoryBuilder
}

/** Two clients, subscribed to an empty room, whom the server may take out of it. */
function start(): HistoryBuilder {
  return new HistoryBuilder()
    .windowOpened('insufficient state', [unsubscribes.insufficient.code])
    .opened('a')
    .opened('b')
    .subscribed('a', 0)
    .subscribed('b', 0)
}

/** Message `m` sent by a, acknowledged and delivered to both. */
function one(history: HistoryBuilder, message = 'm', offset = 1): HistoryBuilder {
  return history
    .send('a', message)
    .acknowledged('a', message, offset)
    .delivery('a', message, offset)
    .delivery('b', message, offset)
}

/** b was away while `l` was sent, and has recovered. */
function backFromAway(history: HistoryBuilder): HistoryBuilder {
  return history
    .windowOpened('proxy', [1])
    .closed('b')
    .send('a', 'l')
    .acknowledged('a', 'l', 1)
    .delivery('a', 'l', 1)
    .opened('b')
    .subscribed('b', 0, 'recovered')
}

const cases: Case[] = [
  {
    rule: 'loss',
    name: 'acknowledged but not stored',
    breaks: (h) => h.send('a', 'm').acknowledged('a', 'm', null).store([]),
    holds: (h) => h.send('a', 'm').maybe('a', 'm').store([]),
  },
  {
    rule: 'loss',
    name: 'a hole in the store',
    breaks: (h) => h.send('a', 'm').maybe('a', 'm').store([], 'room', 1),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'loss',
    name: 'not received although a later one was',
    breaks: (h) =>
      one(h.send('a', 'l').acknowledged('a', 'l', 1), 'm', 2)
        .closed('a')
        .closed('b')
        .store(['l', 'm']),
    holds: (h) => one(one(h, 'l', 1), 'm', 2).store(['l', 'm']),
  },
  {
    rule: 'loss',
    name: 'not received by the end',
    breaks: (h) => h.send('a', 'm').acknowledged('a', 'm', 1).delivery('a', 'm', 1).store(['m']),
    holds: (h) =>
      h
        .send('a', 'm')
        .acknowledged('a', 'm', 1)
        .delivery('a', 'm', 1)
        .unsubscribed('b')
        .subscribed('b', 0, 'recovered')
        .delivery('b', 'm', 1, true)
        .store(['m']),
  },
  {
    rule: 'loss',
    name: 'not recovered',
    breaks: (h) => one(backFromAway(h), 'm', 2).store(['l', 'm']),
    holds: (h) => one(backFromAway(h).delivery('b', 'l', 1, true), 'm', 2).store(['l', 'm']),
  },
  {
    rule: 'duplicates',
    name: 'one message at two offsets',
    breaks: (h) => one(one(h), 'm', 2).store(['m', 'm']),
    holds: (h) => one(one(h), 'n', 2).store(['m', 'n']),
  },
  {
    rule: 'duplicates',
    name: 'a keyed re-send stored twice',
    breaks: (h) => h.send('a', 'm').maybe('a', 'm').send('a', 'm', 2).acknowledged('a', 'm', 2, 2).store(['m', 'm']),
    holds: (h) => one(h.send('a', 'm').maybe('a', 'm').wait(1), 'n', 1).store(['n']),
  },
  {
    rule: 'duplicates',
    name: 'one message delivered twice to a client',
    breaks: (h) => one(h).delivery('b', 'm', 1).store(['m']),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'duplicates',
    name: 'recovered and then live again',
    breaks: (h) => one(h).unsubscribed('b').subscribed('b', 1, 'recovered').delivery('b', 'm', 1, true).store(['m']),
    holds: (h) => one(h).unsubscribed('b').subscribed('b', 1, 'recovered').store(['m']),
  },
  {
    rule: 'duplicates',
    name: 'two messages at one offset',
    breaks: (h) => one(h).send('b', 'n').acknowledged('b', 'n', 1).store(['m']),
    holds: (h) =>
      one(h).send('b', 'n').acknowledged('b', 'n', 2).delivery('a', 'n', 2).delivery('b', 'n', 2).store(['m', 'n']),
  },
  {
    rule: 'phantom',
    name: 'delivered but never sent',
    breaks: (h) => h.delivery('a', 'm', 1).delivery('b', 'm', 1).store(['m']),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'phantom',
    name: 'stored although refused',
    breaks: (h) => h.send('a', 'm').refused('a', 'm').store(['m']),
    holds: (h) => h.send('a', 'm').refused('a', 'm').store([]),
  },
  {
    rule: 'phantom',
    name: 'stored after a maybe whose re-send was refused is lawful',
    breaks: (h) => h.send('a', 'm').refused('a', 'm').send('a', 'm', 2).refused('a', 'm', 2).store(['m']),
    holds: (h) =>
      h
        .send('a', 'm')
        .maybe('a', 'm')
        .send('a', 'm', 2)
        .refused('a', 'm', 2)
        .delivery('a', 'm', 1)
        .delivery('b', 'm', 1)
        .store(['m']),
  },
  {
    rule: 'phantom',
    name: 'stored in another channel',
    breaks: (h) => h.send('a', 'm').acknowledged('a', 'm', 1).store([]).store(['m'], 'other'),
    holds: (h) => one(h).store(['m']).store([], 'other'),
  },
  {
    rule: 'order in a channel',
    name: 'an offset skipped',
    breaks: (h) => h.send('a', 'm').acknowledged('a', 'm', 2).delivery('a', 'm', 2).store([]),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'order in a channel',
    name: 'going back',
    breaks: (h) =>
      one(h)
        .send('a', 'n')
        .acknowledged('a', 'n', 2)
        .delivery('a', 'n', 2)
        .delivery('b', 'n', 2)
        .delivery('a', 'm', 1)
        .store(['m', 'n']),
    holds: (h) => one(one(h), 'n', 2).store(['m', 'n']),
  },
  {
    rule: 'order in a channel',
    name: 'delivered while unsubscribed',
    breaks: (h) =>
      h
        .unsubscribed('b')
        .send('a', 'm')
        .acknowledged('a', 'm', 1)
        .delivery('a', 'm', 1)
        .delivery('b', 'm', 1)
        .store(['m']),
    holds: (h) =>
      h
        .unsubscribed('b')
        .send('a', 'm')
        .acknowledged('a', 'm', 1)
        .delivery('a', 'm', 1)
        .subscribed('b', 0, 'recovered')
        .delivery('b', 'm', 1, true)
        .store(['m']),
  },
  {
    rule: 'order in a channel',
    name: 'delivered after leaving',
    breaks: (h) => one(h.left('b')).store(['m']),
    holds: (h) => h.left('b').send('a', 'm').acknowledged('a', 'm', 1).delivery('a', 'm', 1).store(['m']),
  },
  {
    rule: 'order in a channel',
    name: 'recovered from another position',
    breaks: (h) => one(h).unsubscribed('b').subscribed('b', 0, 'recovered').store(['m']),
    holds: (h) => one(h).unsubscribed('b').subscribed('b', 1, 'recovered').store(['m']),
  },
  {
    rule: 'order of a sender',
    name: 'sent first, stored second',
    breaks: (h) =>
      h.send('a', 'l').send('a', 'm').acknowledged('a', 'l', 2).acknowledged('a', 'm', 1).store(['m', 'l']),
    holds: (h) =>
      h
        .send('a', 'l')
        .send('b', 'm')
        .acknowledged('a', 'l', 2)
        .acknowledged('b', 'm', 1)
        .delivery('a', 'm', 1)
        .delivery('b', 'm', 1)
        .delivery('a', 'l', 2)
        .delivery('b', 'l', 2)
        .store(['m', 'l']),
  },
  {
    rule: 'order of a sender',
    name: 'sent after an acknowledgement, stored below it',
    breaks: (h) =>
      h.send('a', 'l').acknowledged('a', 'l', 2).send('b', 'm').acknowledged('b', 'm', 1).store(['m', 'l']),
    holds: (h) => one(one(h, 'l', 1), 'm', 2).store(['l', 'm']),
  },
  {
    rule: 'durable before visible',
    name: 'delivered and not stored',
    breaks: (h) => h.send('a', 'm').maybe('a', 'm').delivery('a', 'm', 1).store([]),
    holds: (h) => h.send('a', 'm').maybe('a', 'm').delivery('a', 'm', 1).delivery('b', 'm', 1).store(['m']),
  },
  {
    rule: 'durable before visible',
    name: 'acknowledged at another offset',
    breaks: (h) => h.send('a', 'm').acknowledged('a', 'm', 7).store(['m']),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'durable before visible',
    name: 'the channel was not read',
    breaks: (h) => one(h),
    holds: (h) => one(h).store(['m']),
  },
  {
    rule: 'recovery',
    name: 'not recovered within what is kept',
    breaks: (h) => one(h).unsubscribed('b').subscribed('b', 1, 'failed').store(['m']),
    holds: (h) => one(h).wait(300_000).unsubscribed('b').subscribed('b', 1, 'failed').store(['m']),
  },
  {
    rule: 'recovery',
    name: 'another epoch',
    breaks: (h) => h.unsubscribed('b').subscribed('b', 0, 'failed', 'room', 'f').store([]),
    holds: (h) => h.unsubscribed('b').subscribed('b', 0, 'recovered').store([]),
  },
  {
    rule: 'connection continuity',
    name: 'closed without a window',
    breaks: (h) =>
      h
        .windowOpened('proxy', [1])
        .windowClosed('proxy')
        .closed('a')
        .opened('a')
        .subscribed('a', 0, 'recovered')
        .store([]),
    holds: (h) => h.windowOpened('proxy', [1]).closed('a').opened('a').subscribed('a', 0, 'recovered').store([]),
  },
  {
    rule: 'connection continuity',
    name: 'taken out of a channel without a window',
    breaks: (h) => h.windowClosed('insufficient state').unsubscribed('a').subscribed('a', 0, 'recovered').store([]),
    holds: (h) => h.unsubscribed('a').subscribed('a', 0, 'recovered').store([]),
  },
  {
    rule: 'connection continuity',
    name: 'closed with an undeclared code',
    breaks: (h) =>
      h
        .windowOpened('proxy', [1])
        .closed('a', disconnects.slow.code)
        .opened('a')
        .subscribed('a', 0, 'recovered')
        .store([]),
    holds: (h) =>
      h
        .windowOpened('proxy', [disconnects.slow.code])
        .closed('a', disconnects.slow.code)
        .opened('a')
        .subscribed('a', 0, 'recovered')
        .store([]),
  },
  {
    rule: 'liveness',
    name: 'never answered',
    breaks: (h) => h.send('a', 'm').store([]),
    holds: (h) => h.send('a', 'm').maybe('a', 'm').healed().store([]),
  },
  {
    rule: 'liveness',
    name: 'unclear after the faults',
    breaks: (h) => h.healed().send('a', 'm').maybe('a', 'm').store([]),
    holds: (h) => one(h.healed()).store(['m']),
  },
  {
    rule: 'liveness',
    name: 'late after the faults',
    breaks: (h) =>
      one(
        h.healed().send('b', 'l').wait(5_000).acknowledged('b', 'l', 1).delivery('a', 'l', 1).delivery('b', 'l', 1),
        'm',
        2,
      ).store(['l', 'm']),
    holds: (h) =>
      one(
        h.send('b', 'l').wait(5_000).acknowledged('b', 'l', 1).delivery('a', 'l', 1).delivery('b', 'l', 1).healed(),
        'm',
        2,
      ).store(['l', 'm']),
  },
  {
    rule: 'liveness',
    name: 'gone at the end',
    breaks: (h) => h.windowOpened('proxy', [1]).closed('a').store([]),
    holds: (h) => h.windowOpened('proxy', [1]).closed('a').opened('a').subscribed('a', 0, 'recovered').store([]),
  },
  {
    rule: 'liveness',
    name: 'unsubscribed at the end, though it never left',
    breaks: (h) => h.unsubscribed('a').store([]),
    holds: (h) => h.left('a').store([]),
  },
  {
    rule: 'liveness',
    name: 'unsubscribed and back',
    breaks: (h) => h.unsubscribed('a').subscribed('a', 0, 'recovered').unsubscribed('a').store([]),
    holds: (h) => h.unsubscribed('a').subscribed('a', 0, 'recovered').store([]),
  },
  {
    rule: 'temporary refusals',
    name: 'refused for good',
    breaks: (h) => h.send('a', 'm').refused('a', 'm', 1, 'room', errors.permissionDenied.code).store([]),
    holds: (h) => h.send('a', 'm').refused('a', 'm', 1, 'room', errors.tooManyRequests.code).store([]),
  },
]

function rulesFound(operations: Operation[]): string[] {
  return [...new Set(check(operations).map((finding) => finding.rule))]
}

for (const { rule, name, breaks, holds } of cases) {
  void t.test(`${rule}: ${name}`, async (t) => {
    t.ok(rulesFound(breaks(start()).operations).includes(rule), 'the breach is found')
    t.strictSame(check(holds(start()).operations), [], 'its lawful neighbour passes')
  })
}

void t.test('every rule has a history that breaks it', async (t) => {
  const history = start().closed('a').send('a', 'm')
  const rules = new Set(cases.map((example) => example.rule))
  t.equal(rules.size, 10)
  t.ok(rulesFound(history.operations).every((rule) => rules.has(rule)))
})

void t.test('a maybe allows both outcomes', async (t) => {
  t.strictSame(check(start().send('a', 'm').maybe('a', 'm').store([]).operations), [])
  const happened = start().send('a', 'm').maybe('a', 'm').delivery('a', 'm', 1).delivery('b', 'm', 1).store(['m'])
  t.strictSame(check(happened.operations), [])
})

void t.test('a keyed re-send of a maybe yields one message, wherever it comes to lie', async (t) => {
  const first = start()
    .send('a', 'm')
    .maybe('a', 'm')
    .send('a', 'n')
    .acknowledged('a', 'n', 1)
    .send('a', 'm', 2)
    .acknowledged('a', 'm', 2, 2)
  for (const client of ['a', 'b']) first.delivery(client, 'n', 1).delivery(client, 'm', 2)
  t.strictSame(check(first.store(['n', 'm']).operations), [])
})

void t.test('a report counts by rule and shows the operations', async (t) => {
  const history = start()
  for (let index = 0; index < 3 * reportedMax; index++)
    history.send('a', `m${index}`).acknowledged('a', `m${index}`, null)
  const text = report(check(history.closed('b').store([]).operations))
  t.match(text, `${3 * reportedMax} × loss`)
  t.match(text, /m0 was acknowledged and is not in the store\n {2}\{"kind":"send"/)
  t.match(text, /connection continuity: b was closed with 1/)
})

void t.test('a history survives being written and read', async (t) => {
  const { operations } = one(start()).store(['m'])
  t.strictSame(fromJsonLines(toJsonLines(operations)), operations)
})
