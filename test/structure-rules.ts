/**
 * How the source is built, as checks over texts: each is a function from files (path to text) to problems. They
 * read text, not syntax trees; what they look for is regular enough in a formatted source.
 */

/** Paths from the repository's root, with `/`, to the text of the file. */
export type Files = ReadonlyMap<string, string>

/** What is wrong where, as `path: what`. */
type Check = (files: Files) => string[]

/** Which layers a layer may import besides itself (the list in the design, from top to bottom). */
const LAYERS: Record<string, readonly string[]> = {
  sim: ['cli', 'api', 'index', 'node', 'config', 'gossip', 'peers', 'io', 'core'],
  cli: ['api', 'index', 'node', 'config', 'core'],
  api: ['index', 'node', 'config', 'peers', 'core'],
  index: ['node', 'config', 'gossip', 'peers', 'io', 'core'],
  node: ['config', 'gossip', 'peers', 'io', 'core'],
  config: ['core'],
  gossip: ['core'],
  peers: ['core'],
  io: ['core'],
  core: [],
}

/** Files that a layer may import although it may not import their layer, each with its reason. */
const EXCEPTIONS: Record<string, Record<string, string>> = {
  cli: {
    'src/io/identity.ts': '`id` and `init` make and show an identity without a node',
    'src/io/version.ts': '`version` and the banner of `start` say which version this is',
  },
}

/** Only `io` knows these, and `sim`, which puts a network of its own beneath them. */
const IO_PACKAGES =
  /^(@libp2p\/|@chainsafe\/|@multiformats\/|libp2p$|libp2p\/|datastore-|interface-datastore|level$|classic-level)/

const MACHINES = ['src/core/seen.ts', 'src/gossip/fair-queue.ts']

/** What a machine may not touch: time, chance, the world, and waiting. */
const IMPURE =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|crypto|console|async|await|Promise|globalThis|Math\s*\.\s*random)\b/g

const LINES_MAX = 400

// In two parts, or this file would find itself.
const LEFTOVER = new RegExp(`\\b(${'TO'}DO|${'FIX'}ME)\\b`)

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/
const SINGLE = /'(?:[^'\\\n]|\\.)*'/
const DOUBLE = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/
const TOKENS = new RegExp(`(${SINGLE.source})|(${DOUBLE.source})|${COMMENT.source}`, 'g')

/** What runs: without comments and without what stands in quotes. */
function code(text: string): string {
  return text.replace(TOKENS, (_, single?: string, double?: string) => ((single ?? double) ? "''" : ' '))
}

/** The same, but with what stands in single quotes, as the names of imports do. */
function codeWithNames(text: string): string {
  return text.replace(TOKENS, (_, single?: string, double?: string) => single ?? (double ? "''" : ' '))
}

/** What a file imports, types included, as it is written there. */
export function importsOf(text: string): string[] {
  const names = /\bfrom\s+'([^']+)'|\bimport\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g
  return [...codeWithNames(text).matchAll(names)].map(match => match[1] ?? match[2] ?? match[3] ?? '')
}

/** Relative imports as paths from the root. */
function localImports(path: string, text: string): string[] {
  return importsOf(text)
    .filter(name => name.startsWith('.'))
    .map(name => new URL(name, `file:///${path}`).pathname.slice(1))
}

function under(files: Files, ...folders: string[]): [path: string, text: string][] {
  return [...files].filter(([path]) => folders.some(folder => path.startsWith(`${folder}/`)))
}

/** `src/gossip/gate.ts` is of layer `gossip`, `src/node.ts` of layer `node`. */
function layerOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '')
}

export const layers: Check = files =>
  under(files, 'src').flatMap(([path, text]) => {
    const layer = layerOf(path)
    const below = LAYERS[layer]
    if (below === undefined) return [`${path}: there is no layer ${layer}`]
    return localImports(path, text)
      .filter(target => layerOf(target) !== layer && !below.includes(layerOf(target)))
      .filter(target => EXCEPTIONS[layer]?.[target] === undefined)
      .map(target => `${path}: ${layer} must not import ${target}`)
  })

export const exceptionsAreUsed: Check = files => {
  const used = under(files, 'src').flatMap(([path, text]) =>
    localImports(path, text).map(target => `${layerOf(path)} imports ${target}`),
  )
  return Object.entries(EXCEPTIONS).flatMap(([layer, targets]) =>
    Object.keys(targets)
      .filter(target => !used.includes(`${layer} imports ${target}`))
      .map(target => `${target}: the exception for ${layer} is not needed`),
  )
}

export const libraries: Check = files =>
  under(files, 'src').flatMap(([path, text]) =>
    importsOf(text)
      .filter(name => IO_PACKAGES.test(name) && !['io', 'sim'].includes(layerOf(path)))
      .map(name => `${path}: only io and sim may import ${name}`),
  )

export const imports: Check = files =>
  under(files, 'src').flatMap(([path, text]) =>
    localImports(path, text)
      .filter(target => !files.has(target))
      .map(target => `${path}: imports ${target}, which does not exist`),
  )

export const cycles: Check = files => {
  const graph = new Map(under(files, 'src').map(([path, text]) => [path, localImports(path, text)]))
  const done = new Set<string>()
  const problems: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0)
      problems.push(`${path}: imports itself by ${[...trail.slice(start + 1), path].join(', ')}`)
    if (start >= 0 || done.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return problems
}

export const barrels: Check = files =>
  under(files, 'src')
    .filter(([path]) => path !== 'src/index.ts')
    .flatMap(([path, text]) => [
      ...(path.endsWith('/index.ts') ? [`${path}: only src/index.ts may be an index`] : []),
      ...(/\bexport\s+(type\s+)?(\*|\{[^}]*\})[^\n]*\bfrom\b/.test(code(text))
        ? [`${path}: exports what is not its own`]
        : []),
    ])

/** The files that promise to be pure: by name, or in their first comment. */
export function machinesOf(files: Files): string[] {
  const promising = under(files, 'src').filter(([, text]) =>
    /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0].includes('a pure machine'),
  )
  return [...new Set([...MACHINES.filter(path => files.has(path)), ...promising.map(([path]) => path)])]
}

export const machines: Check = files =>
  machinesOf(files).flatMap(path => {
    const text = files.get(path) ?? ''
    const touched = [...code(text).matchAll(IMPURE)].map(match => match[0])
    const taken = importsOf(text).filter(
      name => name.startsWith('node:') && !/^node:assert(\/strict)?$/.test(name),
    )
    return [...new Set([...touched, ...taken])].map(name => `${path}: a machine has no ${name}`)
  })

export const headers: Check = files =>
  under(files, 'src')
    .filter(([, text]) => !/^(#![^\n]*\n)?\/\*\*/.test(text))
    .map(([path]) => `${path}: does not say at its top what it is`)

export const lengths: Check = files =>
  under(files, 'src', 'test')
    .map(([path, text]) => [path, text.replace(/\n$/, '').split('\n').length] as const)
    .filter(([, lines]) => lines > LINES_MAX)
    .map(([path, lines]) => `${path}: ${lines} lines are more than ${LINES_MAX}`)

/** `any` where a type may stand: after a punctuation mark or `as`, and before one or the end of the line. */
const LOOSE = /(?:[:<|&,=([]|\bas|\breadonly)\s*any\s*(?:[,;)>\]|&=}]|\n|$)/

export const looseTypes: Check = files =>
  under(files, 'src', 'test')
    .filter(([path, text]) => layerOf(path) !== 'io' && LOOSE.test(code(text)))
    .map(([path]) => `${path}: has the type any`)

export const leftovers: Check = files =>
  under(files, 'src', 'test')
    .filter(([, text]) => LEFTOVER.test(text))
    .map(([path]) => `${path}: has an unfinished part`)

/** Waiting for a time to pass; waiting for one's turn (`setImmediate`) is none. */
const SLEEP = /\b(setTimeout|sleep|delay)\s*\(|\bscheduler\s*\.\s*wait\b/
const SLEEP_IMPORT = /\bimport\s*\{[^}]*\bsetTimeout\b[^}]*\}\s*from\s+'(node:)?timers/

/** Sockets take real time; in the simulator's tests the timers are virtual, and fire when the test says so. */
const TIMED = ['test/e2e/', 'test/lab/', 'test/sim/', 'test/slow/']

export const sleeps: Check = files =>
  under(files, 'test')
    .filter(([path]) => !TIMED.some(folder => path.startsWith(folder)))
    .filter(([, text]) => SLEEP.test(code(text)) || SLEEP_IMPORT.test(codeWithNames(text)))
    .map(([path]) => `${path}: sleeps`)
