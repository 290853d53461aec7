import { pathToFileURL } from 'node:url'
import { chat } from '../../apps/chat/chat.ts'
import type { App } from './app.ts'

/** The app named in the configuration: `chat`, or the path of a module that exports one as `app`. */
export async function loadApp(name: string): Promise<App> {
  if (name === 'chat') return chat
  const module = (await import(pathToFileURL(name).href)) as { app?: App }
  if (!module.app) throw new Error(`worker.app: ${name} exports no "app"`)
  return module.app
}
