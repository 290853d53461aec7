import { exitCodes } from './exit-codes.ts'

/**
 * The lifeline: a process that was started with an IPC channel ends when the channel does, which the kernel closes even
 * for a parent that was killed. Does not keep the process alive.
 */
export function followParent(): void {
  if (!process.send) return
  // The parent may have died before we came to listen.
  if (!process.connected) process.exit(exitCodes.failure)
  process.once('disconnect', () => process.exit(exitCodes.failure))
  process.channel?.unref()
}
