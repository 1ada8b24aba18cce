import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generateKeyPair, type SigningKey, signingKey } from '../cloud-sync/codec/index.ts'
import { unusable, usableFolder } from './folder.ts'

/** The gateway's own key: made at first start, never exported. Its public key is registered in the cloud. */
export const gatewayKey = (dataDir: string): SigningKey => keptKey(join(dataDir, 'gateway.key'))

/** The root of a gateway without a cloud: it signs the snapshots that its configuration says. */
export const localRootKey = (dataDir: string): SigningKey => keptKey(join(dataDir, 'local-root.key'))

/** The Ed25519 key in this file (PKCS8 PEM, mode 0600); made where there is none, whole or not at all. @throws AgentError STORE_UNUSABLE */
function keptKey(path: string): SigningKey {
  try {
    return signingKey(readFileSync(path, 'utf8'))
  } catch (error) {
    if (!isErrno(error)) throw error
    if (error.code !== 'ENOENT') throw unusable(dirname(path), error)
  }
  const { privateKey } = generateKeyPair()
  usableFolder(dirname(path))
  writeWhole(path, privateKey)
  return signingKey(privateKey)
}

/** An error of the system, as against a file that is no key. */
const isErrno = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error

/** Written aside, flushed, then renamed: a power cut leaves the old file or the new one. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  const aside = `${path}.new`
  const file = openSync(aside, 'w', 0o600)
  try {
    writeSync(file, typeof content === 'string' ? Buffer.from(content) : content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(aside, path)
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
