/**
 * `--exec COMMAND`: a command line to words, without a shell.
 *
 * Why no shell: the words are handed to the kernel as they are, so a path with a space, a `$` or a `;` means
 * itself and quoting works the same everywhere. The rules are those of sh for quotes and nothing else: words
 * are parted by white space, '…' is literal, "…" lets \" and \\ escape, and \ outside quotes takes the next
 * character as it is. There are no variables, globs, pipes or redirections.
 */

/** The words of a command line, or `undefined` when a quote is not closed or a \ ends it. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at)
    const escapes = quote === undefined || (quote === '"' && '"\\'.includes(line.charAt(at + 1)))
    if (char === '\\' && quote !== "'" && escapes) {
      at += 1
      if (at === line.length) return undefined
      word = (word ?? '') + line.charAt(at)
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined
      else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== undefined) return undefined
  if (word !== undefined) words.push(word)
  return words
}

/** The words for one node: every `{i}` becomes the node's number, counted from 1. */
export function wordsFor(words: readonly string[], node: number): string[] {
  return words.map(word => word.replaceAll('{i}', String(node)))
}
