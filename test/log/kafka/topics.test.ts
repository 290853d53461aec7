/**
 * Proves that topics are made as a log needs them, that one which is otherwise is refused with what is wrong in it, that
 * any number of processes may begin at once, and that partitions which somebody adds disturb nothing that runs.
 */
import kafkajs from 'kafkajs'
import t from 'tap'
import { testLog } from '../../support/services.ts'
import { entries, entry, numbers, numbersOf, openLog, operator, take } from './tools.ts'

const topics = testLog()
t.teardown(() => topics[Symbol.asyncDispose]())
const full = (name: string): string => `${topics.prefix}.${name}`
const TOPIC = kafkajs.ConfigResourceTypes.TOPIC

void t.test('topics are made with the settings that lose nothing', async (t) => {
  const admin = await operator(t, topics.url)
  await openLog(t, topics.url).createTopics([
    { name: 'plain', partitions: 3, compacted: false },
    { name: 'compact', partitions: 1, compacted: true },
  ])
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: ['plain', 'compact'].map((name) => ({ type: TOPIC, name: full(name) })),
  })
  const settings = (name: string) =>
    Object.fromEntries(
      resources
        .find(({ resourceName }) => resourceName === full(name))!
        .configEntries.map(({ configName, configValue }) => [configName, configValue]),
    )
  t.match(settings('plain'), {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'min.insync.replicas': '1',
    'unclean.leader.election.enable': 'false',
  })
  t.match(settings('compact'), {
    'cleanup.policy': 'compact',
    'min.insync.replicas': '1',
    'unclean.leader.election.enable': 'false',
  })
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [full('plain'), full('compact')] })
  t.same(
    new Map(found.map(({ name, partitions }) => [name, partitions.length])),
    new Map([
      [full('plain'), 3],
      [full('compact'), 1],
    ]),
  )
})

void t.test('a topic that is otherwise is refused, and the error says how', async (t) => {
  const admin = await operator(t, topics.url)
  const log = openLog(t, topics.url)
  const make = (name: string, numPartitions: number, settings: Record<string, string>) =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: full(name),
          numPartitions,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        },
      ],
    })
  const good = { 'retention.ms': '-1', 'retention.bytes': '-1', 'min.insync.replicas': '1' }
  await make('good', 2, good)
  await log.createTopics([{ name: 'good', partitions: 2, compacted: false }])
  t.pass('one that somebody made as it must be is taken')
  const others: [string, number, Record<string, string>, boolean, RegExp][] = [
    ['retention', 2, { ...good, 'retention.ms': '86400000' }, false, /retention\.ms = 86400000, wanted -1/],
    ['bytes', 2, { ...good, 'retention.bytes': '1000000' }, false, /retention\.bytes = 1000000, wanted -1/],
    [
      'both',
      2,
      { ...good, 'cleanup.policy': 'compact,delete' },
      true,
      /cleanup\.policy = (compact,delete|delete,compact), wanted compact/,
    ],
    ['policy', 2, { ...good, 'cleanup.policy': 'compact' }, false, /has 2 partitions, compacted, not 2 partitions/],
    ['deleted', 2, good, true, /has 2 partitions, not 2 partitions, compacted/],
    ['partitions', 3, good, false, /has 3 partitions, not 2 partitions/],
    [
      'unclean',
      2,
      { ...good, 'unclean.leader.election.enable': 'true' },
      false,
      /unclean\.leader\.election\.enable = true, wanted false/,
    ],
    ['small', 2, { ...good, 'max.message.bytes': '1000' }, false, /max\.message\.bytes = 1000, wanted 1048588 or more/],
  ]
  for (const [name, partitions, settings, compacted, says] of others) {
    await make(name, partitions, settings)
    const specs = [
      { name: `new-${name}`, partitions: 1, compacted: false },
      { name, partitions: 2, compacted },
    ]
    const error = await log.createTopics(specs).catch((error: unknown) => error)
    t.match(error, { name: 'LogError', code: 'topic_mismatch', message: says }, name)
    t.match(error, { message: `topic ${full(name)} has ` }, 'it names the topic')
  }
  const safe = openLog(t, `${topics.url}?replication=2&min_insync=2`)
  await t.rejects(safe.createTopics([{ name: 'good', partitions: 2, compacted: false }]), {
    code: 'topic_mismatch',
    message: /replication factor = 1, wanted 2 or more/,
  })
  const insync = openLog(t, `${topics.url}?min_insync=2`)
  await t.rejects(insync.createTopics([{ name: 'good', partitions: 2, compacted: false }]), {
    code: 'topic_mismatch',
    message: /min\.insync\.replicas = 1, wanted 2 or more/,
  })
  const there = await admin.listTopics()
  t.notOk(
    there.some((name) => name.startsWith(full('new-'))),
    'nothing of a refused request is done',
  )
})

void t.test('many processes begin at once', async (t) => {
  const specs = numbers(0, 6).map((index) => ({ name: `at-once-${index}`, partitions: 8, compacted: index % 2 === 0 }))
  const logs = numbers(0, 8).map(() => openLog(t, topics.url))
  const began = await Promise.all(
    logs.map(async (log) => {
      await log.createTopics(specs)
      return log.append('at-once-1', 7, [entry('here')])
    }),
  )
  t.same(
    began.sort((one, other) => one - other),
    numbers(0, logs.length),
  )
})

void t.test('partitions that are added are refused, and disturb nothing that runs', async (t) => {
  const admin = await operator(t, topics.url)
  const log = openLog(t, topics.url)
  const spec = { name: 'grown', partitions: 2, compacted: false }
  await log.createTopics([spec])
  await log.append('grown', 1, entries(0, 10))
  const reader = log.read('grown', 1, 0)
  t.same(numbersOf(await take(reader, 10)), numbers(0, 10))
  await admin.createPartitions({ topicPartitions: [{ topic: full('grown'), count: 4 }] })
  await t.rejects(log.createTopics([spec]), { code: 'topic_mismatch', message: /has 4 partitions, not 2 partitions/ })
  await log.append('grown', 1, entries(10, 10))
  t.same(numbersOf(await take(reader, 10)), numbers(10, 10))
  const other = openLog(t, topics.url)
  t.equal(await other.append('grown', 1, [entry(20)]), 20)
  t.same(numbersOf(await reader.next()), [20])
})
