import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** The folder with everything that compose.yaml names. */
export const composeDirectory = fileURLToPath(new URL('../../compose/', import.meta.url))

export interface HealthCheck {
  test?: string[]
  disable?: boolean
}

/** What the tests read of a service. */
export interface Service {
  image: string
  build?: { context: string }
  entrypoint?: string[]
  command?: string[]
  user?: string
  environment?: Record<string, string | number>
  volumes?: string[]
  networks?: string[] | Record<string, { ipv4_address: string }>
  depends_on?: Record<string, { condition: string }>
  healthcheck?: HealthCheck
  ports?: string[]
  read_only?: boolean
  init?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  privileged?: boolean
  security_opt?: string[]
  pids_limit?: number
  restart?: string
  stop_grace_period?: string
  deploy?: { replicas?: number; resources?: { limits?: { cpus?: string; memory?: string } } }
}

export interface ComposeFile {
  name: string
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean; ipam?: { config: { subnet: string }[] } } | null>
  volumes: Record<string, null>
}

/** compose.yaml with its anchors and merges resolved, as Docker compose sees it. */
export function readComposeFile(): ComposeFile {
  return parse(readFileSync(`${composeDirectory}compose.yaml`, 'utf8'), { merge: true }) as ComposeFile
}
