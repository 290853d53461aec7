import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Env } from '../../cluster/env.ts'
import { Type } from '../../schema/type.ts'
import { eventTypes } from '../events/events.ts'
import type { ClusterEvent, Events } from '../events/events.ts'
import { ApiError } from './errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answer does not end. */
    isStream?: true
  }
}

/** Who listens at once at most, what may wait for one who does not read, and how often an idle stream is written to. */
export const eventStreamLimits = { listeners: 64, waitingBytes: 1_048_576, heartbeatMs: 15_000 }

/** The first thing on a stream that cannot go on where its reader was: what happened between is not known. */
export const gapType = 'gap'

const types = Object.entries(eventTypes).map(([type, meaning]) => `\`${type}\`: ${meaning}`)

const schema = {
  summary: 'What happens in the cluster, as server-sent events.',
  description: [
    `The data of each event is JSON. With \`Last-Event-ID\` a stream goes on where it was; where it cannot, it begins with the event \`${gapType}\` and all that is known.`,
    ...types,
  ].join('\n\n'),
  headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 100 })) }),
  response: {
    200: { description: 'A stream that does not end.', content: { 'text/event-stream': { schema: Type.String() } } },
  },
}

/** The stream of events. A reader that does not keep up is closed, and may come back. */
export function eventRoutes(app: FastifyInstance, events: Events, { clock, metrics }: Env): void {
  const streams = new Set<ServerResponse>()

  const send = (stream: ServerResponse, text: string): void => {
    stream.write(text)
    if (stream.writableLength <= eventStreamLimits.waitingBytes) return
    metrics.eventStreamsClosed.inc()
    stream.destroy()
  }

  const open = (reply: FastifyReply, lastId: string | undefined): void => {
    reply.hijack()
    const { raw: stream } = reply
    stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    streams.add(stream)
    const stopListening = events.listen((event) => send(stream, textOf(event)))
    const beat = clock.every(eventStreamLimits.heartbeatMs, () => send(stream, ':\n\n'))
    stream.once('close', () => {
      streams.delete(stream)
      stopListening()
      beat.cancel()
    })
    send(stream, beginning(events, lastId))
  }

  app.get('/api/v1/events', { schema, config: { isStream: true } }, (request, reply) => {
    if (streams.size >= eventStreamLimits.listeners)
      throw new ApiError('too_many_streams', `${eventStreamLimits.listeners} listen already`)
    open(reply, request.headers['last-event-id'] as string | undefined)
  })
}

function beginning(events: Events, lastId: string | undefined): string {
  if (lastId === undefined) return ':\n\n'
  const missed = events.since(lastId)
  if (missed !== null) return `:\n\n${missed.map(textOf).join('')}`
  return `event: ${gapType}\ndata: {}\n\n${events.kept.map(textOf).join('')}`
}

/** As the HTML standard has it (html.spec.whatwg.org, server-sent events). JSON has no line ends. */
function textOf({ id, type, time, data }: ClusterEvent): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ time: new Date(time).toISOString(), ...data })}\n\n`
}
