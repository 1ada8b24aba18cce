import { type GatewayId, type Hash, type OrgId, PolicySnapshot, SyncError } from '../../contract/index.ts'
import { sealSnapshot, sha256 } from '../../codec/index.ts'
import type { CloudKeys } from '../keys.ts'
import {
  appendEntry,
  type CloudDatabase,
  type Db,
  entriesAfter,
  insertSnapshot,
  newestSnapshot,
} from '../storage/index.ts'
import { DirectoryChange, type Refusal } from './changes.ts'
import { gatewaysOf, projectFor } from './project.ts'
import { apply, refusalOf } from './rules.ts'
import { type DirectoryState, emptyState, type RegisteredGateway } from './state.ts'

/** A gateway's snapshot as it travels. */
export interface SealedPolicy {
  readonly version: number
  /** SHA-256 of `message`, as in `dn/pol/head`. */
  readonly hash: Hash
  readonly message: Uint8Array
}

export type ChangeOutcome =
  | { readonly done: true; readonly gateways: readonly GatewayId[] }
  | { readonly done: false; readonly because: Refusal }

export interface DirectorySettings {
  readonly db: CloudDatabase
  readonly keys: CloudKeys
  /** Wall clock, epoch ms. */
  readonly now: () => number
}

/** Who owns what and who is shown it: the policy log, what it adds up to, and the snapshots made of it. */
export interface Directory {
  gateway(id: GatewayId): RegisteredGateway | undefined
  gateways(): readonly RegisteredGateway[]
  /** Gateways on which the organisation owns or is shown something. */
  gatewaysOf(org: OrgId): readonly GatewayId[]
  /** What `decide` asks: the newest policy of a gateway, whether or not it has reached it. */
  policyOf(id: GatewayId): PolicySnapshot | undefined
  /** Every organisation, member and key, for logging in: `gateway` means nothing here. */
  state(): Readonly<DirectoryState>
  /** The newest snapshot; the same version always has the same bytes. */
  sealedFor(id: GatewayId): Promise<SealedPolicy | undefined>
  /** One change, its log entry and the snapshots it makes, in one transaction. */
  change(actor: string, change: DirectoryChange): Promise<ChangeOutcome>
  /** Called after the commit that made a new snapshot; the returned way stops it. */
  onSnapshot(listener: (gateway: GatewayId, sealed: SealedPolicy) => void): () => void
}

/** Folds the log; where it is empty, the seed is its first part. Throws CLOUD_DIRECTORY_INVALID. */
export async function openDirectory(
  settings: DirectorySettings,
  seed: () => readonly { change: DirectoryChange; where: string }[],
): Promise<Directory> {
  const { db, now } = settings
  let state = await fold(db.write)
  const policies = new Map<GatewayId, PolicySnapshot>()
  const listeners = new Set<(gateway: GatewayId, sealed: SealedPolicy) => void>()
  if (state.organisations.size === 0) {
    const planted = plant(seed())
    await db.write.transaction().execute(async (trx) => {
      for (const change of planted.changes) await appendEntry(trx, entryOf('seed', change, now()))
      for (const id of planted.state.gateways.keys())
        await sealAnew(trx, { ...settings, state: planted.state }, id)
    })
    state = planted.state
  }

  const changeNow = async (actor: string, change: DirectoryChange): Promise<ChangeOutcome> => {
    const because = refusalOf(state, change)
    if (because !== undefined) return { done: false, because }
    const before = touched(state, change)
    const sealed = new Map<GatewayId, SealedPolicy>()
    try {
      await db.write.transaction().execute(async (trx) => {
        apply(state, change)
        await appendEntry(trx, entryOf(actor, change, now()))
        for (const id of new Set([...before, ...touched(state, change)])) {
          const made = await sealAnew(trx, { ...settings, state }, id)
          if (made !== undefined) sealed.set(id, made)
        }
      })
    } catch (error) {
      // The log is the truth: what was not committed did not happen.
      state = await fold(db.write)
      throw error
    }
    policies.clear()
    for (const [id, made] of sealed) for (const listener of listeners) listener(id, made)
    return { done: true, gateways: [...sealed.keys()] }
  }

  let tail: Promise<unknown> = Promise.resolve()
  return {
    gateway: (id) => state.gateways.get(id),
    gateways: () => [...state.gateways.values()],
    gatewaysOf: (org) => gatewaysOf(state, org),
    state: () => state,
    policyOf(id) {
      const gateway = state.gateways.get(id)
      if (gateway === undefined) return undefined
      const known = policies.get(id) ?? projectFor(state, gateway)
      policies.set(id, known)
      return known
    },
    sealedFor: (id) => newestSnapshot(db.read, id),
    change(actor, change) {
      const turn = tail.then(() => changeNow(actor, DirectoryChange.parse(change)))
      tail = turn.catch(() => undefined)
      return turn
    },
    onSnapshot(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Makes the next version where the content differs from the newest; undefined where nothing changed. */
async function sealAnew(
  db: Db,
  { keys, now, state }: DirectorySettings & { state: DirectoryState },
  id: GatewayId,
): Promise<SealedPolicy | undefined> {
  const gateway = state.gateways.get(id)
  if (gateway === undefined) return undefined
  const projected = projectFor(state, gateway)
  const content = JSON.stringify(projected)
  const newest = await newestSnapshot(db, id)
  if (newest?.content === content) return undefined
  const at = now()
  const version = (newest?.version ?? 0) + 1
  const snapshot = PolicySnapshot.parse({ ...projected, version, issuedAt: at })
  const message = sealSnapshot({ keyset: keys.keyset, snapshot, key: keys.signing })
  const sealed = { version, hash: sha256(message), message }
  await insertSnapshot(db, { gateway: id, at, content, ...sealed })
  return sealed
}

const entryOf = (actor: string, { kind, ...body }: DirectoryChange, at: number) => ({
  at,
  actor,
  kind,
  body: JSON.stringify(body),
})

async function fold(db: Db): Promise<DirectoryState> {
  const state = emptyState()
  for (const { kind, body } of await entriesAfter(db, 0)) {
    apply(state, DirectoryChange.parse({ kind, ...(JSON.parse(body) as object) }))
  }
  return state
}

function plant(seed: readonly { change: DirectoryChange; where: string }[]): {
  state: DirectoryState
  changes: DirectoryChange[]
} {
  const state = emptyState()
  const faults: string[] = []
  for (const { change, where } of seed) {
    const because = refusalOf(state, change)
    if (because === undefined) apply(state, change)
    else faults.push(`${where}: ${FAULTS[because]}`)
  }
  if (faults.length > 0) throw new SyncError('CLOUD_DIRECTORY_INVALID', faults.join('\n'))
  return { state, changes: seed.map(({ change }) => change) }
}

const FAULTS: Readonly<Record<Refusal, string>> = {
  exists: 'is there twice',
  unknown: 'names an organisation, member, gateway or device that is not in the file',
  'last-owner': 'leaves an organisation without an owner',
  'own-organisation': 'shares a device with the organisation that owns it',
}

/** Gateways whose snapshot may change; each is compared afterwards. */
function touched(state: DirectoryState, change: DirectoryChange): GatewayId[] {
  switch (change.kind) {
    case 'organisation.added':
      return []
    case 'member.added':
    case 'member.removed':
    case 'key.added':
    case 'key.removed':
      return gatewaysOf(state, change.org)
    case 'gateway.registered':
      return [change.id]
    case 'device.registered':
    case 'share.added':
    case 'share.revoked':
      return [change.gateway]
  }
}
