import type { Static } from 'typebox'
import { faultStages } from '../../protocol/records/fault.ts'
import { Type } from '../../schema/type.ts'
import { duration, integer, number, stringMatch } from './schema.ts'

const percentage = Type.Object(
  { value: number([0, 100], 'From 0 to 100.', 0) },
  { description: 'Share of what the stage sees. Absent: none, as in Istio.', default: {} },
)

const delay = Type.Object(
  { percentage, fixedDelay: duration('How long.') },
  { description: 'What is struck waits before it goes on.' },
)

const abort = Type.Object(
  {
    percentage,
    code: Type.Optional(integer([100, 4_999], 'Error that the command gets; 111 without it.')),
    wsCloseCode: Type.Optional(integer([3_000, 4_999], 'Code that the connection is closed with.')),
  },
  { description: 'What is struck fails.' },
)

/** What goes wrong, where, and for how long: the members that a route and a fault of its own share. */
export const faultMembers = {
  delay: Type.Optional(delay),
  abort: Type.Optional(abort),
  kill: Type.Optional(Type.Object({ percentage }, { description: 'The process ends as SIGKILL ends it.' })),
  stage: Type.Enum([...faultStages], { description: 'Where it strikes.' }),
  seed: Type.Optional(
    integer([0, 2 ** 32 - 1], 'The same seed strikes the same frames, records and requests. Absent: 0.'),
  ),
  expiresAfter: Type.Optional(
    duration('Time from when it is set after which it ends. Must be set outside `holdfast dev`.'),
  ),
}

/** A fault that is set by itself. */
export const faultRule = Type.Object({
  ...faultMembers,
  match: Type.Optional(
    Type.Object(
      {
        namespace: Type.Optional(stringMatch('Namespace of the channel, empty for none.')),
        group: Type.Optional(stringMatch('Slot group of the channel.')),
        version: Type.Optional(stringMatch('Version of the worker.')),
        user: Type.Optional(stringMatch('Who sent the command, or gets the message.')),
      },
      { description: 'What it is limited to: all that is given must match.' },
    ),
  ),
})

/** The members of a fault, as they are written. */
export type FaultRule = Static<typeof faultRule>
