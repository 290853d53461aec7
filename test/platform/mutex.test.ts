/** Proves that tasks run one after another, in the order in which they came, whatever becomes of each. */
import t from 'tap'
import { Mutex } from '../../platform/mutex.ts'
import { Gate } from '../support/gate.ts'

void t.test('one at a time, in order', async (t) => {
  const mutex = new Mutex()
  const gate = new Gate().shut()
  const said: string[] = []
  const task = (name: string) =>
    mutex.run(async () => {
      said.push(`${name} begins`)
      await gate.pass()
      said.push(`${name} ends`)
      return name
    })
  const tasks = ['a', 'b'].map(task)
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(said, ['a begins'])
  gate.open()
  t.strictSame(await Promise.all(tasks), ['a', 'b'])
  t.strictSame(said, ['a begins', 'a ends', 'b begins', 'b ends'])
})

void t.test('one that fails holds up no other', async (t) => {
  const mutex = new Mutex()
  const failed = mutex.run(() => Promise.reject(new Error('no')))
  const next = mutex.run(async () => 'yes')
  await t.rejects(failed, { message: 'no' })
  t.equal(await next, 'yes')
})
