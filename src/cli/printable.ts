/**
 * Texts that came from elsewhere, as a terminal may have them.
 *
 * Why: a peer names itself what it likes, and an escape sequence in a name could clear the screen, change what stands
 * there already or turn the direction of the line.
 */

/** The text with control characters, invisible ones and line separators written as `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, char => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}
