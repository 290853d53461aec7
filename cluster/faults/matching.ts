import { splitChannel } from '../../config/channel-name.ts'
import type { ChannelNames } from '../../config/channel-name.ts'
import { compilePattern } from '../../config/pattern.ts'
import { faultSubjects } from '../../protocol/records/fault.ts'
import type { FaultMatch, StringMatch } from '../../protocol/records/fault.ts'

/** What a fault may strike, as its stage knows it; what it does not know matches no limit. */
export interface Struck {
  channel?: string
  /** Of the slot. */
  group?: string
  /** Of the worker. */
  version?: string
  user?: string
}

/** Whether something is within what a fault is limited to. */
export type Matcher = (struck: Struck) => boolean

/** Made once for each fault. Throws an Error of one line when an expression is none. */
export function compileMatch(match: FaultMatch, names: ChannelNames): Matcher {
  const tests = faultSubjects.flatMap((subject) => {
    const wanted = match[subject]
    return wanted ? [{ subject, test: compileText(wanted) }] : []
  })
  return (struck) =>
    tests.every(({ subject, test }) => {
      const value = subject === 'namespace' ? namespaceOf(struck, names) : struck[subject]
      return value !== undefined && test(value)
    })
}

function compileText(match: StringMatch): (text: string) => boolean {
  if ('exact' in match) return (text) => text === match.exact
  if ('prefix' in match) return (text) => text.startsWith(match.prefix)
  const pattern = compilePattern(`^(?:${match.regex})$`)
  return (text) => pattern.test(text)
}

function namespaceOf({ channel }: Struck, names: ChannelNames): string | undefined {
  return channel === undefined ? undefined : splitChannel(names, channel).namespace
}
