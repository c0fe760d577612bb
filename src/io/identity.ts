/**
 * The identity file: one Ed25519 private key, made once.
 *
 * Rules:
 * - The file has mode 0600 from its first byte, and appears whole or not at all: two processes that start
 *   together on an empty folder end up with the same identity.
 * - The key is never printed, logged or put into an error message.
 * - A file that cannot be read is an error, never a reason to make a new identity: peers know the old one.
 *
 * Format: the libp2p protobuf encoding of the key (what other libp2p implementations store), in base64, and a
 * line feed.
 */
import { randomBytes } from 'node:crypto'
import { constants, copyFile, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { FloodgateError } from '../core/errors.ts'
import type { PeerId } from '../core/types.ts'

export interface Identity {
  readonly peer: PeerId
  readonly privateKey: PrivateKey
  /** True when others than the owner may read the file; worth a warning, since mounted secrets often are. */
  readonly exposed: boolean
}

/** An identity that lives as long as the process. */
export async function temporaryIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair('Ed25519'), false)
}

/**
 * Reads the identity file, or with `create` makes it (and its folder) when there is none.
 * @throws FloodgateError IDENTITY
 */
export async function loadIdentity(file: string, options: { create: boolean }): Promise<Identity> {
  const path = resolve(file)
  const known = await readIdentity(path)
  if (known !== undefined) return known
  if (!options.create) {
    throw new FloodgateError('IDENTITY', `there is no identity file ${path}; \`floodgate init\` makes one`)
  }
  await writeIdentity(path)
  const made = await readIdentity(path)
  if (made === undefined) throw new FloodgateError('IDENTITY', `${path} vanished while it was made`)
  return made
}

function identityOf(privateKey: PrivateKey, exposed: boolean): Identity {
  return { peer: peerIdFromPrivateKey(privateKey).toString(), privateKey, exposed }
}

async function readIdentity(path: string): Promise<Identity | undefined> {
  let text: string
  let mode: number
  try {
    text = await readFile(path, 'utf8')
    mode = (await stat(path)).mode
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new FloodgateError('IDENTITY', `cannot read the identity file ${path}: ${(cause as Error).message}`)
  }
  const exposed = process.platform !== 'win32' && (mode & 0o077) !== 0
  try {
    const privateKey = privateKeyFromProtobuf(Buffer.from(text.trim(), 'base64'))
    await checkHalves(privateKey)
    return identityOf(privateKey, exposed)
  } catch {
    // The cause is left out: a decoder's message may quote the key's bytes.
    throw new FloodgateError('IDENTITY', `${path} does not hold a libp2p private key in base64`)
  }
}

/** The file holds both halves of the key: where they are not of one key, every handshake would fail. */
async function checkHalves(privateKey: PrivateKey): Promise<void> {
  const probe = randomBytes(32)
  const isPair = await privateKey.publicKey.verify(probe, await privateKey.sign(probe))
  if (!isPair) throw new Error('the halves of the key do not fit')
}

/** What systems answer that cannot link: EPERM on Linux, others elsewhere. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

async function writeIdentity(path: string): Promise<void> {
  const key = privateKeyToProtobuf(await generateKeyPair('Ed25519'))
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(dirname(path), { recursive: true })
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(`${Buffer.from(key).toString('base64')}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // link() refuses to replace a file, so of two processes the first one's identity stands.
    await link(draft, path)
      .catch(cause => {
        // Some file systems have no links; a copy that refuses to replace a file does nearly the same.
        if (!NO_LINKS.has(cause.code)) throw cause
        return copyFile(draft, path, constants.COPYFILE_EXCL)
      })
      .catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EEXIST') throw cause
      })
  } catch (cause) {
    throw new FloodgateError(
      'IDENTITY',
      `cannot write the identity file ${path}: ${(cause as Error).message}`,
    )
  } finally {
    await rm(draft, { force: true })
  }
}
