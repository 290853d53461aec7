import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stopDaemon } from './daemon.ts'
import { ServiceError } from './errors.ts'
import { freePort } from './free-port.ts'
import { archivePath, startKafka, untilKafkaAnswers, type KafkaProgram } from './kafka.ts'
import type { Say } from './programs.ts'

/**
 * Keeps the classes of a broker as Java wants them in memory, beside its jars: a start then takes half the time. Java
 * writes them when a broker ends, so one is run for it. An archive that does not fit Java any more is passed over.
 */
export async function archiveClasses(program: KafkaProgram, say: Say): Promise<void> {
  const archive = archivePath(program.libraries)
  if (existsSync(archive)) return
  say('running Kafka once, so that it starts faster from now on')
  const directory = await mkdtemp(join(program.libraries, '..', 'draft-'))
  try {
    const draft = join(directory, 'classes')
    const javaOptions = [`-XX:ArchiveClassesAtExit=${draft}`]
    const ports = { port: await freePort(), controllerPort: await freePort() }
    const options = { ...program, ...ports, directory, javaOptions }
    const broker = await startKafka(options)
    await untilKafkaAnswers(broker, options)
    await stopDaemon(broker)
    // A broker that had to be killed may have written half of it.
    const end = await broker.ended
    if (end !== 'with 143') throw new ServiceError(`Kafka did not stop in order: it ended ${end}`)
    await rename(draft, archive)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
