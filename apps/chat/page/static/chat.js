import { RoomList, addressOf } from './room-list.js'
// @ts-check
import { Room } from './room.js'
import { MessageView, avatar, element } from './view.js'

/** @typedef {import('centrifuge').Centrifuge} Client */
/** @typedef {import('./timeline.js').Message} Message */

const { Centrifuge } = /** @type {{Centrifuge: typeof import('centrifuge').Centrifuge}} */ (
  /** @type {unknown} */ (globalThis)
)

/** Rooms that stay open, so that going back to one is at once; below the server's channels a client. */
const roomsMax = 16
const defaultRoom = 'lobby'
/** Kept for the tab, so that two tabs can be two people. */
const nameKey = 'holdfast.name'

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {{new (): Kind, prototype: Kind}} kind
 */
function byId(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`)
  return found
}

const welcome = byId('welcome', HTMLElement)
const chat = byId('chat', HTMLElement)
const status = byId('status', HTMLElement)
const connectButton = byId('connect', HTMLButtonElement)
const roomList = new RoomList(byId('rooms', HTMLUListElement))
const roomInput = byId('room', HTMLInputElement)
const roomName = byId('room-name', HTMLElement)
const topText = byId('top-text', HTMLElement)
const reloadButton = byId('reload', HTMLButtonElement)
const latestButton = byId('latest', HTMLButtonElement)
const textArea = byId('text', HTMLTextAreaElement)
const handled = byId('handled', HTMLElement)

/**
 * @param {string} name
 * @returns {Promise<string>}
 */
async function fetchToken(name) {
  const response = await fetch('page/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.message)
  return answer.token
}

/** The room that the address names. */
function addressedRoom() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim() || defaultRoom
  } catch {
    // A hash that is no valid encoding names no room.
    return defaultRoom
  }
}

/** @param {Client} client */
function showConnection(client) {
  let connections = 0
  /** @param {string} state @param {string} words */
  const show = (state, words) => {
    status.dataset.state = state
    status.textContent = words
    connectButton.hidden = state !== 'offline'
  }
  client.on('connecting', () =>
    connections === 0 ? show('connecting', 'connecting') : show('reconnecting', 'reconnecting'),
  )
  client.on('connected', () => {
    connections += 1
    status.dataset.connections = String(connections)
    show('online', 'online')
  })
  client.on('disconnected', ({ code, reason }) => show('offline', `offline: ${reason} (${code})`))
  connectButton.addEventListener('click', () => client.connect())
}

/** What to say above the oldest message. @param {Room} room */
function topWords({ complete, drafts, loading, problem, timeline }) {
  if (problem !== null) return `This room cannot be read: ${problem}.`
  if (loading) return 'Loading…'
  if (!complete) return ''
  return timeline.messages.length + drafts.length === 0 ? 'No messages yet. Say hello.' : 'The beginning of the room'
}

/** Tells who handled the newest message. @param {Room['timeline']} timeline */
function showHandled({ lastHandled, messages }) {
  const { worker = '', version = '' } = lastHandled?.tags ?? {}
  if (handled.dataset.worker !== worker || handled.dataset.version !== version) {
    Object.assign(handled.dataset, { worker, version })
    // A new element runs its animation anew, which is how a change of worker catches the eye.
    const who = element('span', 'worker', `${worker} · ${version}`)
    handled.replaceChildren(...(worker === '' ? [] : ['Last message handled by ', who, element('span', 'count')]))
  }
  const count = messages.at(-1)?.offset ?? 0
  const counter = handled.querySelector('.count')
  if (counter !== null) counter.textContent = ` · ${count} ${count === 1 ? 'message' : 'messages'}`
}

/** The chat of somebody who is signed in. @param {string} user @param {string} token */
function start(user, token) {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  const url = new URL('connection/websocket', document.baseURI)
  url.protocol = scheme
  url.hash = ''
  const client = new Centrifuge(url.href, { token, getToken: () => fetchToken(user) })
  /** @type {Set<string>} */
  const sessions = new Set()
  client.on('connected', (context) => sessions.add(context.client))
  showConnection(client)

  /** Open rooms, the one looked at longest ago first. @type {Map<string, Room>} */
  const rooms = new Map()
  /** @type {Room} */
  let current
  const view = new MessageView(byId('scroller', HTMLElement), byId('messages', HTMLOListElement), () => {
    void current.loadOlder()
  })

  let drawing = false
  /** Draws once for all changes of one turn. */
  const draw = () => {
    if (drawing) return
    drawing = true
    queueMicrotask(() => {
      drawing = false
      view.draw(current)
      drawSurroundings()
    })
  }

  /** @param {Room} room @param {Message} [arrived] */
  const changed = (room, arrived) => {
    if (arrived !== undefined && (room !== current || document.hidden || !view.following)) room.unread += 1
    draw()
  }

  const openAddressed = () => {
    const name = addressedRoom()
    const room = rooms.get(name) ?? new Room(client, name, user, sessions, changed)
    rooms.delete(name)
    rooms.set(name, room)
    for (const [other, oldest] of rooms) {
      if (rooms.size <= roomsMax) break
      if (!oldest.idle || oldest === room) continue
      oldest.close()
      rooms.delete(other)
    }
    current = room
    current.unread = 0
    draw()
    textArea.focus()
  }

  const drawSurroundings = () => {
    const { name, problem, timeline, unread } = current
    roomName.textContent = name
    textArea.placeholder = `Message #${name}`
    const total = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0)
    document.title = `${total > 0 ? `(${total}) ` : ''}${name} · Holdfast`

    const empty = timeline.messages.length === 0 && current.drafts.length === 0
    topText.textContent = topWords(current)
    topText.parentElement?.classList.toggle('empty', empty)
    reloadButton.hidden = problem === null

    latestButton.hidden = view.following
    latestButton.textContent =
      unread > 0 ? `${unread} new ${unread === 1 ? 'message' : 'messages'} ↓` : 'To the latest ↓'

    showHandled(timeline)
    roomList.draw([...rooms.values()], current)
  }

  const seen = () => {
    if (document.hidden || !view.following) return
    current.unread = 0
    draw()
  }
  const submit = () => {
    const text = textArea.value.trim()
    if (text === '') return
    textArea.value = ''
    view.toEnd()
    current.unread = 0
    current.send(text)
  }

  byId('composer', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  textArea.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    submit()
  })
  byId('open-room', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    location.hash = addressOf(roomInput.value.trim() || defaultRoom)
    roomInput.value = ''
  })
  byId('scroller', HTMLElement).addEventListener('scroll', () => {
    if (view.following !== latestButton.hidden) draw()
    if (current.unread > 0) seen()
  })
  latestButton.addEventListener('click', () => {
    view.toEnd()
    seen()
  })
  reloadButton.addEventListener('click', () => void current.reload())
  document.addEventListener('visibilitychange', seen)
  addEventListener('hashchange', openAddressed)
  byId('sign-out', HTMLButtonElement).addEventListener('click', () => {
    sessionStorage.removeItem(nameKey)
    location.reload()
  })

  byId('me', HTMLElement).replaceChildren(avatar(user), element('span', '', user))
  welcome.hidden = true
  chat.hidden = false
  client.connect()
  openAddressed()
}

/** @param {string} name */
async function signIn(name) {
  const problem = byId('sign-in-problem', HTMLElement)
  problem.textContent = ''
  try {
    const token = await fetchToken(name)
    sessionStorage.setItem(nameKey, name)
    start(name, token)
  } catch (error) {
    welcome.hidden = false
    problem.textContent = `Could not sign in: ${/** @type {Error} */ (error).message}`
  }
}

const nameInput = byId('name', HTMLInputElement)
byId('sign-in', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  void signIn(nameInput.value.trim())
})

const remembered = sessionStorage.getItem(nameKey)
if (remembered === null) {
  welcome.hidden = false
  nameInput.focus()
} else {
  nameInput.value = remembered
  void signIn(remembered)
}
