import { chat } from '../../apps/chat/chat.ts'
/** Apps that do not survive some messages. */
import type { App } from '../../protocol/app/contract.ts'

/** The chat, but for messages of which `isMarked` is true: with them `react` happens instead. */
export function chatBut(react: () => never | Promise<never>, isMarked: (payload: string) => boolean): App {
  return {
    ...chat,
    handle: (state, commands) =>
      commands.some(({ data }) => isMarked(data.toString())) ? react() : chat.handle(state, commands),
  }
}

export const isPoison = (payload: string) => payload.includes('poison')

/** What an app that hangs returns. */
export function never(): Promise<never> {
  return new Promise(() => {})
}
