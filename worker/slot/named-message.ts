import type { AppMessage, Effect, Stream } from '../../protocol/app/contract.ts'

/** The message that a reply names, as far as it does. */
interface Named {
  offset: number | undefined
  epoch: string | undefined
}

/**
 * Whether a reply names another message than its command's own: the one that it published, or the one that its
 * idempotency key led to (`earlier`). `stream` is the channel of the command.
 */
export function namesOther(effects: Effect[], stream: Stream, earlier: () => AppMessage | null): boolean {
  const reply = effects.find((effect) => effect.type === 'reply')
  // Most replies name none, or what they should: to see that costs little, and it is seen of each.
  if (reply === undefined || !reply.body.includes('"offset"')) return false
  const own = effects.flatMap((effect) => (effect.type === 'publish' ? [effect.message] : []))
  if (own.length === 1 && namesPlainly(reply.body, own[0]!.offset, stream.epoch)) return false
  const { offset, epoch } = namedIn(reply.body)
  if (offset === undefined) return false
  if (epoch !== undefined && epoch !== stream.epoch) return true
  if (own.length > 0) return !own.some((message) => message.offset === offset)
  const message = earlier()
  return message !== null && message.offset !== offset
}

/** True when a body says this offset and this epoch, and no other: then it need not be parsed. */
function namesPlainly(body: string, offset: number, epoch: string): boolean {
  const at = body.indexOf('"offset"')
  const named = `"offset":${offset}`
  const after = body[at + named.length]
  const isOnly = body.startsWith(named, at) && (after === '}' || after === ',') && body.indexOf('"offset"', at + 1) < 0
  return isOnly && body.includes(`"epoch":"${epoch}"`) && body.indexOf('"epoch"') === body.lastIndexOf('"epoch"')
}

/** `offset` and `epoch` of the body itself; what is deeper in it is none of our business. */
function namedIn(body: string): Named {
  const value = parsed(body)
  const { offset, epoch } = (value ?? {}) as Record<string, unknown>
  return {
    offset: typeof offset === 'number' ? offset : undefined,
    epoch: typeof epoch === 'string' ? epoch : undefined,
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
