import listRequest from 'kafkajs/src/protocol/requests/listOffsets/v2/request.js'
import listResponse from 'kafkajs/src/protocol/requests/listOffsets/v2/response.js'
import type { OffsetsAnswer } from 'kafkajs/src/protocol/requests/listOffsets/v2/response.js'
import type { LogRange } from '../log.ts'
import type { Brokers } from './brokers.ts'
import { kafkaCodes } from './wire/codes.ts'

/** The two times that stand for the ends of a partition. */
const ends = { oldest: -2, next: -1 }

type Found = OffsetsAnswer['responses'][number]['partitions'][number]

interface Asked {
  topic: string
  partition: number
  resolve: (range: LogRange) => void
  reject: (error: unknown) => void
}

/** Where partitions begin and end. What is asked in one turn goes in one pair of requests for each broker. */
export class Offsets {
  readonly #brokers: Brokers
  #asked: Asked[] = []

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  range(topic: string, partition: number): Promise<LogRange> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ topic, partition, resolve, reject })
      if (this.#asked.length === 1) setImmediate(() => void this.#ask())
    })
  }

  async #ask(): Promise<void> {
    const asked = this.#asked
    this.#asked = []
    const nodes = new Map<number, Asked[]>()
    const finding = asked.map(async (one) => {
      const node = await this.#brokers.leader(one.topic, one.partition)
      nodes.getOrInsertComputed(node, () => []).push(one)
    })
    const found = await Promise.allSettled(finding)
    found.forEach((result, index) => {
      if (result.status === 'rejected') asked[index]!.reject(result.reason)
    })
    for (const [node, some] of nodes) void this.#askNode(node, some)
  }

  async #askNode(node: number, asked: Asked[]): Promise<void> {
    try {
      const [oldest, next] = await Promise.all([
        this.#list(node, asked, ends.oldest),
        this.#list(node, asked, ends.next),
      ])
      for (const { topic, partition, resolve, reject } of asked) {
        const [from, to] = [oldest.get(`${topic}/${partition}`), next.get(`${topic}/${partition}`)]
        const code = from?.errorCode || to?.errorCode || kafkaCodes.none
        if (code !== kafkaCodes.none || !from || !to) reject(this.#brokers.refused('range', topic, partition, code))
        else resolve({ oldest: Number(from.offset), next: Number(to.offset) })
      }
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }

  async #list(node: number, asked: Asked[], timestamp: number): Promise<Map<string, Found>> {
    const topics = Map.groupBy(asked, ({ topic }) => topic)
    const request = listRequest({
      replicaId: -1,
      isolationLevel: 0,
      topics: [...topics].map(([topic, each]) => ({
        topic,
        partitions: [...new Set(each.map(({ partition }) => partition))].map((partition) => ({ partition, timestamp })),
      })),
    })
    const { responses } = await this.#brokers.send(node, 'range', { request, decode: listResponse.decode })
    return new Map(
      responses.flatMap(({ topic, partitions }) =>
        partitions.map((found): [string, Found] => [`${topic}/${found.partition}`, found]),
      ),
    )
  }
}
