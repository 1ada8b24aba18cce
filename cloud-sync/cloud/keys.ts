import {
  chmodSync,
  existsSync,
  fsyncSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Keyset, SyncError } from '../contract/index.ts'
import {
  cloudIdOf,
  generateKeyPair,
  openKeyset,
  type SigningKey,
  sealKeyset,
  signingKey,
} from '../codec/index.ts'

/** What the cloud proves itself with. */
export interface CloudKeys {
  /** 32 raw bytes in base64: what a gateway's `cloud.trust` names. */
  readonly rootPublicKey: string
  /** Recipient of every message to this cloud. */
  readonly cloudId: string
  /** Signs snapshots and acknowledgements. */
  readonly signing: SigningKey
  /** The root-signed keyset, as it travels with every snapshot. */
  readonly keyset: Uint8Array
  /** The keyset's. */
  readonly generation: number
}

/** The operator may take `root.key` to a safe place once the keyset is made: only a rotation needs it again. */
const FILES = {
  root: 'root.key',
  trust: 'root.pub',
  signing: 'signing-1.key',
  keyset: 'keyset-1.bin',
} as const
const KEYSET_VERSION = 1

/** The keys in `dataDir/keys`, made (0600) at first start. Throws CLOUD_KEYS_DAMAGED where they do not fit together. */
export function openKeys(dataDir: string): CloudKeys {
  const folder = join(dataDir, 'keys')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const path = (name: keyof typeof FILES): string => join(folder, FILES[name])
  if (!existsSync(path('keyset'))) makeKeys(path)
  try {
    return readKeys(path)
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw new SyncError('CLOUD_KEYS_DAMAGED', `the keys in ${folder} cannot be read`, { cause })
  }
}

/** What `headgate cloud --print-trust` prints: the root public key for a gateway's `cloud.trust`. */
export const printableTrust = (dataDir: string): string => openKeys(dataDir).rootPublicKey

/** The keyset is written last: a start cut short before it begins again with the keys that are there. */
function makeKeys(path: (name: keyof typeof FILES) => string): void {
  const root = signingKey(existingOrNew(path('root')))
  const signing = signingKey(existingOrNew(path('signing')))
  writeDurably(path('trust'), `${root.publicKey}\n`)
  const keyset: Keyset = { v: 2, generation: 1, version: KEYSET_VERSION, keys: [signing.publicKey] }
  writeDurably(path('keyset'), sealKeyset(keyset, root))
}

function existingOrNew(path: string): string {
  if (!existsSync(path)) writeDurably(path, generateKeyPair().privateKey)
  return readFileSync(path, 'utf8')
}

function readKeys(path: (name: keyof typeof FILES) => string): CloudKeys {
  const rootPublicKey = readFileSync(path('trust'), 'utf8').trim()
  const signing = signingKey(readFileSync(path('signing'), 'utf8'))
  const keyset = new Uint8Array(readFileSync(path('keyset')))
  const opened = openKeyset(rootPublicKey, keyset)
  if (opened?.keys.includes(signing.publicKey) !== true) {
    throw new SyncError('CLOUD_KEYS_DAMAGED', 'the signing key is not in a keyset signed by the root key')
  }
  return { rootPublicKey, cloudId: cloudIdOf(rootPublicKey), signing, keyset, generation: opened.generation }
}

function writeDurably(path: string, content: string | Uint8Array): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, typeof content === 'string' ? Buffer.from(content) : content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
