import { factsOf } from './facts.ts'
import type { Finding } from './finding.ts'
import type { Operation } from './history.ts'
import { channelOrder } from './rules/channel-order.ts'
import { continuity } from './rules/continuity.ts'
import { duplicates } from './rules/duplicates.ts'
import { durability } from './rules/durability.ts'
import { liveness, type AnswerBound } from './rules/liveness.ts'
import { loss } from './rules/loss.ts'
import { phantom } from './rules/phantom.ts'
import { recovery, type HistoryBounds } from './rules/recovery.ts'
import { refusals } from './rules/refusals.ts'
import { senderOrder } from './rules/sender-order.ts'

/** What the checked cluster promises in figures. */
export type Promises = AnswerBound & HistoryBounds

/** The defaults of `holdfast dev`: its reply deadline, and what its channels keep. */
export const devPromises: Promises = { answerMs: 4_500, historySize: 100, historyTtlMs: 300_000 }

/** Findings that a report shows in full; the others are counted. */
export const reportedMax = 10

/** Operations that a report shows for one finding. */
export const reportedOperationsMax = 6

/** Checks a history against every rule; an empty list means that all of them hold. */
export function check(operations: Operation[], promises: Promises = devPromises): Finding[] {
  const facts = factsOf(operations)
  return [
    ...loss(facts),
    ...duplicates(facts),
    ...phantom(facts),
    ...channelOrder(facts),
    ...senderOrder(facts),
    ...durability(facts),
    ...recovery(facts, promises),
    ...continuity(facts),
    ...liveness(facts, promises),
    ...refusals(facts),
  ]
}

/** Findings for a person to read: how many of each rule, then the first ones with their operations. */
export function report(findings: Finding[]): string {
  const byRule = Map.groupBy(findings, (finding) => finding.rule)
  const lines = [...byRule].map(([rule, found]) => `${found.length} × ${rule}`)
  for (const finding of firstOfEach([...byRule.values()])) {
    lines.push('', `${finding.rule}: ${finding.what}`)
    const shown = finding.operations.slice(0, reportedOperationsMax)
    lines.push(...shown.map((operation) => `  ${JSON.stringify(operation)}`))
    if (finding.operations.length > shown.length) lines.push(`  … ${finding.operations.length - shown.length} more`)
  }
  return lines.join('\n')
}

/** Takes turns between the rules, so that a noisy one does not hide the others. */
function firstOfEach(lists: Finding[][]): Finding[] {
  const shown: Finding[] = []
  for (let turn = 0; shown.length < reportedMax && lists.some((list) => turn < list.length); turn++) {
    for (const list of lists) {
      const finding = list[turn]
      if (finding !== undefined && shown.length < reportedMax) shown.push(finding)
    }
  }
  return shown
}
