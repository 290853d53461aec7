/** What the tests of this folder attack. */
import t from 'tap'
import type { Test } from 'tap'
import { BareClient } from '../harness/clients/bare-client.ts'
import { clientFrame } from '../harness/clients/frames.ts'
import { Served } from '../harness/served.ts'
import { tokenFor } from '../harness/tokens.ts'
import { until } from '../support/until.ts'
import { Witness } from './witness.ts'

/** Longest time that a message of the witnesses may take while all this goes on, in the very process of the test. */
const witnessMsMax = 3_000

/** What is attacked: a proxy on which two witnesses chat throughout. */
export class Target {
  readonly served: Served
  readonly token: string
  readonly connectCommand: string
  readonly #witness: Witness
  /** Those of the witnesses. */
  readonly #before: { sessions: number; connections: number }

  private constructor(served: Served, witness: Witness, token: string, connections: number) {
    this.served = served
    this.#witness = witness
    this.token = token
    this.connectCommand = JSON.stringify({ id: 1, connect: { token } })
    this.#before = { sessions: served.proxy.sessions.size, connections }
  }

  static async start(): Promise<Target> {
    const served = await Served.start({
      'client.command_rate': '1000000',
      'client.command_burst': '1000000',
      'client.queue_max_size': '300000',
      'client.pong_timeout': '1s',
    })
    t.teardown(() => served[Symbol.asyncDispose]())
    const witness = await Witness.start(await served.client('writer'), await served.client('reader'))
    return new Target(served, witness, await tokenFor('ada'), await served.connections())
  }

  /** A connection that is upgraded, and connected when there is a command for that. */
  async open(command?: string): Promise<BareClient> {
    const client = await BareClient.upgraded(this.served)
    if (command !== undefined) {
      client.socket.write(clientFrame(command))
      await until('it is connected', () => isAnswered(client, 1))
    }
    return client
  }

  async nothingLeft(): Promise<void> {
    const { served } = this
    const { sessions, connections } = this.#before
    await until('its sessions are gone', () => served.proxy.sessions.size === sessions)
    await until('its connections are gone', async () => (await served.connections()) === connections)
    await until('nothing waits', async () => ((await served.metrics.inFlight.get()).values[0]?.value ?? 0) <= 1)
  }

  /** To be called at the end: nobody else noticed. */
  async unnoticed(t: Test): Promise<void> {
    const { sent, received, worstMs, stayed } = await this.#witness.stop()
    t.ok(stayed, 'the witnesses are still there')
    t.ok(sent > 50, `${sent} messages`)
    t.strictSame(
      received,
      Array.from({ length: sent }, (_, at) => at + 1),
      'each once and in order',
    )
    t.ok(worstMs < witnessMsMax, `the slowest took ${Math.round(worstMs)} ms`)
  }
}

export const isAnswered = (client: BareClient, id: number): boolean => client.received.includes(`{"id":${id},`)
