/** A Prometheus that a test has for itself. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDaemon } from '../../compose/services/daemon.ts'
import { freePort } from '../../compose/services/free-port.ts'
import { bringPrograms } from '../../compose/services/programs.ts'
import { OwnServer } from './own-server.ts'
import { until } from './until.ts'

/** Reads `target` (host and port) every 100 ms; not started yet. */
export async function ownPrometheus(target: string, say: (line: string) => void): Promise<OwnServer> {
  const [program = ''] = await bringPrograms(['prometheus'], ['prometheus'], say)
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-prometheus-'))
  const configuration = join(directory, 'prometheus.yml')
  const url = `http://127.0.0.1:${await freePort()}`
  await writeFile(
    configuration,
    `global: { scrape_interval: 100ms, scrape_timeout: 100ms }
scrape_configs:
  - job_name: holdfast
    static_configs: [{ targets: ['${target}'] }]
`,
  )
  return new OwnServer({
    url,
    run: () =>
      startDaemon({
        command: program,
        args: [
          `--config.file=${configuration}`,
          `--storage.tsdb.path=${join(directory, 'data')}`,
          `--web.listen-address=${url.slice('http://'.length)}`,
          '--log.level=error',
        ],
        marker: configuration,
        outputPath: join(directory, 'output.txt'),
        detached: false,
      }),
    answers: () =>
      until(
        'Prometheus is ready',
        () =>
          fetch(`${url}/-/ready`).then(
            ({ ok }) => ok,
            () => false,
          ),
        30_000,
      ).then(() => {}),
    remove: () => rm(directory, { recursive: true, force: true }),
  })
}
