import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { type CloudConfig, isServer } from './config.ts'
import {
  createHashing,
  createOrgDirectory,
  deliverMail,
  type DirectoryWorld,
  fileOutbox,
  type LogSigner,
  type LogVerified,
  type MailPort,
  type OrgDirectory,
  parseDirectory,
  SCRYPT_COST,
  signLog,
  smtpMail,
  type WorkspaceUsage,
  verifyPolicyLog,
} from './directory/index.ts'
import { announcing, type Claims, createClaims } from './claims.ts'
import { createGatewayChanges, type GatewayChanges } from './gateway-changes.ts'
import type { CloudKeys } from './keys/index.ts'
import type { Log } from './log.ts'
import { type DirectoryReader, type DirectoryStore, openDirectoryStore } from './storage/index.ts'
import { readYamlFile } from './yaml.ts'
import { openMessage, sha256, signMessage } from '../codec/index.ts'
import { SyncError } from '../contract/index.ts'

const SECRET_BYTES = 32
const MAIL_EVERY_MS = 10_000
const FORGET_EVERY_MS = 3_600_000
/** A write may be repeated so long; whoever repeats it later does it again. */
const REPEATABLE_MS = 7 * 24 * 3_600_000
/** The configured directory is taken over under this key, and by its name never again. */
const SEED_KEY = 'configured-directory'

export interface RunningOrganisations {
  readonly directory: OrgDirectory
  readonly claims: Claims
  readonly changes: GatewayChanges
  readonly usage: WorkspaceUsage
  readonly store: DirectoryStore
  /** Checks the whole policy log, with what this cloud ever signed of it. */
  readonly verifyLog: () => Promise<LogVerified>
  stop(): Promise<void>
}

/** Opens the directory of organisations, takes over the configured one once, and lets mails leave. */
export async function startOrganisations(
  config: CloudConfig,
  { keys, log, usage }: { keys: CloudKeys; log: Log; usage: (read: DirectoryReader) => WorkspaceUsage },
): Promise<RunningOrganisations> {
  const database = config.database ?? join(config.dataDir, 'organisations.db')
  const store = await openDirectoryStore(
    isServer(database) ? { dialect: 'postgres', url: database } : { dialect: 'sqlite', path: database },
  )
  try {
    const world: DirectoryWorld = {
      store,
      now: Date.now,
      newId: randomUUID,
      newSecret: () => randomBytes(SECRET_BYTES).toString('base64url'),
      scryptCost: SCRYPT_COST,
      hashing: createHashing(),
      fingerprintKey: fingerprintKey(keys),
      usage: usage(store.read),
      seal: () => ({ keyset: keys.keyset, key: keys.signing, cloudId: keys.cloudId }),
      siteUrl: config.site?.replace(/\/+$/, '') ?? `http://${config.listen.http}`,
    }
    const directory = createOrgDirectory(world)
    await takeOver(directory, store, config)
    const mail = startUpkeep(world, { port: mailPort(config), sign: logSigner(keys), log })
    const claims = createClaims({ world, directory, log })
    const changes = createGatewayChanges({ world, log })
    return {
      directory: announcing(directory, (gateway) => {
        claims.announce(gateway)
      }),
      claims,
      changes,
      usage: usage(store.read),
      store,
      verifyLog: () => verifyPolicyLog(store, { open: opener(keys) }),
      stop: async () => {
        await mail.stop()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Only into an empty database: afterwards the directory of organisations has its own life. */
async function takeOver(directory: OrgDirectory, store: DirectoryStore, config: CloudConfig): Promise<void> {
  const [any] = await store.read.find('policy_log', {}, { limit: 1 })
  if (any !== undefined) return
  const call = { actor: { kind: 'operator', name: 'cloud' }, key: SEED_KEY } as const
  const outcome = await directory.write.platform.importSeed(call, seedOf(config))
  if (!outcome.ok) throw new SyncError('CLOUD_DIRECTORY_INVALID', outcome.message)
}

function seedOf({ directory }: CloudConfig): ReturnType<typeof parseDirectory> {
  if (directory === undefined) {
    throw new SyncError(
      'CLOUD_DIRECTORY_INVALID',
      'the directory is empty and `directory` names no file to fill it',
    )
  }
  return parseDirectory(directory, readYamlFile(directory, 'CLOUD_DIRECTORY_INVALID'))
}

function mailPort({ mail, dataDir }: CloudConfig): MailPort & { close?: () => void } {
  return mail === undefined
    ? fileOutbox(join(dataDir, 'outbox'), 'headgate@localhost')
    : smtpMail(mail.smtp, mail.from)
}

/** Checkpoints of the log are signed with the key of the keyset, like everything that the cloud vouches for. */
const logSigner =
  ({ signing, cloudId }: CloudKeys): LogSigner['sign'] =>
  (body) =>
    signMessage({ kind: 'log', recipient: cloudId, body, key: signing })

/**
 * 32 bytes that only this cloud can make: its signature over a text that is no message of any kind, the same each time
 * (RFC 8032, 5.1.6). After a change of keys a write with a password that is repeated across it is refused as another one.
 */
const fingerprintKey = ({ signing }: CloudKeys): Uint8Array =>
  Buffer.from(sha256(signing.sign(Buffer.from('headgate fingerprints of writes'))), 'hex')

/** By any key that ever signed for this cloud: a retired one took nothing back of what it had signed. */
const opener =
  (keys: CloudKeys): LogSigner['open'] =>
  (message) => {
    const publicKeyFor = (keyId: string): string | undefined => keys.everBelieved(keyId)
    const opened = openMessage({ kind: 'log', recipient: keys.cloudId, message, publicKeyFor })
    return opened.ok ? opened.body : undefined
  }

/** Mails, what is to be forgotten, checkpoints. One round after the other, so that a slow mail server never has two at once. */
function startUpkeep(
  world: DirectoryWorld,
  { port, sign, log }: { port: MailPort & { close?: () => void }; sign: LogSigner['sign']; log: Log },
): { stop(): Promise<void> } {
  let round: Promise<void> = Promise.resolve()
  const deliver = async (): Promise<void> => {
    try {
      await forget()
      const { failure } = await deliverMail(world, port)
      if (failure !== undefined) log.warn({ err: failure }, 'a mail waits')
    } catch (error) {
      log.error({ err: error }, 'the directory of organisations cannot be read')
    }
  }
  let forgotten = -FORGET_EVERY_MS
  const forget = async (): Promise<void> => {
    if (performance.now() - forgotten < FORGET_EVERY_MS) return
    forgotten = performance.now()
    const now = world.now()
    await world.store.transaction((tx) => tx.forget({ now, before: now - REPEATABLE_MS }))
    await signLog(world.store, { sign, now: world.now })
  }
  const timer = setInterval(() => {
    round = round.then(deliver)
  }, MAIL_EVERY_MS)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await round
      port.close?.()
    },
  }
}
