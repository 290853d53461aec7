/** The in-process log keeps the contract, and its hooks do to appends what tests rely on. */
import t from 'tap'
import { MemoryLog, MemoryLogData } from '../../../log/memory/memory-log.ts'
import { logContract } from '../contract.ts'

const entry = (text: string): { key: null; value: Buffer } => ({ key: null, value: Buffer.from(text) })
const topic = { name: 'plain', partitions: 1, compacted: false }

logContract(t, 'memory', async (t) => {
  const data = new MemoryLogData()
  return () => {
    const log = new MemoryLog(data)
    t.teardown(() => log.close())
    return log
  }
})

void t.test('hooks hold an append, fail it before or after, and double it', async (t) => {
  const data = new MemoryLogData()
  data.createTopics([topic])
  const gate = Promise.withResolvers<void>()
  const held = new MemoryLog(data, { beforeAppend: () => gate.promise }).append('plain', 0, [entry('held')])
  const other = new MemoryLog(data)
  t.equal(await other.append('plain', 0, [entry('other')]), 0)
  gate.resolve()
  t.equal(await held, 1)

  const fail = (): never => {
    throw new Error('cut')
  }
  await t.rejects(new MemoryLog(data, { beforeAppend: fail }).append('plain', 0, [entry('lost')]), {
    code: 'unavailable',
  })
  t.equal(data.range('plain', 0).next, 2, 'not there')
  await t.rejects(new MemoryLog(data, { afterAppend: fail }).append('plain', 0, [entry('there')]), {
    code: 'unavailable',
  })
  t.equal(data.range('plain', 0).next, 3, 'there')

  const doubling = new MemoryLog(data, {
    afterAppend: (...append) => void data.append(append[0], append[1], append[2]),
  })
  t.equal(await doubling.append('plain', 0, [entry('twice')]), 3)
  t.equal(data.range('plain', 0).next, 5)
})

void t.test('a handle that is cut off answers nothing, and its readers go on when it is restored', async (t) => {
  const data = new MemoryLogData()
  data.createTopics([topic])
  const log = new MemoryLog(data)
  const reader = log.read('plain', 0, 0)
  log.cut()
  data.append('plain', 0, [entry('a')])
  await t.rejects(log.append('plain', 0, [entry('b')]), { code: 'unavailable' })
  await t.rejects(log.range('plain', 0), { code: 'unavailable' })
  const next = reader.next()
  log.restore()
  t.equal((await next).length, 1)
  t.equal(data.range('plain', 0).next, 1)
})
