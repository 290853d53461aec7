const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const
type Unit = keyof typeof unitMs

const part = /(\d+(?:\.\d+)?)(ms|s|m|h)/g
const whole = /^(\d+(\.\d+)?(ms|s|m|h))+$/

/** Milliseconds of a text such as `250ms`, `5s` or `1h30m`; undefined when it is none or no whole number of them. */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(part)) ms += Number(amount) * unitMs[unit as Unit]
  const rounded = Math.round(ms)
  return Math.abs(ms - rounded) < 1e-6 && Number.isSafeInteger(rounded) ? rounded : undefined
}

/** The shortest text with one unit that parseDuration reads back as `ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  const unit = (['h', 'm', 's'] as const).find((unit) => ms % unitMs[unit] === 0) ?? 'ms'
  return `${ms / unitMs[unit]}${unit}`
}
