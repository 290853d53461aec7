/**
 * A process of adapter.test.ts: connects to the log that its argument names, follows one partition and says what
 * doing nothing costs: `{"cpu": fraction of one core, "warnings": [...]}`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openKafkaLog } from '../../../log/kafka/kafka-log.ts'

/** How long nothing is done. */
const idleMs = 2_000

const warnings: string[] = []
process.on('warning', ({ name }) => warnings.push(name))

const log = openKafkaLog(process.argv[2]!)
await log.append('idle', 0, [{ key: null, value: Buffer.from('awake') }])
const reader = log.read('idle', 0, 0)
await reader.next()
const next = reader.next().catch(() => undefined)
const before = process.cpuUsage()
await sleep(idleMs)
const { user, system } = process.cpuUsage(before)
await log.close()
await next
console.log(JSON.stringify({ cpu: (user + system) / 1_000 / idleMs, warnings }))
