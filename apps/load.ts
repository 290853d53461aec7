import { pathToFileURL } from 'node:url'
import type { App } from '../protocol/app/contract.ts'
import { chat } from './chat/chat.ts'

/** The app that the configuration names: `chat`, or the path of a module that exports one as `app`. */
export async function loadApp(name: string): Promise<App> {
  if (name === 'chat') return chat
  const module = (await import(pathToFileURL(name).href)) as { app?: App }
  if (!module.app) throw new Error(`worker.app: ${name} exports no "app"`)
  return module.app
}
