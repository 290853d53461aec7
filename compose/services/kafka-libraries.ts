import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { archiveClasses } from './kafka-archive.ts'
import type { KafkaProgram } from './kafka.ts'
import { bringPrograms, installDeadlineMs, run, type Say } from './programs.ts'

const pom = fileURLToPath(new URL('kafka/pom.xml', import.meta.url))

/**
 * Java and Kafka's jars. The jars come once through Maven into the user's cache directory, under the hash of what
 * names them, and every data directory shares them.
 */
export async function bringKafka(say: Say): Promise<KafkaProgram> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast')
  const hash = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
  const libraries = join(cache, `kafka-${hash.slice(0, 12)}`)
  if (!existsSync(libraries)) await download(cache, libraries, say)
  const [java] = await bringPrograms(['java'], ['default-jre-headless'], say)
  const program = { java: java!, libraries }
  await archiveClasses(program, say)
  return program
}

async function download(cache: string, libraries: string, say: Say): Promise<void> {
  const [, maven] = await bringPrograms(['java', 'mvn'], ['default-jre-headless', 'maven'], say)
  say(`downloading Kafka's jars (54 MB) through Maven to ${libraries}`)
  await mkdir(cache, { recursive: true })
  // Whole or not at all: another process may look for them, or do the same.
  const draft = await mkdtemp(join(cache, 'draft-'))
  try {
    const args = [
      '-q',
      '-B',
      '-f',
      pom,
      'dependency:copy-dependencies',
      `-DoutputDirectory=${join(draft, 'libraries')}`,
    ]
    await run(maven!, args, installDeadlineMs)
    if (!existsSync(libraries)) await rename(join(draft, 'libraries'), libraries)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}
