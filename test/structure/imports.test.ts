/**
 * Proves that the tree is as ARCHITECTURE.md draws it: every folder has a line there, imports what that line says and
 * nothing else, and imports go one way, those of types included.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const root = new URL('../../', import.meta.url)
const folders =
  'apps,cli,cluster,compose,config,controller,engine,log,observability,platform,protocol,proxy,schema,store,worker'
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** Imports of a module's own, of its types, on demand, and what it passes on. */
const specifier = /^(?:import|export)\b[^'"`;]*?from '(\.[^']+)'|^import '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm

interface Import {
  from: string
  to: string
}

const imports = globSync(`{${folders}}/**/*.{ts,js}`, { cwd: root, exclude: ['**/static/**'] })
  .sort()
  .flatMap((from): Import[] =>
    [...read(from).matchAll(specifier)].map((match) => {
      return { from, to: join(dirname(from), match[1] ?? match[2] ?? match[3]!) }
    }),
  )

/** Each folder and what it may import, from the table in ARCHITECTURE.md; `x/*` is x and all that is below it. */
const rooms = new Map(
  [...read('ARCHITECTURE.md').matchAll(/^\| `([\w/]+)\/` \| [^|]+ \| ([^|]*)\|$/gm)].map(([, room, allowed]) => [
    room!,
    [...allowed!.matchAll(/`([\w/*]+)`/g)].map(([, name]) => name!.replace(/\/$/, '')),
  ]),
)

const isMeant = (allowed: string, room: string): boolean => {
  if (!allowed.endsWith('/*')) return allowed === room
  const top = allowed.slice(0, -2)
  return room === top || room.startsWith(`${top}/`)
}

/** Groups that reach one another, of what is given as a graph (Tarjan, 1972). */
function cycles(edges: { from: string; to: string }[]): string[][] {
  const next = Map.groupBy(edges, ({ from }) => from)
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const path: string[] = []
  const found: string[][] = []
  const visit = (node: string): number => {
    const at = order.size
    order.set(node, at)
    low.set(node, at)
    path.push(node)
    for (const { to } of next.get(node) ?? []) {
      if (!order.has(to)) low.set(node, Math.min(low.get(node)!, visit(to)))
      else if (path.includes(to)) low.set(node, Math.min(low.get(node)!, order.get(to)!))
    }
    if (low.get(node) === at) {
      const group = path.splice(path.indexOf(node))
      if (group.length > 1) found.push(group.sort())
    }
    return low.get(node)!
  }
  for (const node of next.keys()) if (!order.has(node)) visit(node)
  return found
}

void t.test('every folder has a line in ARCHITECTURE.md, and every line a folder', async (t) => {
  const all = new Set(globSync(`{${folders}}/**/*.ts`, { cwd: root, exclude: ['**/static/**'] }).map(dirname))
  t.strictSame([...rooms.keys()].sort(), [...all].sort())
})

void t.test('a folder imports what its line says, and nothing else', async (t) => {
  t.ok(imports.length > 500, 'imports were found')
  const used = new Set<string>()
  const forbidden = imports.filter(({ from, to }) => {
    const [room, other] = [dirname(from), dirname(to)]
    if (room === other || other === '.') return false
    const line = rooms.get(room)?.find((allowed) => isMeant(allowed, other))
    if (line !== undefined) used.add(`${room} imports ${line}`)
    return line === undefined
  })
  t.strictSame(
    forbidden.map(({ from, to }) => `${from} imports ${to}`),
    [],
  )
  const allowed = [...rooms].flatMap(([room, names]) => names.map((name) => `${room} imports ${name}`))
  t.strictSame(
    allowed.filter((line) => !used.has(line)),
    [],
    'nothing is allowed in vain',
  )
})

void t.test('imports go one way, from folder to folder and from file to file', async (t) => {
  const between = imports
    .map(({ from, to }) => ({ from: dirname(from), to: dirname(to) }))
    .filter(({ from, to }) => from !== to && to !== '.')
  t.strictSame(cycles(between), [])
  t.strictSame(cycles(imports), [])
  t.strictSame(cycles([...between, { from: 'protocol', to: 'proxy' }]).length, 1, 'a cycle would be seen')
})

/** The package of a bare specifier whose value is imported. */
const packages = /^import (?!type\b)[^'"`;]*?from '([^.'][^']*)'|\bimport\('([^.'][^']*)'\)/gm

void t.test('what is published needs no package that only development has', async (t) => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
  const needed = globSync(`{${folders}}/**/*.{ts,js}`, { cwd: root, exclude: ['**/static/**', 'compose/**'] }).flatMap(
    (from) => [...read(from).matchAll(packages)].map((match) => ({ from, name: match[1] ?? match[2]! })),
  )
  const installed = ({ name }: { name: string }): boolean =>
    name.startsWith('node:') ||
    Object.keys(dependencies).some((known) => name === known || name.startsWith(`${known}/`))
  t.ok(needed.length > 100, 'imports were found')
  t.strictSame(
    needed.filter((one) => !installed(one)),
    [],
  )
})
