import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Keyset, SyncError } from '../../contract/index.ts'
import {
  cloudIdOf,
  generateKeyPair,
  keyIdOf,
  type SigningKey,
  sealKeyset,
  signingKey,
} from '../../codec/index.ts'
import {
  addKeyset,
  type KeyFolder,
  keyFilesIn,
  readKeyFolder,
  rootFile,
  trustFile,
  writeDurably,
} from './files.ts'

/** What the cloud proves itself with. What it says may change while the cloud runs: ask each time. */
export interface CloudKeys {
  /** 32 raw bytes in base64: what a gateway's `cloud.trust` names. */
  readonly rootPublicKey: string
  /** Recipient of every message to this cloud. */
  readonly cloudId: string
  /** Signs snapshots and acknowledgements: the first of the keyset's keys that is here. */
  readonly signing: SigningKey
  /** The root-signed keyset, as it travels with every snapshot. */
  readonly keyset: Uint8Array
  /** The keyset's. */
  readonly generation: number
  readonly version: number
  /** A key that signs for this cloud or ever did: what it signed then stays signed. */
  everBelieved(keyId: string): string | undefined
  /** Looks whether a newer keyset was installed; true where it was. Throws CLOUD_KEYS_DAMAGED and keeps what it has. */
  reload(): boolean
}

/** The keys in `dataDir/keys`, made (0600) at first start. Throws CLOUD_KEYS_DAMAGED where they do not fit together. */
export function openKeys(dataDir: string): CloudKeys {
  const folder = keyFolder(dataDir)
  let names = keyFilesIn(folder)
  let held = usable(readKeyFolder(folder))
  return {
    rootPublicKey: held.rootPublicKey,
    cloudId: cloudIdOf(held.rootPublicKey),
    get signing() {
      return held.key
    },
    get keyset() {
      return held.sealed
    },
    get generation() {
      return held.keyset.generation
    },
    get version() {
      return held.keyset.version
    },
    everBelieved: (keyId) => held.everBelieved.find((key) => keyIdOf(key) === keyId),
    reload() {
      const present = keyFilesIn(folder)
      if (present === names) return false
      const next = usable(readKeyFolder(folder))
      names = present
      const isNewer = !Buffer.from(next.sealed).equals(held.sealed)
      held = next
      return isNewer
    },
  }
}

/** `dataDir/keys`, with a root key, one signing key and their keyset where there were none. */
export function keyFolder(dataDir: string): string {
  const folder = join(dataDir, 'keys')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  if (!readdirSync(folder).some((name) => name.startsWith('keyset-'))) makeKeys(folder)
  return folder
}

/** What `headgate cloud --print-trust` prints: the root public key for a gateway's `cloud.trust`. */
export const printableTrust = (dataDir: string): string => openKeys(dataDir).rootPublicKey

/** The keyset is written last: a start cut short before it begins again with the keys that are there. */
function makeKeys(folder: string): void {
  const root = signingKey(existingOrNew(rootFile(folder)))
  const signing = signingKey(existingOrNew(join(folder, 'signing-1.key')))
  writeDurably(trustFile(folder), `${root.publicKey}\n`)
  const keyset: Keyset = { v: 2, generation: 1, version: 1, keys: [signing.publicKey] }
  addKeyset(folder, sealKeyset(keyset, root))
}

function existingOrNew(path: string): string {
  if (!existsSync(path)) writeDurably(path, generateKeyPair().privateKey)
  return readFileSync(path, 'utf8')
}

function usable(found: KeyFolder): KeyFolder & { readonly key: SigningKey } {
  const key = found.keyset.keys.flatMap(
    (name) => found.signing.find(({ publicKey }) => publicKey === name) ?? [],
  )[0]
  if (key !== undefined) return { ...found, key }
  throw new SyncError('CLOUD_KEYS_DAMAGED', 'the signing key is not in a keyset signed by the root key')
}
