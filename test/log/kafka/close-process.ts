/**
 * A process of faults.test.ts: uses the log that its argument names, says `ready`, and closes the log once its input
 * ends, with an append and a reader under way. Says how long closing took, in ms; its end is up to what is left open.
 */
import { once } from 'node:events'
import { openKafkaLog } from '../../../log/kafka/kafka-log.ts'

const log = openKafkaLog(process.argv[2]!)
const record = { key: null, value: Buffer.from('x') }
await log.append('closing', 0, [record])
const reader = log.read('closing', 0, 0)
await reader.next()
console.log('ready')
await once(process.stdin.resume(), 'end')
const waiting = Promise.allSettled([reader.next(), log.append('closing', 0, [record]), log.range('closing', 0)])
await new Promise(setImmediate)
const start = performance.now()
await log.close()
const outcomes = (await waiting).map((outcome) => outcome.status)
console.log(JSON.stringify({ ms: performance.now() - start, outcomes }))
