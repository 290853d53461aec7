/**
 * Proves with real processes that a worker whose process is killed is noticed by the connection that closes with it:
 * silence would count only after ten minutes here, and its rooms are served again at once. How long they were not is
 * measured from outside, by a client that goes on publishing in all of them, and printed.
 */
import t from 'tap'
import { WebSocket } from 'ws'
import { startCluster } from '../harness/processes/cluster.ts'
import { tokenFor } from '../harness/tokens.ts'
import { until } from '../support/until.ts'

const rooms = Array.from({ length: 60 }, (_, index) => `room-${index}`)
const rounds = 5
/** Silence would take longer than the whole test, and the publisher may publish as it does. */
const settings = { HOLDFAST_CONTROLLER_DEATH_TIME: '10m', HOLDFAST_CLIENT_COMMAND_RATE: '1000' }

/** Publishes in one room after the other, and knows how long each publication took. */
class Publisher {
  readonly #socket: WebSocket
  readonly #sentAt = new Map<number, number>()
  #n = 0
  #timer: NodeJS.Timeout | null = null
  isClosed = false
  slowestMs = 0

  constructor(url: string) {
    this.#socket = new WebSocket(url, { perMessageDeflate: false })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => (this.isClosed = true))
    this.#socket.on('message', (data: Buffer) => {
      for (const line of data.toString().split('\n')) this.#heard(JSON.parse(line) as { id?: number; error?: object })
    })
  }

  async start(): Promise<void> {
    await until('the socket is open', () => this.#socket.readyState === WebSocket.OPEN)
    await this.#answered({ connect: { token: await tokenFor('ada') } })
    for (const channel of rooms) await this.#answered({ subscribe: { channel } })
    this.#timer = setInterval(() => this.#send({ publish: { channel: rooms[this.#n % rooms.length], data: {} } }), 4)
  }

  get isUpToDate(): boolean {
    return this.#sentAt.size < rooms.length / 4
  }

  stop(): void {
    clearInterval(this.#timer ?? undefined)
    this.#socket.terminate()
  }

  #send(command: object): number {
    const id = ++this.#n
    this.#sentAt.set(id, performance.now())
    this.#socket.send(JSON.stringify({ id, ...command }))
    return id
  }

  async #answered(command: object): Promise<void> {
    const id = this.#send(command)
    await until('the answer', () => !this.#sentAt.has(id))
  }

  #heard({ id, error }: { id?: number; error?: object }): void {
    const sentAt = id === undefined ? undefined : this.#sentAt.get(id)
    if (id === undefined || sentAt === undefined) return
    this.#sentAt.delete(id)
    if (error) throw new Error(`refused: ${JSON.stringify(error)}`)
    this.slowestMs = Math.max(this.slowestMs, performance.now() - sentAt)
  }
}

void t.test('rooms of a killed worker are served again at once', async (t) => {
  await using cluster = await startCluster({ settings })
  const publisher = new Publisher(cluster.socketUrls[0]!)
  t.teardown(() => publisher.stop())
  await publisher.start()
  const pauses: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const [victim] = await until('both workers have slots', async () => {
      const workers = await cluster.settled()
      return workers.every(({ slots }) => slots > 0) && workers
    })
    publisher.slowestMs = 0
    process.kill(victim!.pid, 'SIGKILL')
    await until('others have its slots', async () =>
      (await cluster.slots()).every(({ owner }) => owner !== null && owner !== victim!.id),
    )
    await until('nothing waits', () => publisher.isUpToDate)
    t.equal(await cluster.counter('holdfast_workers_ended_total'), round, 'its end was seen')
    pauses.push(publisher.slowestMs)
  }
  t.notOk(publisher.isClosed, 'the socket is open')
  const shown = pauses.map((ms) => ms.toFixed(0)).join(', ')
  t.comment(`rooms were not served for ${shown} ms, of which the client waited for its slowest publication`)
})
