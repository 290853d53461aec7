/**
 * Proves when a process of ours is over: not while anything of it is left that may hold a port, whatever of it is dead
 * already; and that another process with its id is not it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { hasEnded, lookAt, stateOf } from '../../compose/services/process-state.ts'
import { until } from '../support/until.ts'

const marker = '/data/services/kafka/server.properties'
const status = (state: string, threads: number) =>
  `Name:\tjava\nUmask:\t0022\nState:\t${state}\nTgid:\t4711\nPid:\t4711\nPPid:\t1\nThreads:\t${threads}\nSigQ:\t0/95927\n`

t.test('what the system says, and what it means', (t) => {
  const cases: [what: string, status: string, commandLine: string, ended: boolean][] = [
    ['it runs', status('S (sleeping)', 93), `java\0kafka.Kafka\0${marker}\0`, false],
    ['it is frozen', status('T (stopped)', 93), `java\0kafka.Kafka\0${marker}\0`, false],
    ['it ends, its files are still open', status('R (running)', 4), '', false],
    ['it ends and waits for the disk', status('D (disk sleep)', 1), '', false],
    ['its first thread is dead, others are not', status('Z (zombie)', 5), '', false],
    ['it is dead, and nobody has collected it', status('Z (zombie)', 1), '', true],
    ['it is being removed', status('X (dead)', 1), '', true],
    ['its id is another one', status('S (sleeping)', 1), 'sleep\x0060\0', true],
  ]
  for (const [what, text, commandLine, ended] of cases)
    t.equal(hasEnded(stateOf(text, commandLine), marker), ended, what)
  t.equal(hasEnded(null, marker), true, 'there is none')
  t.end()
})

t.test('a real one', async (t) => {
  const child = spawn('sleep', ['60'])
  t.teardown(() => child.kill('SIGKILL'))
  await until('its command line', async () => (await lookAt(child.pid!))?.commandLine.startsWith('sleep') === true)
  t.match(await lookAt(child.pid!), { threads: 1, commandLine: 'sleep\x0060\0' })
  t.equal(hasEnded(await lookAt(child.pid!), 'sleep'), false)
  t.equal(hasEnded(await lookAt(child.pid!), marker), true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(await lookAt(child.pid!), null)
})
