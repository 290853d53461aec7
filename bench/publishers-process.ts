import { setTimeout as sleep } from 'node:timers/promises'
import { BenchClient } from './client.ts'
import type { Phase, PublishersOrder, PublishersReport } from './publishers.ts'

/** A client, and when it was last acknowledged. */
interface Publisher {
  client: BenchClient
  ackedAt: number
  /** The longest time between two acks in the phase that lasts, ms. */
  gap: number
}

const text = 'x'.repeat(100)
/** A publication that was acknowledged comes back within this. */
const patienceMs = 2_000

let publishers: Publisher[] = []
let phase: Phase = { acks: [], gaps: [] }
let isOver = false
let publishing: Promise<void> | null = null
let delivered = 0
const report: PublishersReport = { phases: {}, published: 0, failed: 0, closed: 0, lost: 0 }

async function begin({ url, clients, perSecond }: PublishersOrder & { kind: 'begin' }): Promise<void> {
  publishers = await Promise.all(
    clients.map(async ({ token, room }) => {
      const client = await BenchClient.connect(url, token, room)
      client.onPublication = () => delivered++
      client.onClose = () => {
        if (!isOver) report.closed++
      }
      return { client, ackedAt: performance.now(), gap: 0 }
    }),
  )
  publishing = publishUntilOver(perSecond)
  // It is waited for at the end.
  publishing.catch(() => undefined)
}

/** At a steady rate, whether or not earlier ones are answered, in one room after the other. */
async function publishUntilOver(perSecond: number): Promise<void> {
  const start = performance.now()
  const underWay = new Set<Promise<void>>()
  while (!isOver) {
    const due = Math.floor(((performance.now() - start) / 1000) * perSecond)
    while (report.published < due) {
      const one = publish(publishers[report.published % publishers.length]!)
      report.published++
      underWay.add(one)
      void one.finally(() => underWay.delete(one))
    }
    await sleep(1)
  }
  await Promise.all(underWay)
}

async function publish(publisher: Publisher): Promise<void> {
  const sentIn = phase
  const ack = await publisher.client.publish({ text })
  if (ack === null) {
    report.failed++
    return
  }
  sentIn.acks.push(ack)
  const now = performance.now()
  publisher.gap = Math.max(publisher.gap, now - publisher.ackedAt)
  publisher.ackedAt = now
}

function enter(name: string): void {
  closePhase()
  phase = report.phases[name] ??= { acks: [], gaps: [] }
}

/** Whoever waits right now has waited for as long at least. */
function closePhase(): void {
  const now = performance.now()
  phase.gaps.push(...publishers.map(({ gap, ackedAt }) => Math.max(gap, now - ackedAt)))
  for (const publisher of publishers) publisher.gap = 0
}

async function end(): Promise<PublishersReport> {
  closePhase()
  isOver = true
  await publishing
  const acked = report.published - report.failed
  for (const start = performance.now(); delivered < acked && performance.now() - start < patienceMs;) await sleep(5)
  report.lost = acked - delivered
  for (const { client } of publishers) client.close()
  return report
}

async function obey(order: PublishersOrder): Promise<unknown> {
  switch (order.kind) {
    case 'begin':
      return begin(order)
    case 'phase':
      return enter(order.name)
    case 'end':
      return end()
  }
}

process.on('message', (order: PublishersOrder) => {
  obey(order).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
