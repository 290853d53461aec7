import { Crowd } from './crowd.ts'
import type { Order } from './generator.ts'
import { fire } from './volley.ts'

/** The load generator: one crowd of clients, and what the bench orders it to do. */
let crowd: Crowd | null = null

async function obey(order: Order): Promise<unknown> {
  if (order.kind === 'join') {
    crowd = new Crowd(order.target)
    return crowd.join(order.tokens, order.rooms)
  }
  switch (order.kind) {
    case 'fire':
      return fire(crowd!, order.volley)
    case 'drop':
      return crowd!.drop()
    case 'publish':
      return crowd!.publish(order.token, order.perRoom)
    case 'comeBack':
      return crowd!.comeBack(order.missed)
    case 'gone':
      return crowd!.gone
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => process.send!({ result }),
    (error: unknown) => process.send!({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
