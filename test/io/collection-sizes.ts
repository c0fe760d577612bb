/**
 * How many entries an object holds in all its maps, sets and lists, whatever they are called: what grows and does not
 * shrink again shows here, also when a new version of a library adds a map.
 */

/** What is not the object's own, or does not hold anything of peers. */
const SKIPPED = new Set(['components', 'log', 'metrics', 'opts', 'params'])

/** By path. `backoff` is the size of a map, `backoff[]` that of all maps in it together. */
export function collectionSizes(root: object): Record<string, number> {
  const sizes: Record<string, number> = {}
  const seen = new Set<object>()
  const add = (path: string, size: number): void => {
    sizes[path] = (sizes[path] ?? 0) + size
  }
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return
    seen.add(value)
    if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      add(path, Array.isArray(value) ? value.length : value.size)
      for (const item of value.values()) visit(item, `${path}[]`)
    } else if ('peekFront' in value && 'length' in value) {
      // A ring buffer, whose array keeps its length.
      add(path, Number(value.length))
    } else {
      for (const [key, part] of Object.entries(value)) {
        if (!SKIPPED.has(key)) visit(part, path === '' ? key : `${path}.${key}`)
      }
    }
  }
  visit(root, '')
  return sizes
}
