/**
 * `npm run build`: `src` compiled to `dist` with declarations, the JSON Schema of the configuration beside it.
 *
 * Starts from an empty `dist`: a file that is gone from `src` must not stay in the package.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '../src/config/keys.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist`

/**
 * The compiler's script, run by the Node that runs this: what npm puts into node_modules/.bin is a shell script on
 * some systems, which cannot be executed as a file there.
 */
function compiler(): string {
  const manifest = new URL(import.meta.resolve('typescript/package.json'))
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
  return fileURLToPath(new URL(bin.tsc, manifest))
}

rmSync(dist, { recursive: true, force: true })
execFileSync(process.execPath, [compiler(), '-p', `${root}tsconfig.build.json`], { stdio: 'inherit' })
writeFileSync(`${dist}/floodgate.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
chmodSync(`${dist}/cli/main.js`, 0o755)
