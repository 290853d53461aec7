/** What is left of a time for a person, to the second, which begins whole: `1h`, `9m58s`. */
export function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : `${count}${unit}`)).join('') || '0s'
}
