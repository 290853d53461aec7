/** Looks after the deadline: a process that could not run until then has not seen what arrived meanwhile. */
const lateLooks = 50

/** Waits for a condition; fails with its name after the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs
  let late = 0
  while (!(await condition())) {
    if (performance.now() > end) late += 1
    if (late > lateLooks) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
