import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { comparePolicyOrder, type Keyset, SyncError } from '../../contract/index.ts'
import { generateKeyPair, openKeyset, type SigningKey, signingKey } from '../../codec/index.ts'

const KEYSET_FILE = /^keyset-(\d{1,9})\.bin$/
const SIGNING_FILE = /^signing-(\d{1,9})\.key$/

/** What lies in `dataDir/keys`: the root key or only its public half, signing keys, and keysets by number. */
export interface KeyFolder {
  readonly folder: string
  /** 32 raw bytes, base64. */
  readonly rootPublicKey: string
  /** The newest keyset as the root signed it, and what it says. */
  readonly sealed: Uint8Array
  readonly keyset: Keyset
  /** Public keys of every keyset that the root ever signed and is here, retired ones too. */
  readonly everBelieved: readonly string[]
  /** The signing keys that are here. */
  readonly signing: readonly SigningKey[]
}

export const rootFile = (folder: string): string => join(folder, 'root.key')
export const trustFile = (folder: string): string => join(folder, 'root.pub')

/** Names of everything that `readKeyFolder` reads: another list means that there is something to read again. */
export const keyFilesIn = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => KEYSET_FILE.test(name) || SIGNING_FILE.test(name))
    .sort()
    .join(' ')

/** Throws CLOUD_KEYS_DAMAGED where files do not fit together. */
export function readKeyFolder(folder: string): KeyFolder {
  try {
    const rootPublicKey = readFileSync(trustFile(folder), 'utf8').trim()
    const files = readdirSync(folder).sort()
    const signing = files
      .filter((name) => SIGNING_FILE.test(name))
      .map((name) => signingKey(readFileSync(join(folder, name), 'utf8')))
    const keysets = files
      .filter((name) => KEYSET_FILE.test(name))
      .map((name) => opened(folder, name, rootPublicKey))
    const newest = keysets.toSorted((a, b) => comparePolicyOrder(b.keyset, a.keyset))[0]
    if (newest === undefined) throw damaged(`there is no keyset in ${folder}`)
    const everBelieved = keysets.flatMap(({ keyset }) => keyset.keys)
    return { folder, rootPublicKey, everBelieved, signing, ...newest }
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw damaged(`the keys in ${folder} cannot be read`, { cause })
  }
}

function opened(folder: string, name: string, root: string): Pick<KeyFolder, 'sealed' | 'keyset'> {
  const sealed = new Uint8Array(readFileSync(join(folder, name)))
  const keyset = openKeyset(root, sealed)
  if (keyset === undefined) throw damaged(`${name} is not signed by the root key`)
  return { sealed, keyset }
}

/** The root key, from the folder or a file elsewhere; throws CLOUD_ROOT_MISSING. */
export function rootKeyIn(folder: string, elsewhere?: string): SigningKey {
  const path = elsewhere ?? rootFile(folder)
  if (!existsSync(path)) throw new SyncError('CLOUD_ROOT_MISSING', `${path} is not there`)
  try {
    return signingKey(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw damaged(`${path} is no key`, { cause })
  }
}

/** A new signing key, kept under the next free number before anything names it. */
export function addSigningKey(folder: string): SigningKey {
  const made = generateKeyPair()
  writeDurably(join(folder, `signing-${nextNumber(folder, SIGNING_FILE)}.key`), made.privateKey)
  return signingKey(made.privateKey)
}

export function addKeyset(folder: string, sealed: Uint8Array): void {
  writeDurably(join(folder, `keyset-${nextNumber(folder, KEYSET_FILE)}.bin`), sealed)
}

function nextNumber(folder: string, pattern: RegExp): number {
  const numbers = readdirSync(folder).map((name) => Number(pattern.exec(name)?.[1] ?? 0))
  return Math.max(0, ...numbers) + 1
}

export function writeDurably(path: string, content: string | Uint8Array): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, typeof content === 'string' ? Buffer.from(content) : content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const damaged = (sentence: string, options?: ErrorOptions): SyncError =>
  new SyncError('CLOUD_KEYS_DAMAGED', sentence, options)
