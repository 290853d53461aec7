import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { ConfigError } from './error.ts'

/**
 * Secrets that nobody set are made and kept in the data directory, one file each, readable by its owner alone, so that
 * the command line and a later start find them.
 */

const secretFiles = {
  controllerToken: 'controller.token',
  clientSecret: 'client.secret',
} as const

type SecretName = keyof typeof secretFiles

/** Where a secret is kept. */
export function secretPath(config: Config, name: SecretName): string {
  return join(config.data_dir, secretFiles[name])
}

/** The secret that the configuration sets, or the kept one; empty when there is neither. Throws ConfigError. */
export function findSecret(config: Config, name: SecretName): string {
  const set = name === 'controllerToken' ? config.controller.token : config.client.token.hmac_secret_key
  return set || (readIfThere(secretPath(config, name)) ?? '')
}

/** The configuration with a secret, found or made. Throws ConfigError when it cannot be kept. */
export function withSecret(config: Config, name: SecretName): Config {
  return setSecret(config, name, findSecret(config, name) || makeSecret(config, name))
}

/** The configuration with a secret where there is one. */
export function withFoundSecret(config: Config, name: SecretName): Config {
  return setSecret(config, name, findSecret(config, name))
}

function setSecret(config: Config, name: SecretName, value: string): Config {
  return name === 'controllerToken'
    ? { ...config, controller: { ...config.controller, token: value } }
    : { ...config, client: { ...config.client, token: { ...config.client.token, hmac_secret_key: value } } }
}

function makeSecret(config: Config, name: SecretName): string {
  const path = secretPath(config, name)
  const draft = `${path}.${process.pid}`
  try {
    mkdirSync(config.data_dir, { recursive: true, mode: 0o700 })
    writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
    keepFirst(draft, path)
  } catch (error) {
    throw new ConfigError(`data_dir: cannot keep a secret in ${path}: ${(error as Error).message}`, { cause: error })
  }
  return readIfThere(path) ?? ''
}

/** Links the draft to its place unless another process was faster; a reader never sees half a file. */
function keepFirst(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new ConfigError(`data_dir: cannot read ${path}: ${message}`, { cause: error })
  }
}
