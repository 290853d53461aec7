import Connection from 'kafkajs/src/network/connection.js'

let isTame = false

/**
 * Two faults of kafkajs's connections (src/network/connection.js), which it uses again after they were lost. What had
 * arrived of an answer stays in front of what arrives later, and no answer is ever found again. And two requests that
 * find it closed open two sockets, of which the first is forgotten and, when the broker ends it, takes the second along.
 */
export function tameConnections(): void {
  if (isTame) return
  isTame = true
  const { prototype } = Connection
  const { connect } = prototype
  if (typeof connect !== 'function') throw new Error('kafkajs is not the version that is known')
  const connecting = new WeakMap<Connection, Promise<boolean>>()
  prototype.connect = function (this: Connection) {
    if (this.isConnected()) return Promise.resolve(true)
    return connecting.getOrInsertComputed(this, () => {
      this.chunks = []
      this.bytesBuffered = 0
      this.bytesNeeded = lengthBytes
      return connect.call(this).finally(() => connecting.delete(this))
    })
  }
}

/** Every answer begins with its length. */
const lengthBytes = 4
