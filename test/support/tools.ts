/** Programs that tests need and the machine may lack. */
import { bringPrograms, findProgram, type Say } from '../../compose/services/programs.ts'

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome']
const chromiumPackages = ['chromium', 'chromium-sandbox', 'fonts-liberation']

/**
 * Makes sure that there is a Chromium for the browser tests, the HAProxy that stands in front of proxies, and a Prometheus
 * that analyses ask. Resolves with what cannot be had.
 */
export async function bringTools(say: Say): Promise<string[]> {
  const hasChromium = findProgram(...chromiumNames) !== undefined
  return [
    ...(hasChromium ? [] : await failure(() => bringPrograms(['chromium'], chromiumPackages, say))),
    ...(await failure(() => bringPrograms(['haproxy'], ['haproxy'], say))),
    ...(await failure(() => bringPrograms(['prometheus'], ['prometheus'], say))),
  ]
}

/** What the failure of `work` says, empty when it succeeds. */
async function failure(work: () => Promise<unknown>): Promise<string[]> {
  try {
    await work()
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
