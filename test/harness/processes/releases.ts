/** App modules for tests to deploy: each lies in a directory of its own, as an operator has one. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** As the API has it. */
export interface RolloutState {
  phase: string
  reason: string
  message: string
  stable: string
  weights: { desired: Record<string, number>; actual: Record<string, number> }
  slots: { total: number }
}

const repository = new URL('../../../', import.meta.url)
const canaries = new URL('../fixtures/canaries/', import.meta.url)

interface QuickRolloutOptions {
  progressSeconds: number
  /** How long workers of what served before are kept. */
  keptSeconds?: number
  /** Compares the versions, which takes some seconds. */
  isAnalysed?: boolean
}

/** A Rollout for tests: it asks for what serves already, and keeps workers for a short time. */
export function quickRollout({ progressSeconds, keptSeconds = 2, isAnalysed = false }: QuickRolloutOptions) {
  const progressDeadlineSeconds = progressSeconds
  const canary = {
    canaryService: 'v1',
    scaleDownDelaySeconds: keptSeconds,
    abortScaleDownDelaySeconds: 1,
    ...(!isAnalysed && { analysis: { templates: [] } }),
  }
  return {
    apiVersion: 'holdfast.dev/v1',
    kind: 'Rollout',
    metadata: { name: 'chat' },
    spec: { progressDeadlineSeconds, rollbackWindow: { revisions: 5 }, strategy: { canary } },
  }
}

/** The chat as it is. */
export function goodApp(directory: string, version: string): string {
  return moduleIn(directory, version, new URL('apps/chat/chat.ts', repository).href, 'chat as app')
}

/** One of the bad canaries in the harness's fixtures. */
export function badApp(directory: string, version: string, name: string): string {
  return moduleIn(directory, version, new URL(`${name}.ts`, canaries).href, name === 'crash-loop' ? null : 'app')
}

function moduleIn(directory: string, version: string, from: string, exported: string | null): string {
  const path = join(directory, version)
  mkdirSync(path, { recursive: true })
  const text = exported === null ? `import '${from}'\n` : `export { ${exported} } from '${from}'\n`
  writeFileSync(join(path, 'index.ts'), text)
  return path
}
