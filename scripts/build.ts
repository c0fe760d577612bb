/**
 * `npm run build`: `src` compiled to `dist` with declarations, the JSON Schema of the configuration beside it.
 *
 * Starts from an empty `dist`: a file that is gone from `src` must not stay in the package.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configJsonSchema } from '../src/config/keys.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist`

rmSync(dist, { recursive: true, force: true })
execFileSync(`${root}node_modules/.bin/tsc`, ['-p', `${root}tsconfig.build.json`], { stdio: 'inherit' })
writeFileSync(`${dist}/floodgate.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
chmodSync(`${dist}/cli/main.js`, 0o755)
