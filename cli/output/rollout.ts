import { styleText } from 'node:util'
import type { RolloutView } from '../../controller/rollouts/view.ts'
import { table } from './table.ts'

const colors = { Healthy: 'green', Progressing: 'cyan', Paused: 'yellow', Degraded: 'red' } as const
const barWidth = 20

/** A rollout for a person: phase, weights, steps and analyses. */
export function drawRollout(view: RolloutView): string {
  const { name, phase, reason, message, stable, canary, weights, slots, workers } = view
  const rows = [...new Set([stable, canary, ...Object.keys(slots.byVersion)])].map((version) => ({
    version,
    role: version === stable ? 'stable' : version === canary ? 'canary' : 'other',
    wanted: percent(weights.desired[version] ?? 0),
    actual: percent(weights.actual[version] ?? 0),
    ' ': bar(weights.actual[version] ?? 0),
    slots: slots.byVersion[version] ?? 0,
    workers: workers[version] ?? 0,
  }))
  const head = `${styleText('bold', name)}  ${styleText(colors[phase], phase)}  ${reason}  revision ${view.revision}`
  const parts = [`${head}\n${message}\n`, table(rows), steps(view), analyses(view)]
  return parts.filter((part) => part !== '').join('\n')
}

/** What puts a drawing in the place of the one before it on a terminal; that one is empty at first. */
export function drawnOver(before: string, text: string): string {
  const height = before.split('\n').length - 1
  return `${height === 0 ? '' : `\x1b[${height}A`}\x1b[J${text}`
}

/** The same in one line, for logs. */
export function rolloutLine({ phase, reason, message, canary, weights }: RolloutView): string {
  const [wanted, actual] = [weights.desired[canary] ?? 0, weights.actual[canary] ?? 0]
  return `${phase} ${reason}: ${canary} has ${percent(actual)} of ${percent(wanted)}; ${message}`
}

function steps({ steps: all, step, phase }: RolloutView): string {
  if (all.length === 0) return ''
  const isOver = phase === 'Healthy'
  const lines = all.map((text, index) => `  ${isOver || index < step ? '✓' : index === step ? '▸' : ' '} ${text}\n`)
  return `${styleText('bold', 'steps')}\n${lines.join('')}`
}

function analyses({ analyses: all }: RolloutView): string {
  if (all.length === 0) return ''
  const lines = all.map(({ name, phase, message }) => `  ${name}  ${phase}${message === '' ? '' : `  ${message}`}\n`)
  return `${styleText('bold', 'analyses')}\n${lines.join('')}`
}

function bar(value: number): string {
  const full = Math.round((value / 100) * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}

function percent(value: number): string {
  return `${value} %`
}
