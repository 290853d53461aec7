/** One direction of a connection through a TcpProxy. */
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gate } from './gate.ts'

/** Bytes that one direction of a connection holds back unless told otherwise. */
export const heldBytesMax = 1024 * 1024

/** How one direction of every connection treats what passes. */
export interface Passage {
  /** While it is shut nothing passes, the end of a connection included, and nothing is lost. */
  gate: Gate
  /** Every chunk is this late. */
  latencyMs: number
  /** Infinity: as fast as it goes. */
  bytesPerSecond: number
  /** With more than this held back the sender is not read any more. */
  heldBytesMax: number
}

/**
 * Carries what comes from `source` to `sink`, in order and complete, the way `passage` says at that moment. Resolves
 * when the source has ended and all of it is through, or when the sink is gone.
 */
export async function carry(source: Socket, sink: Socket, passage: () => Readonly<Passage>): Promise<void> {
  const held: { data: Buffer; dueAt: number }[] = []
  let bytes = 0
  let hasEnded = false
  let wake = (): void => undefined
  const end = (): void => {
    hasEnded = true
    wake()
  }
  source.on('data', (data: Buffer) => {
    held.push({ data, dueAt: performance.now() + passage().latencyMs })
    bytes += data.length
    if (bytes > passage().heldBytesMax) source.pause()
    wake()
  })
  source.once('end', end).once('close', end)
  sink.once('close', end)
  for (;;) {
    const [chunk] = held
    if (chunk === undefined && hasEnded) break
    if (chunk === undefined) {
      await new Promise<void>((resolve) => (wake = resolve))
      continue
    }
    const { data, dueAt } = chunk
    const earlyMs = dueAt - performance.now()
    if (earlyMs > 0) await sleep(earlyMs)
    const { bytesPerSecond } = passage()
    if (bytesPerSecond !== Infinity) await sleep((data.length / bytesPerSecond) * 1_000)
    await passage().gate.pass()
    if (sink.destroyed) return
    if (!sink.write(data)) await writable(sink)
    held.shift()
    bytes -= data.length
    if (bytes <= passage().heldBytesMax) source.resume()
  }
  await passage().gate.pass()
}

/** Waits until a socket takes more, or is gone. */
async function writable(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('drain', resolve).once('close', resolve)
  await promise
  socket.off('drain', resolve).off('close', resolve)
}
