import type { FaultMatch, FaultStage } from '../../protocol/records/fault.ts'
import type { FaultRule } from './fault.ts'

/** What a stage knows of what it sees, and how something fails there. */
interface StageRules {
  match: readonly (keyof FaultMatch)[]
  abort: readonly ('code' | 'wsCloseCode')[]
}

const ofClient = ['namespace', 'group', 'user'] as const
const ofWorker = ['namespace', 'group', 'version', 'user'] as const

/** Where an abort has neither code, the request fails and is made again. */
const stageRules: Record<FaultStage, StageRules> = {
  'proxy.onFrame': { match: ofClient, abort: ['code', 'wsCloseCode'] },
  'proxy.onSend': { match: ofClient, abort: ['wsCloseCode'] },
  produce: { match: ofClient, abort: [] },
  'worker.afterPoll': { match: ofWorker, abort: ['code'] },
  'worker.beforeCommit': { match: ofWorker, abort: [] },
  'worker.afterCommit': { match: ofWorker, abort: [] },
  db: { match: ['group', 'version'], abort: [] },
}

/** What keeps a fault that conforms from doing anything at its stage, in words; null for nothing. */
export function faultProblem({
  stage,
  match = {},
  delay,
  abort,
  kill,
}: Omit<FaultRule, 'expiresAfter'>): string | null {
  const rules = stageRules[stage]
  if (!delay && !abort && !kill) return 'it has neither delay nor abort nor kill'
  const subject = (Object.keys(match) as (keyof FaultMatch)[]).find((each) => !rules.match.includes(each))
  if (subject) return `${stage} does not know the ${subject}: it knows ${rules.match.join(', ')}`
  const code = (['code', 'wsCloseCode'] as const).find(
    (each) => abort?.[each] !== undefined && !rules.abort.includes(each),
  )
  if (code) return `an abort at ${stage} has no ${code}`
  if (abort?.code !== undefined && abort.wsCloseCode !== undefined) return 'an abort has code or wsCloseCode, not both'
  return null
}
