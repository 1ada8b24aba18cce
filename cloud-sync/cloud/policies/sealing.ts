import { comparePolicyOrder, type GatewayId, type Hash, PolicySnapshot } from '../../contract/index.ts'
import {
  diffPolicy,
  type OpenedSnapshot,
  openSnapshot,
  sealDelta,
  sealSnapshot,
  sha256,
} from '../../codec/index.ts'
import { disguisePartners, pendingCut } from '../directory/index.ts'
import type { CloudKeys } from '../keys/index.ts'
import type { DirectoryReader, DirectoryRow, DirectoryStore, DirectoryTransaction } from '../storage/index.ts'
import { fitted, type LeftOut, type LeftOutOf } from './fit.ts'
import { inOrder, type PolicyContent, projectGateway } from './project.ts'
import { type Damaged, soundOf } from './sound.ts'

/**
 * Newest versions kept of each gateway's policy. Beside them those by which changes may have been made there that have not
 * come yet: the one that is in force there, and the one before.
 */
const VERSIONS_KEPT = 64

/** A gateway's policy as it travels. */
export interface SealedPolicy {
  readonly generation: number
  readonly version: number
  /** SHA-256 of `message`, as in `dn/pol/head`. */
  readonly hash: Hash
  readonly message: Uint8Array
}

/** How long a policy counts for after it was made, ms. */
export interface PolicyTerms {
  readonly freshMs: number
  readonly hardMs: number
}

export interface Sealing {
  readonly store: DirectoryStore
  readonly keys: CloudKeys
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly terms: PolicyTerms
}

export type PolicyRow = DirectoryRow<'gateway_policy'>

/** What is known of a gateway after a look: its newest version and what it was made of. */
export interface Looked {
  readonly gateway: DirectoryRow<'gateway'>
  /** What the gateway is told. */
  readonly content: PolicyContent
  /** What the cloud decides by: the same by everybody's name, but the old owner's until a gateway that changes hands has cut. */
  readonly present: PolicyContent
  readonly row: PolicyRow
  /** What did not fit into the newest version. */
  readonly leftOut: LeftOut
  readonly leftOutOf: LeftOutOf
  /** What could not be in any. */
  readonly damaged: Damaged
}

/**
 * Compares what the directory says with the newest version and makes the next one where they differ, where the keys are
 * of a newer generation, or where `renewBefore` (epoch ms) says that the newest is too old. Undefined where there is no
 * such gateway.
 */
export async function lookAt(
  sealing: Sealing,
  id: GatewayId,
  { renewBefore = 0 }: { readonly renewBefore?: number } = {},
): Promise<Looked | undefined> {
  const isDue = ({ generation, issued_at }: PolicyRow): boolean =>
    generation < sealing.keys.generation || issued_at < renewBefore
  const seen = await sealing.store.consistent((read) => project(read, id))
  if (seen === undefined) return undefined
  const { newest } = seen
  if (newest?.content === seen.text && !isDue(newest)) return { ...seen, row: newest }
  return sealing.store.transaction(async (tx) => {
    await tx.exclusively(`gateway_policy:${id}`)
    // Looked at again, now that nobody else can make one: an older view must never become a newer version.
    const now = await sealing.store.consistent((read) => project(read, id))
    if (now === undefined) return undefined
    const latest = now.newest
    if (latest?.content === now.text && !isDue(latest)) return { ...now, row: latest }
    return { ...now, row: await add(tx, sealing, { id, ...now }) }
  })
}

interface Projected extends Omit<Looked, 'row'> {
  readonly text: string
  /** What the content has seen of each organisation's log, JSON. */
  readonly heads: string
  readonly newest: PolicyRow | undefined
}

async function project(read: DirectoryReader, id: GatewayId): Promise<Projected | undefined> {
  const gateway = await read.get('gateway', { id })
  const present = await projectGateway(read, id)
  // Accepted by its next owner: the gateway is told of the next epoch, and cuts when it has this policy.
  const pending = await pendingCut(read, id)
  const named = pending === undefined ? present : await projectGateway(read, id, pending)
  if (gateway === undefined || present === undefined || named === undefined) return undefined
  const newest = await newestOf(read, id)
  const told = (): PolicyContent | undefined => newest && toldIn(newest)
  const { content: whole, damaged } = soundOf(inOrder(await disguisePartners(read, id, named)))
  const { content, leftOut, leftOutOf } = fitted(whole, told)
  const text = JSON.stringify(content)
  const heads = await headsOf(read, content)
  const decided = fitted(soundOf(present).content, told).content
  return { gateway, present: decided, content, leftOut, leftOutOf, damaged, text, heads, newest }
}

/** What a version was made of. */
export const toldIn = ({ content }: PolicyRow): PolicyContent => JSON.parse(content) as PolicyContent

/** Read in the same moment as the content: an entry beyond them is one that this version does not know. */
async function headsOf(read: DirectoryReader, { organisations }: PolicyContent): Promise<string> {
  const chain = organisations.map(({ id }) => `org:${id}`)
  const heads = await read.find('chain_head', { chain }, { orderBy: ['chain'] })
  return JSON.stringify(Object.fromEntries(heads.map((head) => [head.chain, head.seq])))
}

async function add(
  tx: DirectoryTransaction,
  { keys, now, terms }: Sealing,
  { id, content, text, heads, newest }: Projected & { id: GatewayId },
): Promise<PolicyRow> {
  const at = now()
  const row = {
    gateway: id,
    version: (newest?.version ?? 0) + 1,
    generation: Math.max(keys.generation, newest?.generation ?? 1),
    content: text,
    heads,
    issued_at: at,
    fresh_until: at + terms.freshMs,
    hard_until: at + terms.hardMs,
  }
  const snapshot = snapshotOf(row, content)
  const message = sealSnapshot({ keyset: keys.keyset, snapshot, key: keys.signing })
  const made = { ...row, hash: sha256(message), message }
  await tx.put('gateway_policy', made)
  const applied = await tx.get('gateway_applied', { gateway: id })
  const outdated = row.version - VERSIONS_KEPT
  if (applied?.version !== outdated && applied?.before !== outdated) await drop(tx, id, outdated)
  for (const org of new Set([content.owner.org, ...content.devices.map((device) => device.org)]))
    await tx.put('gateway_presence', { org, gateway: id })
  return made
}

/** A gateway has said which version is in force there: it is kept until the gateway has gone on. */
export async function noteApplied(
  { store }: Pick<Sealing, 'store'>,
  gateway: GatewayId,
  version: number,
): Promise<void> {
  if ((await store.read.get('gateway_applied', { gateway }))?.version === version) return
  await store.transaction(async (tx) => {
    await tx.exclusively(`gateway_policy:${gateway}`)
    const known = await tx.get('gateway_applied', { gateway })
    const policy = await tx.get('gateway_policy', { gateway, version })
    if (policy === undefined || known?.version === version) return
    await tx.put('gateway_applied', { gateway, version, before: known?.version ?? version })
    if (known === undefined || known.before === known.version) return
    const newest = (await newestOf(tx, gateway))?.version ?? 0
    if (known.before <= newest - VERSIONS_KEPT) await drop(tx, gateway, known.before)
  })
}

async function drop(tx: DirectoryTransaction, gateway: GatewayId, version: number): Promise<void> {
  const row = await tx.get('gateway_policy', { gateway, version })
  if (row !== undefined) await tx.drop('gateway_policy', { gateway, version })
}

/** The version as it was, or will be, signed. */
export const snapshotOf = (
  {
    version,
    generation,
    gateway,
    issued_at,
    fresh_until,
    hard_until,
  }: Omit<PolicyRow, 'hash' | 'message' | 'heads'>,
  content: PolicyContent,
): PolicySnapshot =>
  PolicySnapshot.parse({
    v: 2,
    gateway,
    generation,
    version,
    issuedAt: issued_at,
    freshUntil: fresh_until,
    hardUntil: hard_until,
    ...content,
    critical: [],
  })

export const newestOf = async (read: DirectoryReader, gateway: GatewayId): Promise<PolicyRow | undefined> =>
  (await read.find('gateway_policy', { gateway }, { orderBy: ['version'], descending: true, limit: 1 }))[0]

/** The version as it travels now: with the newest keyset, signed anew where that has replaced the one of its time. */
export function sealedIn(keys: CloudKeys, row: PolicyRow): SealedPolicy {
  const { generation, version, message } = row
  const known = { generation, version, hash: row.hash as Hash, message }
  const opened = openedIn(keys, row)
  if (opened === undefined || comparePolicyOrder(opened.keyset, keys) >= 0) return known
  // Not across generations: the newer one gets a version of its own.
  if (opened.keyset.generation !== keys.generation) return known
  const again = sealSnapshot({ keyset: keys.keyset, snapshot: opened.snapshot, key: keys.signing })
  return { generation, version, hash: sha256(again), message: again }
}

function openedIn(
  { rootPublicKey }: CloudKeys,
  { gateway, message }: PolicyRow,
): (OpenedSnapshot & { ok: true }) | undefined {
  const opened = openSnapshot({
    rootPublicKey,
    gateway: gateway as GatewayId,
    bytes: message,
    newestKeyset: undefined,
  })
  return opened.ok ? opened : undefined
}

/** What leads from one version to the other, or undefined where the whole is shorter or nothing leads there. */
export function deltaBetween(keys: CloudKeys, from: PolicyRow, to: PolicyRow): Uint8Array | undefined {
  const [before, after] = [openedIn(keys, from), openedIn(keys, to)]
  if (before === undefined || after === undefined || from.generation !== to.generation) return undefined
  const delta = diffPolicy(
    { version: from.version, body: before.body },
    { version: to.version, body: after.body },
  )
  if (delta === undefined) return undefined
  const sealed = sealDelta({ delta, gateway: to.gateway as GatewayId, key: keys.signing })
  return sealed.length < to.message.length ? sealed : undefined
}
