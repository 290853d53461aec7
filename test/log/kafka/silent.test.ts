/**
 * Proves that a broker which takes connections and says nothing, as a frozen one does, keeps nobody from the others of
 * the URL.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { LogError } from '../../../log/errors.ts'
import { kafkaLimitMs } from '../../../log/kafka/brokers.ts'
import { testLog } from '../../support/services.ts'
import { until } from '../../support/until.ts'
import { entry, numbers, openLog } from './tools.ts'

// It is given up sooner than in real life.
kafkaLimitMs.request = 500

const topics = testLog()
t.teardown(() => topics[Symbol.asyncDispose]())

void t.test('a broker that says nothing is passed over', async (t) => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  await openLog(t, topics.url).createTopics([{ name: 'spoken', partitions: 1, compacted: false }])
  const { port } = silent.address() as AddressInfo
  const url = topics.url.replace('kafka://', `kafka://127.0.0.1:${port},`)
  // Where a client begins is chance.
  for (const round of numbers(0, 6)) {
    const log = openLog(t, url)
    const append = async () => {
      try {
        return await log.append('spoken', 0, [entry('here')])
      } catch (error) {
        if (error instanceof LogError && error.code === 'unavailable') return null
        throw error
      }
    }
    const offset = await until(`client ${round} to find the other broker`, append, 15_000)
    t.type(offset, 'number')
    await log.close()
  }
  t.ok(sockets.length > 0, 'the silent one was tried')
})
