import pino from 'pino'
import type { Logger } from 'pino'
import pretty from 'pino-pretty'

/** Who writes, what, and for whom. */
export interface LoggerOptions {
  /** The process, for example `worker`. */
  name: string
  /** `silent`, `error`, `warn`, `info` or `debug`. */
  level: string
  /** One readable line per event in place of JSON. */
  pretty: boolean
}

const secrets = ['token', 'secret', 'authorization', 'password', 'hmac_secret_key']

/** A logger that writes to standard error, at once, so that a process that ends has said all it had to say. */
export function createLogger({ name, level, pretty: readable }: LoggerOptions): Logger {
  const stream = readable
    ? pretty({
        sync: true,
        destination: 2,
        colorize: process.stderr.isTTY && !process.env['NO_COLOR'],
        translateTime: 'SYS:HH:MM:ss.l',
        ignore: 'hostname',
        singleLine: true,
      })
    : pino.destination({ fd: 2, sync: true })
  const paths = [...secrets, ...secrets.map((secret) => `*.${secret}`), 'req.headers.authorization']
  return pino({ name, level, redact: { paths, censor: '***' } }, stream)
}
