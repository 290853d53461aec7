import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the Dockerfile copies from: the folder that it lies in. */
export const contextDirectory = fileURLToPath(new URL('../../', import.meta.url))

export interface Instruction {
  name: string
  /** All behind the name, on one line. */
  text: string
}

/** What is between two FROM. */
export interface Stage {
  /** The image it begins with. */
  from: string
  /** Empty for the last one. */
  name: string
  instructions: Instruction[]
}

/** The Dockerfile, stage by stage. */
export function readDockerfile(): Stage[] {
  const lines = readFileSync(`${contextDirectory}Dockerfile`, 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
  const stages: Stage[] = []
  for (const line of lines.filter((line) => line.trim() !== '')) {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (name === 'FROM') {
      const [from = '', , stage = ''] = text.split(' ')
      stages.push({ from, name: stage, instructions: [] })
    } else {
      const stage = stages.at(-1)
      if (name === '' || stage === undefined) throw new Error(`not an instruction: ${line}`)
      stage.instructions.push({ name, text })
    }
  }
  return stages
}

/** The texts of one kind of instruction. */
export function textsOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((instruction) => instruction.name === name).map(({ text }) => text)
}

/** Variables that a stage sets: `NAME=value NAME=value`. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = textsOf(stage, 'ENV').flatMap((text) => text.split(/\s+/))
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]))
}

/** The JSON list of an instruction in exec form; flags in front of it are left out. */
export function listOf(stage: Stage, name: string): string[] {
  const [text = ''] = textsOf(stage, name)
  return JSON.parse(text.slice(text.indexOf('['))) as string[]
}
