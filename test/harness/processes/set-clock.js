// Loaded into the processes of a cluster before anything else (see clocks.ts): what they take for the time of day is ahead
// of the right one by as many milliseconds as a file says, for all of them or for a role. Time that only goes forward,
// and so every timer, is as it is: as on a machine whose clock somebody sets.
import { readFileSync } from 'node:fs'

const lookMs = 20
const { TEST_CLOCK_FILE: file } = process.env
const role = process.argv[2] ?? 'none'
const RightDate = Date
let ahead = 0
let lookAt = 0

function now() {
  if (performance.now() >= lookAt) {
    lookAt = performance.now() + lookMs
    const set = JSON.parse(readFileSync(file, 'utf8'))
    ahead = set[role] ?? set.all ?? 0
  }
  return RightDate.now() + ahead
}

globalThis.Date = class extends RightDate {
  constructor(...values) {
    super(...(values.length === 0 ? [now()] : values))
  }

  static now() {
    return now()
  }
}
