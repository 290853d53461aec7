import { parentPort, workerData } from 'node:worker_threads'
import { sqliteCode } from '../sql.ts'
import { openDatabase, type Sync } from './database.ts'

/** What the thread is started with. */
export interface CheckpointThreadData {
  path: string
  sync: Sync
}

/** What it is told: work in what is there, or end. */
export type CheckpointOrder = 'pass' | 'end'

/** What it answers each `pass` with: null, or why nothing more was worked in; `errcode` is SQLite's. */
export type CheckpointAnswer = { message: string; errcode: number | undefined } | null

/** Works the write-ahead log into the file on a connection and a thread of its own, as far as it can without waiting. */
const { path, sync } = workerData as CheckpointThreadData
const database = openDatabase(path, sync)
const checkpoint = database.prepare('PRAGMA wal_checkpoint(PASSIVE)')

parentPort!.on('message', (order: CheckpointOrder) => {
  if (order === 'end') {
    database.close()
    parentPort!.close()
  } else parentPort!.postMessage(pass())
})

function pass(): CheckpointAnswer {
  try {
    checkpoint.get()
    return null
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error), errcode: sqliteCode(error) }
  }
}
