import { openLog } from '../cluster/open-log.ts'
import type { Log, LogReader } from '../log/log.ts'
import { atRate } from './stats.ts'
import type { Load } from './stats.ts'

const value = Buffer.alloc(300, 'x')

/** Appends numbered records at the rate, and times each from there until the reader has it. */
async function timeArrivals(
  log: Log,
  topic: string,
  reader: LogReader,
  { perSecond, warmUpSeconds, seconds }: Load,
): Promise<number[]> {
  const sentAt = new Map<number, number>()
  const samples: number[] = []
  const total = perSecond * (warmUpSeconds + seconds)
  const reading = (async () => {
    while (samples.length < total) {
      for (const record of await reader.next()) {
        samples.push(performance.now() - sentAt.get(record.value.readUInt32BE(0))!)
      }
    }
  })()
  await atRate(perSecond, warmUpSeconds + seconds, async (index) => {
    const numbered = Buffer.from(value)
    numbered.writeUInt32BE(index, 0)
    sentAt.set(index, performance.now())
    await log.append(topic, 0, [{ key: null, value: numbered }])
  })
  await reading
  return samples.slice(perSecond * warmUpSeconds)
}

/** A record appended to the cluster's own log and read back at its tail, without any of ours in between. */
export async function logRoundTrip(logUrl: string, load: Load): Promise<number[]> {
  const log = await openLog(logUrl)
  const topic = `bench.${load.perSecond}`
  await log.createTopics([{ name: topic, partitions: 1, compacted: false }])
  const reader = log.read(topic, 0, (await log.range(topic, 0)).next)
  const samples = await timeArrivals(log, topic, reader, load)
  reader.close()
  await log.close()
  return samples
}

/** The same there and back: who reads the record appends another one, as a worker does, and that one is read. */
export async function logTwoHops(logUrl: string, load: Load): Promise<number[]> {
  const [near, far] = [await openLog(logUrl), await openLog(logUrl)]
  const [there, back] = ['bench.there', 'bench.back']
  await near.createTopics([there, back].map((name) => ({ name, partitions: 1, compacted: false })))
  const outward = far.read(there, 0, (await far.range(there, 0)).next)
  const inward = near.read(back, 0, (await near.range(back, 0)).next)
  const total = load.perSecond * (load.warmUpSeconds + load.seconds)
  const echoing = (async () => {
    for (let count = 0; count < total;) {
      const records = await outward.next()
      count += records.length
      await far.append(
        back,
        0,
        records.map((record) => ({ key: null, value: record.value })),
      )
    }
  })()
  const samples = await timeArrivals(near, there, inward, load)
  await echoing
  outward.close()
  inward.close()
  await Promise.all([near.close(), far.close()])
  return samples
}

/** Records per second that the cluster's log takes, several under way at once. */
export async function logAppends(logUrl: string, seconds: number): Promise<number> {
  const log = await openLog(logUrl)
  await log.createTopics([{ name: 'bench.appends', partitions: 16, compacted: false }])
  const end = performance.now() + seconds * 1000
  let appended = 0
  const appendFor = async (partition: number) => {
    while (performance.now() < end) {
      await log.append(
        'bench.appends',
        partition,
        Array.from({ length: 16 }, () => ({ key: null, value })),
      )
      appended += 16
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, partition) => appendFor(partition)))
  await log.close()
  return appended / seconds
}
