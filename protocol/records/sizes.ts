/**
 * How large things may be that go into the log, in bytes as they are encoded there: names escaped, text in UTF-8, headers
 * and recipients included. Nothing is estimated. Each bound leaves room below the next one up, so what passed one fits
 * wherever it goes from there: `nested`, below, is checked when this file is loaded, and test/protocol/records/sizes.test.ts
 * builds the largest of each kind.
 */

/** What a record counts for beside its key and value: more than any log adds to it. */
export const recordOverheadBytes = 64

/** Bytes of a text, or of a list, as JSON: quotes and brackets included. */
export function jsonBytes(value: string | readonly unknown[]): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/** One message of a client: the most that `websocket.message_size_limit` can be set to. */
export const clientMessageBytesMax = 900_000

/** A user id in UTF-8; what the narrowest store holds of it. */
export const userBytesMax = 2_048

/** The answer to one question for tops of channels: small, since events wait behind it. */
export const topsAnswerBytesMax = 200_000

/** The messages in one answer to a read. */
export const answerBytesMax = 800_000

/** One part of the answer to a read: events wait behind it. */
export const answerPartBytesMax = 65_536

/** A command's record, with all that the connection adds to what the client sent. A larger one is refused. */
export const commandBytesMax = 915_000

/** A message as clients get it. What a command holds fits. */
export const messageBytesMax = 928_000

/** Any record that this program makes: a message to its recipients, an answer, a heartbeat. */
export const recordBytesMax = 940_000

/** Records that an append lane sends together. */
export const laneBatchBytesMax = 950_000

/** Appends to one partition that go in one batch of Kafka's. */
export const kafkaBatchBytesMax = 960_000

/** One append: what every log takes. Beyond it every log refuses with `too_large`. */
export const appendBytesMax = 1_048_000

/** Records that a worker handles in one transaction; one that is larger goes alone. */
export const batchBytesMax = 1_000_000

/** What one commit writes (`commitBytes`). One that would write more is made of fewer records. */
export const commitBytesMax = 8_000_000

/** What a database must take as one request: the least `max_allowed_packet`. A commit is up to twice its bytes there. */
export const packetBytesMin = 16_777_216

/** What a topic must take as one batch, headers included: the least `max.message.bytes`, Kafka's default. */
export const topicBatchBytesMin = 1_048_588

/** What goes into what: each bound is below the next one. */
const nested: Record<string, number>[] = [
  { userBytesMax, clientMessageBytesMax, commandBytesMax, messageBytesMax, recordBytesMax },
  { answerPartBytesMax, answerBytesMax, recordBytesMax },
  { topsAnswerBytesMax, recordBytesMax },
  { recordBytesMax, laneBatchBytesMax, kafkaBatchBytesMax, appendBytesMax, topicBatchBytesMin },
  { commandBytesMax, batchBytesMax, commitBytesMax, 'half of packetBytesMin': packetBytesMin / 2 },
]

for (const chain of nested) {
  const bounds = Object.entries(chain)
  for (const [at, [outer, bytes]] of bounds.entries()) {
    const [inner, below] = bounds[at - 1] ?? ['', 0]
    if (below >= bytes) throw new RangeError(`${inner} is ${below} and goes into ${outer}, which is ${bytes}`)
  }
}
