import type { Config } from '../../../config/config.ts'
import { findingText, isAllowed } from '../../../controller/resources/finding.ts'
import type { Finding } from '../../../controller/resources/finding.ts'
import { exitCodes } from '../../../platform/exit-codes.ts'
import { ControllerClient } from '../../client/client.ts'
import { printJson } from '../../output/output.ts'
import { resourcesOf, sourcedText } from './files.ts'

/** Applies all resources of files, or none when one of them has an error. */
export async function apply(config: Config, paths: readonly string[], json: boolean): Promise<void> {
  const { resources, findings } = await resourcesOf(paths)
  if (!isAllowed(findings)) {
    process.exitCode = exitCodes.failure
    if (json) return printJson({ outcomes: [], findings })
    return say(findings.map(sourcedText))
  }
  const client = new ControllerClient(config)
  try {
    const values = resources.map(({ written }) => written)
    const checked = await client.validate(values)
    const isGood = isAllowed(checked.findings)
    const applied = isGood ? await client.apply(values) : { ...checked, outcomes: [] }
    if (!isGood) process.exitCode = exitCodes.failure
    if (json) return printJson(applied)
    tell(applied.findings)
    for (const { kind, name, outcome } of applied.outcomes) process.stdout.write(`${kind}/${name} ${outcome}\n`)
    if (isGood && applied.outcomes.length === 0) process.stdout.write('there is no resource in it\n')
  } finally {
    await client.close()
  }
}

function tell(findings: readonly Finding[]): void {
  say(findings.map(findingText))
}

function say(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`)
}
