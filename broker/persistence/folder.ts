import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { BrokerError } from '../errors.ts'

/** Makes a folder where it is not there, and those above it. @throws BrokerError BROKER_STORE_UNUSABLE that says what is wrong with it */
export function usableFolder(folder: string): void {
  try {
    makeFolder(resolve(folder))
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/** The same for a failure that was met later. */
export const unusable = (folder: string, cause: unknown): BrokerError =>
  new BrokerError('BROKER_STORE_UNUSABLE', `${folder} cannot be used: ${reasonOf(cause)}.`, { cause })

/** Each by a call of its own: where nothing can be made, as in /proc, the recursive one of Node never returns. */
function makeFolder(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw coded('ENOTDIR')
    return
  }
  makeFolder(dirname(path))
  mkdirSync(path, { mode: 0o700 })
}

const coded = (code: string): Error => Object.assign(new Error(code), { code })

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'there is a file in its place (EEXIST)',
  ENOTDIR: 'there is a file in its place (ENOTDIR)',
  EACCES: 'this user may not write there (EACCES)',
  EPERM: 'this user may not write there (EPERM)',
  EROFS: 'the file system is read-only (EROFS)',
  ENOENT: 'nothing can be made there (ENOENT)',
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause))
}
