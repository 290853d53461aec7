// Proves to whom a controller holds wires: each worker that is known, a bounded number of them, and how many stand.
import t from 'tap'
import { Wires, wiresMax } from '../../../controller/members/wires.ts'
import { createMetrics } from '../../../observability/metrics.ts'
import { workerBeat } from '../beats.ts'

const worker = (id: string) => {
  const beat = workerBeat(id, 'v1', { internal: { host: id, port: 1 } })
  return { beat, firstSeenAt: 0, lastSeenAt: 0 }
}

/** Wires that do what the test says, by the host that they lead to. */
function stage() {
  const metrics = createMetrics()
  const opened = new Map<string, { gone: () => void; turned: (isUp: boolean) => void }>()
  const gone: string[] = []
  const wires = new Wires(
    { metrics },
    ({ host }, gone, turned = () => {}) => {
      opened.set(host, { gone, turned })
      return { close: () => opened.delete(host) }
    },
    (id) => gone.push(id),
  )
  const counted = async () => {
    const { values } = await metrics.workerWires.get()
    return Object.fromEntries(values.map(({ labels, value }) => [labels.status, value]))
  }
  return { wires, opened, gone, counted }
}

t.test('a wire goes to each worker that is known, and tells of its end', (t) => {
  const { wires, opened, gone } = stage()
  wires.look([worker('a'), worker('b')])
  const { gone: bEnds } = opened.get('b')!
  wires.look([worker('b'), worker('c')])
  t.same([...opened.keys()], ['b', 'c'])
  bEnds()
  t.same(gone, ['b'])
  wires.stop()
  t.equal(opened.size, 0)
  t.end()
})

t.test('those that stand are counted, and those that do not', async (t) => {
  const { wires, opened, counted } = stage()
  wires.look([worker('a'), worker('b'), worker('c')])
  t.same(await counted(), { up: 0, down: 3 })
  for (const id of ['a', 'b']) opened.get(id)!.turned(true)
  t.same(await counted(), { up: 2, down: 1 })
  opened.get('a')!.turned(false)
  t.same(await counted(), { up: 1, down: 2 })
  wires.look([worker('a'), worker('c')])
  t.same(await counted(), { up: 0, down: 2 }, 'one that has left counts no more')
  wires.stop()
  t.same(await counted(), { up: 0, down: 0 })
})

t.test('there are so many at most, and the others count as down', async (t) => {
  const { wires, opened, counted } = stage()
  wires.look(Array.from({ length: wiresMax + 2 }, (_, index) => worker(`w${index}`)))
  t.equal(opened.size, wiresMax)
  for (const { turned } of opened.values()) turned(true)
  t.same(await counted(), { up: wiresMax, down: 2 })
})
