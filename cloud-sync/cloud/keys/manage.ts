import { existsSync, readFileSync, rmSync } from 'node:fs'
import { comparePolicyOrder, Keyset, SyncError } from '../../contract/index.ts'
import { keyIdOf, openKeyset, sealKeyset } from '../../codec/index.ts'
import {
  addKeyset,
  addSigningKey,
  type KeyFolder,
  readKeyFolder,
  rootFile,
  rootKeyIn,
  writeDurably,
} from './files.ts'
import { keyFolder } from './keys.ts'

/** Keys in a keyset at most. */
const KEYS_MAX = 8

export interface KeysShown {
  readonly root: string
  /** Whether the root key itself lies in the data folder. */
  readonly rootHere: boolean
  readonly generation: number
  readonly version: number
  /** In the order of the keyset; the first that is here signs. */
  readonly keys: readonly { readonly id: string; readonly here: boolean; readonly signs: boolean }[]
}

export const showKeys = (dataDir: string): KeysShown => shown(readKeyFolder(keyFolder(dataDir)))

function shown({ folder, rootPublicKey, keyset, signing }: KeyFolder): KeysShown {
  const here = new Set(signing.map(({ publicKey }) => publicKey))
  const signs = keyset.keys.find((key) => here.has(key))
  return {
    root: rootPublicKey,
    rootHere: existsSync(rootFile(folder)),
    generation: keyset.generation,
    version: keyset.version,
    keys: keyset.keys.map((key) => ({ id: keyIdOf(key), here: here.has(key), signs: key === signs })),
  }
}

/** What the next keyset says. `rotate`: a new key signs; `add`: a new key waits; `retire`: a key is believed no more. */
export type KeysChange =
  | { readonly do: 'rotate' | 'add' | 'generation' }
  | { readonly do: 'retire'; readonly key: string }

/**
 * Changes the keyset with the root key, in the folder or in the file `root`. Gateways learn of it by the next policy that
 * they ask for. Throws CLOUD_ROOT_MISSING, CLOUD_KEYSET_REFUSED.
 */
export function changeKeys(dataDir: string, change: KeysChange, root?: string): KeysShown {
  const folder = keyFolder(dataDir)
  const rootKey = rootKeyIn(folder, root)
  const before = readKeyFolder(folder)
  if (rootKey.publicKey !== before.rootPublicKey) throw refused('this is the root key of another cloud')
  addKeyset(folder, sealKeyset(nextKeyset(before, change), rootKey))
  return shown(readKeyFolder(folder))
}

/** The same where the root key is elsewhere: the text to be signed there by `signRequest`. */
export function requestKeys(dataDir: string, change: KeysChange): string {
  return `${JSON.stringify(nextKeyset(readKeyFolder(keyFolder(dataDir)), change))}\n`
}

/** Where the root key is, signs a request. Throws CLOUD_ROOT_MISSING, CLOUD_KEYSET_REFUSED. */
export function signRequest(request: string, root: string): Uint8Array {
  return sealKeyset(requestIn(request), rootKeyIn('', root))
}

function requestIn(text: string): Keyset {
  try {
    return Keyset.parse(JSON.parse(text))
  } catch (cause) {
    throw refused('this is no request for a keyset', { cause })
  }
}

/** Takes in a keyset that the root signed elsewhere. Throws CLOUD_KEYSET_REFUSED. */
export function installKeyset(dataDir: string, file: string): KeysShown {
  const folder = keyFolder(dataDir)
  const before = readKeyFolder(folder)
  const sealed = new Uint8Array(readFileSync(file))
  const keyset = openKeyset(before.rootPublicKey, sealed)
  if (keyset === undefined) throw refused(`${file} is not signed by the root key of this cloud`)
  if (comparePolicyOrder(keyset, before.keyset) <= 0)
    throw refused(`${file} is not newer than what is in use`)
  if (!keyset.keys.some((key) => before.signing.some(({ publicKey }) => publicKey === key)))
    throw refused(`none of the keys in ${file} is here`)
  addKeyset(folder, sealed)
  return shown(readKeyFolder(folder))
}

/** Moves the root key out of the data folder. Throws CLOUD_ROOT_MISSING, CLOUD_KEYSET_REFUSED where the file is there. */
export function exportRoot(dataDir: string, to: string): void {
  const folder = keyFolder(dataDir)
  rootKeyIn(folder)
  if (existsSync(to)) throw refused(`${to} is there already`)
  writeDurably(to, readFileSync(rootFile(folder)))
  rmSync(rootFile(folder))
}

function nextKeyset({ folder, keyset }: KeyFolder, change: KeysChange): Keyset {
  const { generation, version, keys } = keyset
  const next = { v: 2 as const, generation, version: version + 1, keys }
  switch (change.do) {
    case 'generation':
      return { ...next, generation: generation + 1 }
    case 'retire': {
      const kept = keys.filter((key) => keyIdOf(key) !== change.key)
      if (kept.length === keys.length) throw refused(`there is no key ${change.key} in the keyset`)
      if (kept.length === 0) throw refused('the last key cannot be retired; rotate first')
      return { ...next, keys: kept }
    }
    case 'rotate':
    case 'add': {
      if (keys.length >= KEYS_MAX) throw refused(`a keyset has ${KEYS_MAX} keys at most; retire one first`)
      const { publicKey } = addSigningKey(folder)
      return { ...next, keys: change.do === 'rotate' ? [publicKey, ...keys] : [...keys, publicKey] }
    }
  }
}

const refused = (sentence: string, options?: ErrorOptions): SyncError =>
  new SyncError('CLOUD_KEYSET_REFUSED', sentence, options)
