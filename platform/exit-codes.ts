/** How our processes end, after sysexits.h where it has a word for it. */
export const exitCodes = {
  /** Done, or stopped in order. */
  ok: 0,
  /** Crashed, or a command failed: trying again may help. */
  failure: 1,
  /** A comparison that could not be made: its 1 says that something differs. */
  trouble: 2,
  /** The file of the embedded log and store cannot be read as what it should be. */
  damagedData: 65,
  /** Cannot work here, for a reason that has no code of its own. */
  unusable: 70,
  /** A port, or the data directory, belongs to another process. */
  portInUse: 71,
  /** The configuration, or what only a person can mend where it leads: rights, tables, topics. */
  badConfig: 78,
} as const

/** One of them; signalExitCode has those of processes that a signal ended. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Ends that starting again does not mend: a supervisor gives up on a process that ends so before it was ever ready. */
export const fatalStartCodes: readonly number[] = [
  exitCodes.damagedData,
  exitCodes.unusable,
  exitCodes.portInUse,
  exitCodes.badConfig,
]

/** What a shell reports for a process that a signal ended. */
export const signalExitCode = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Ends the process with one clear line. `who` is the process or command, for example `worker`. */
export function fatal(who: string, code: ExitCode, message: string): never {
  process.stderr.write(`${who}: ${message.replaceAll('\n', ' ')}\n`)
  process.exit(code)
}
