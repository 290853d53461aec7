/**
 * Two people's browsers on the chat page of a real `holdfast dev` cluster. Proves that they see the same messages in
 * the same order, each once, also while the worker behind their room is killed; that no socket closes over it; that
 * the page tells the new worker; and that scrolling back reaches the first message of a long room without losing the
 * reader's place.
 */
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import t from 'tap'
import { startCluster } from '../harness/processes/cluster.ts'

const browserNames = ['chromium', 'chromium-browser', 'google-chrome']
const launchArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function findBrowser(): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of browserNames) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not in this folder; the next one may have it.
      }
    }
  }
  throw new Error(`this test needs one of ${browserNames.join(', ')} on the PATH`)
}

/** One person's own browser, signed in, with what became of its sockets and scripts. */
class Person {
  readonly page: Page
  readonly faults: string[] = []
  socketsOpened = 0
  socketsClosed = 0

  constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(30_000)
    page.on('pageerror', (error) => this.faults.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(message.text())
    })
    page.on('websocket', (socket) => {
      this.socketsOpened += 1
      socket.on('close', () => (this.socketsClosed += 1))
    })
  }

  static async signIn(browser: Browser, url: string, name: string, room: string): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    const person = new Person(await context.newPage())
    const { page } = person
    await page.goto(`${url}/#${room}`)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Join the chat' }).click()
    await page.locator('#status[data-state=online]').waitFor()
    return person
  }

  async say(text: string): Promise<void> {
    const message = this.page.getByLabel('Message', { exact: true })
    await message.fill(text)
    await message.press('Enter')
  }

  /** Resolves once a message with exactly this text is there and confirmed. */
  async sees(text: string): Promise<void> {
    await this.page.locator('[data-state=sent] .text').getByText(text, { exact: true }).waitFor({ state: 'attached' })
  }

  texts(): Promise<string[]> {
    return this.page.locator('#messages .text').allTextContents()
  }

  async handledBy(): Promise<string> {
    return (await this.page.locator('#handled').getAttribute('data-worker')) ?? ''
  }

  /**
   * Scrolls to the top of what is loaded; resolves to the offset of the oldest message and its place on the screen. One
   * step within the page, so that nothing can arrive between scrolling and measuring.
   */
  scrollToTop(): Promise<{ oldest: number; place: number }> {
    return this.page.locator('#scroller').evaluate((scroller) => {
      scroller.scrollTop = 0
      const item = scroller.querySelector('#messages li')
      return { oldest: Number(item.dataset.offset), place: item.querySelector('.bubble').getBoundingClientRect().y }
    })
  }

  /** The place of a message's bubble in the first frame that also has older messages. */
  async placeOnceOlder(offset: number): Promise<number> {
    const list = await this.page.locator('#messages').elementHandle()
    const found = await this.page.waitForFunction(
      ({ list, offset }) =>
        Number(list.firstElementChild.dataset.offset) < offset &&
        list.querySelector(`li[data-offset="${offset}"] .bubble`).getBoundingClientRect().toJSON(),
      { list, offset },
    )
    return (await found.jsonValue()).y
  }

  /** Scrolls away from the end and has the page draw before it hears of that; resolves to where the scroller was and is. */
  scrollAndDraw(): Promise<[before: number, after: number]> {
    return this.page.locator('#scroller').evaluate(async (scroller) => {
      scroller.scrollTop -= 200
      const before = scroller.scrollTop
      scroller.ownerDocument.dispatchEvent(new Event('visibilitychange'))
      // The page draws in a microtask of this turn; a scroll event waits for the next frame.
      await new Promise((resolve) => setTimeout(resolve))
      return [before, scroller.scrollTop]
    })
  }
}

const numbered = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name} says ${index}`)

void t.test('the chat page', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.stop())
  const url = `http://127.0.0.1:${cluster.port}`
  const browser = await chromium.launch({ executablePath: findBrowser(), args: launchArguments })
  t.teardown(() => browser.close())
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-page-'))
  t.teardown(() => rm(folder, { recursive: true }))

  const ada = await Person.signIn(browser, url, 'Ada', 'lobby')
  const grace = await Person.signIn(browser, url, 'Grace', 'lobby')
  const people = [ada, grace]
  const each = <Value>(ask: (person: Person) => Promise<Value>) => Promise.all(people.map(ask))

  await t.test('two people see each other, in order', async (t) => {
    await ada.say('Hello <b>Grace</b>')
    await each((person) => person.sees('Hello <b>Grace</b>'))
    await grace.say('Hello Ada')
    await each((person) => person.sees('Hello Ada'))
    for (const texts of await each((person) => person.texts())) t.strictSame(texts, ['Hello <b>Grace</b>', 'Hello Ada'])
    t.equal(await ada.page.locator('li.own .text').textContent(), 'Hello <b>Grace</b>')
    t.equal(await grace.page.locator('li.own .text').textContent(), 'Hello Ada')
  })

  await t.test('the worker behind the room is killed while both are typing', async (t) => {
    const count = 40
    const before = (await ada.texts()).length
    const victimId = await ada.handledBy()
    const victim = (await cluster.workers()).find(({ id }) => id === victimId)
    t.ok(victim, 'the page names a live worker')

    const half = Promise.withResolvers<void>()
    const typing = [
      { person: ada, texts: numbered('Ada', count) },
      { person: grace, texts: numbered('Grace', count) },
    ].map(async ({ person, texts }) => {
      for (const [index, text] of texts.entries()) {
        await person.say(text)
        if (index === count / 2) half.resolve()
      }
    })
    await half.promise
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL')
    await Promise.all(typing)
    await each((person) => person.sees(`Ada says ${count - 1}`))
    await each((person) => person.sees(`Grace says ${count - 1}`))

    const [seenByAda, seenByGrace] = (await each((person) => person.texts())).map((texts) => texts.slice(before))
    t.strictSame(seenByAda, seenByGrace, 'the same order for both')
    t.equal(seenByAda?.length, 2 * count)
    for (const name of ['Ada', 'Grace']) {
      const said = seenByAda?.filter((text) => text.startsWith(`${name} says`))
      t.strictSame(said, numbered(name, count), `each message of ${name} once, as it was typed`)
    }
    for (const person of people) {
      t.equal(await person.page.locator('#status').getAttribute('data-connections'), '1', 'connected once')
      t.equal(await person.page.locator('#status').textContent(), 'online')
      t.strictSame([person.socketsOpened, person.socketsClosed], [1, 0], 'one socket, still open')
    }
    const successor = await ada.handledBy()
    t.not(successor, victimId, 'the page tells another worker')
    t.ok(
      (await cluster.workers()).some(({ id }) => id === successor),
      'which is live',
    )
  })

  await t.test('scrolling back reaches the first message and keeps the place', async (t) => {
    const said = numbered('Archive', 125)
    await ada.page.goto(`${url}/#archive`)
    await ada.page.getByRole('heading', { name: 'archive' }).waitFor()
    for (const text of said) await ada.say(text)
    await ada.sees(said.at(-1) ?? '')

    // A link opens the room; she has seen nothing of it yet.
    await grace.page.goto(`${url}/#archive`)
    await grace.sees(said.at(-1) ?? '')
    const beginning = grace.page.getByText('The beginning of the room')
    t.notOk(await beginning.isVisible(), 'there is more than the page loads at first')
    while (!(await beginning.isVisible())) {
      const { oldest, place } = await grace.scrollToTop()
      const placeAfter = await grace.placeOnceOlder(oldest)
      t.ok(Math.abs(placeAfter - place) <= 2, `the reader's place at ${oldest}: ${place} became ${placeAfter}`)
    }
    t.strictSame(await grace.texts(), said)
    const [before, after] = await ada.scrollAndDraw()
    t.equal(after, before, 'a reader who has just scrolled back is not taken to the end again')
    t.strictSame([grace.socketsOpened, grace.socketsClosed], [1, 0])
  })

  await t.test('nothing broke the page or its policy', async (t) => {
    for (const { faults } of people) t.strictSame(faults, [])
    const file = join(folder, 'chat.png')
    await ada.page.screenshot({ path: file })
    t.ok((await stat(file)).size > 10_000)
  })
})
