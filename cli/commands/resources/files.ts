import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Finding } from '../../../controller/resources/finding.ts'
import { findingText } from '../../../controller/resources/finding.ts'
import { parseMax, parseResources } from '../../../controller/resources/parse.ts'
import type { ParsedResource } from '../../../controller/resources/parse.ts'
import { ControllerError } from '../../client/errors.ts'

/** Names of files that a folder is looked through for. */
const extensions: readonly string[] = ['.yaml', '.yml', '.json']

/** Of which file, or of standard input, something is wrong. */
export interface SourcedFinding extends Finding {
  source: string
}

/** What files say. */
export interface FromFiles {
  resources: ParsedResource[]
  findings: SourcedFinding[]
}

/** Resources of files, of all files in folders, and of standard input (`-`). Throws ControllerError for a file that is none. */
export async function resourcesOf(paths: readonly string[]): Promise<FromFiles> {
  const read: FromFiles = { resources: [], findings: [] }
  for (const { source, content } of (await Promise.all(paths.map(sourcesOf))).flat()) {
    const { resources, findings } = parseResources(content)
    read.resources.push(...resources)
    read.findings.push(...findings.map((each) => ({ ...each, source })))
  }
  return read
}

/** As a line for a person. */
export function sourcedText(finding: SourcedFinding): string {
  return `${finding.source}: ${findingText(finding)}`
}

async function sourcesOf(path: string): Promise<{ source: string; content: string }[]> {
  if (path === '-') return [{ source: 'standard input', content: await text(process.stdin) }]
  try {
    if (!statSync(path).isDirectory()) return [fileAt(path)]
    const names = readdirSync(path).filter((name) => extensions.includes(extname(name)))
    if (names.length === 0) throw new Error(`no file with ${extensions.join(', ')} is in it`)
    return names.toSorted().map((name) => fileAt(join(path, name)))
  } catch (error) {
    throw new ControllerError('unreadable', `${path}: ${(error as Error).message}`, { cause: error })
  }
}

function fileAt(path: string): { source: string; content: string } {
  // What is too large is said as one of the findings.
  if (statSync(path).size > 4 * parseMax.bytes) throw new Error(`larger than ${parseMax.bytes} bytes`)
  return { source: path, content: readFileSync(path, 'utf8') }
}
