/** Time within which the same signal counts once: npm passes on to its child what a terminal's Ctrl-C sends to both. */
export const sameSignalMs = 500

/**
 * Tells the first signal to stop from the second. `first` orders the stop, `second` ends the process at once and gets
 * what came. Returns a function that stops listening.
 */
export function onStopSignals(
  signals: readonly NodeJS.Signals[],
  first: (signal: NodeJS.Signals) => void,
  second: (signal: NodeJS.Signals) => void,
): () => void {
  const lastAt = new Map<NodeJS.Signals, number>()
  let stopping = false
  const listener = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    const before = lastAt.get(signal)
    if (before !== undefined && now - before < sameSignalMs) return
    lastAt.set(signal, now)
    if (stopping) return second(signal)
    stopping = true
    first(signal)
  }
  for (const signal of signals) process.on(signal, listener)
  return () => {
    for (const signal of signals) process.off(signal, listener)
  }
}
