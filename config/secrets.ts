import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanText, hasControls, readTextFile } from './clean-text.ts'
import type { Config } from './config.ts'
import { ConfigError } from './errors.ts'

/**
 * Secrets that nobody set are made and kept in the data directory, one file each, readable by its owner alone, so that
 * the command line and a later start find them.
 */

const secretFiles = {
  controllerToken: 'controller.token',
  controllerReadToken: 'controller.read_token',
  clientSecret: 'client.secret',
} as const

type SecretName = keyof typeof secretFiles

/** What the configuration sets; empty where it does not. */
const setSecrets: Record<SecretName, (config: Config) => string> = {
  controllerToken: ({ controller }) => controller.token,
  controllerReadToken: ({ controller }) => controller.read_token,
  clientSecret: ({ client }) => client.token.hmac_secret_key,
}

/** Where a secret is kept. */
export function secretPath(config: Config, name: SecretName): string {
  return join(config.data_dir, secretFiles[name])
}

/** The secret that the configuration sets, or the kept one; empty when there is neither. Throws ConfigError. */
export function findSecret(config: Config, name: SecretName): string {
  return setSecrets[name](config) || (readIfThere(secretPath(config, name)) ?? '')
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
  if (name === 'controllerToken') return { ...config, controller: { ...config.controller, token: value } }
  if (name === 'controllerReadToken') return { ...config, controller: { ...config.controller, read_token: value } }
  return { ...config, client: { ...config.client, token: { ...config.client.token, hmac_secret_key: value } } }
}

function makeSecret(config: Config, name: SecretName): string {
  const path = secretPath(config, name)
  const draft = `${path}.${process.pid}`
  try {
    mkdirSync(config.data_dir, { recursive: true, mode: 0o700 })
    writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true })
    keepFirst(draft, path)
    syncDirectory(config.data_dir)
  } catch (error) {
    throw new ConfigError(`data_dir: cannot keep a secret in ${path}: ${(error as Error).message}`, { cause: error })
  }
  return readIfThere(path) ?? ''
}

/** Links the draft to its place unless another process was faster; a reader never sees half a file. */
function keepFirst(draft: string, path: string): void {
  try {
    while (!linked(draft, path) && readIfThere(path) === undefined) setAside(path)
  } finally {
    unlinkSync(draft)
  }
}

/** False when there is a file of that name. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Removes a file that a crash left empty; one that another process made in its place meanwhile is put back. */
function setAside(path: string): void {
  const aside = `${path}.${process.pid}.empty`
  renameSync(path, aside)
  if (readIfThere(aside) !== undefined) linked(aside, path)
  unlinkSync(aside)
}

/** The name of a file is kept by its directory. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** An empty file is none: the system may keep a file's name through a crash and lose what was in it. */
function readIfThere(path: string): string | undefined {
  try {
    const secret = cleanText(readTextFile(path))
    if (hasControls(secret)) throw new Error('it has more than one line')
    return secret || undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new ConfigError(`data_dir: cannot read ${path}: ${message}`, { cause: error })
  }
}
