import { z } from 'zod'
import { type ChangeJudgement, type Circumstances, judgeChange } from '../../../access/index.ts'
import { decodeChange } from '../../../codec/index.ts'
import {
  type ChangeAck,
  type ChangeVerdict,
  type GatewayChange,
  GatewayId,
  type PolicyFacts,
  ReplicaId,
} from '../../../contract/index.ts'
import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { sharesOn } from '../kernel/limits.ts'
import { isOwnerRole } from '../kernel/presets.ts'
import { withPartnerNames } from '../kernel/partner-names.ts'
import { command, type DirectoryWorld, orgChain, perform, userChain, type Writing } from '../kernel/write.ts'
import { apply, namedWrongly } from './apply.ts'
import { pastOf } from './past.ts'
import { type Place, placeOf } from './place.ts'

/** How far one gateway's changes are judged, and what became of one. */
export type Heard = Omit<ChangeAck, 'serverTime'>

export interface ChangeTaking {
  readonly world: DirectoryWorld
  /** What a gateway is to know as the directory stands; undefined where there is no such gateway. */
  readonly factsOf: (read: DirectoryReader, gateway: GatewayId) => Promise<PolicyFacts | undefined>
}

const Input = z.strictObject({ gateway: GatewayId, body: z.base64() })

/** Takes one change that a gateway signed into the directory, in the order in which they were made there. */
export function createChangeTaker({
  world,
  factsOf,
}: ChangeTaking): (change: GatewayChange, body: Uint8Array) => Promise<Heard> {
  const made = takeCommand(factsOf)
  return async (change, body) => {
    const { gw: gateway, proposal } = change
    const { replica, seq } = proposal.dot
    const upTo = await heardUpTo(world.store.read, gateway, replica)
    // Something before it has not come yet: it comes again with it.
    if (seq > upTo + 1) return { replica, upTo, verdicts: [] }
    const { author } = await withPartnerNames(world.store.read, gateway, proposal)
    const { org, name } = author
    const call = {
      actor: { kind: 'user', user: name, org, scope: 'full' },
      key: `change-${gateway}-${replica}-${seq}`,
    } as const
    const outcome = await perform(world, made, call, { gateway, body: Buffer.from(body).toString('base64') })
    if (!outcome.ok && outcome.code !== 'DIRECTORY_KEY_REUSED')
      throw new Error(`change ${replica}:${seq} of ${gateway} was not taken: ${outcome.message}`)
    const verdict = outcome.ok ? outcome.value : forked(seq)
    return { replica, upTo: Math.max(upTo, seq), verdicts: [verdict] }
  }
}

const takeCommand = (factsOf: ChangeTaking['factsOf']) =>
  command({
    name: 'gateway.change',
    input: Input,
    async chains({ gateway, body }, _actor, read) {
      const change = await changeIn(read, gateway, body)
      const owner = await read.get('gateway', { id: gateway })
      const { author } = change.proposal
      const orgs = [owner?.org ?? author.org, ...(await strangersIn(read, change, owner))]
      return [...orgs.map(orgChain), userChain(author.name)]
    },
    async run(writing, { gateway, body }) {
      const change = await changeIn(writing.read, gateway, body)
      const { replica, seq } = change.proposal.dot
      const known = await writing.read.get('gateway_change', { gateway, replica, seq })
      if (known !== undefined) return known.body === body ? verdictOf(known) : forked(seq)
      const upTo = await heardUpTo(writing.read, gateway, replica)
      if (seq <= upTo) return lostBefore(seq)
      if (seq !== upTo + 1)
        return refuse('DIRECTORY_EXISTS', 'another change of this gateway was taken at the same moment')
      const judged = await judgeAndApply(writing, change, factsOf)
      const present = await writing.read.get('gateway', { id: gateway })
      const owner = present?.org ?? change.proposal.author.org
      const { state, because, winner } = judged
      // What is refused, or was not judged, may name anybody: it stands in no stranger's log.
      const [other] = state === 'refused' ? [] : await strangersIn(writing.read, change, present)
      const org = other ?? owner
      const row = { gateway, replica, seq, org, body, state, because, winner, at: writing.at }
      await writing.add('gateway_change', row)
      await writing.put('gateway_heard', { gateway, org: owner, replica, up_to: seq })
      return verdictOf(row)
    },
    outcome: ({ state, because }) => (state === 'accepted' ? 'done' : `${state}: ${because ?? ''}`),
  })

/** As it was signed, but with the names of a partner's people, who have none at their customers' gateways. */
const changeIn = (read: DirectoryReader, gateway: GatewayId, body: string): Promise<GatewayChange> =>
  withPartnerNames(read, gateway, decodeChange(Buffer.from(body, 'base64')))

/** What a gateway will never send: judged once by a cloud that does not know of it any more, or never made. */
interface Lost {
  readonly gateway: GatewayId
  readonly replica: ReplicaId
  /** The first that it still has. */
  readonly from: number
}

/**
 * Goes on after a gap that will never close. The gateway has said, signed, that everything before `from` was judged: this
 * cloud came back from a backup. Nothing follows from those changes here, as nothing does from whatever else was lost;
 * each later one is judged by itself. Said again, or of what is known, it changes nothing.
 */
export const goOnAfter = async (
  world: DirectoryWorld,
  { gateway, replica, from }: Lost,
): Promise<boolean> => {
  const upTo = await heardUpTo(world.store.read, gateway, replica)
  if (from <= upTo + 1) return false
  const actor = { kind: 'operator', name: `link ${gateway}` } as const
  const call = { actor, key: `changes-lost-${gateway}-${replica}-${from}-after-${upTo}` }
  const outcome = await perform(world, loseCommand, call, { gateway, replica, from })
  if (!outcome.ok) throw new Error(`lost changes of ${gateway} were not noted: ${outcome.message}`)
  return outcome.value.lost > 0
}

const loseCommand = command({
  name: 'gateway.changes-lost',
  input: z.strictObject({ gateway: GatewayId, replica: ReplicaId, from: z.int().min(2) }),
  async chains({ gateway }, _actor, read) {
    const owner = await read.get('gateway', { id: gateway })
    return owner === undefined ? [] : [orgChain(owner.org)]
  },
  async run(writing, { gateway, replica, from }) {
    const owner = (await writing.read.get('gateway', { id: gateway })) ?? notFound('gateway')
    const upTo = await heardUpTo(writing.read, gateway, replica)
    const lost = from - 1 - upTo
    if (lost <= 0) return { gateway, lost: 0 }
    const row = { gateway, replica, seq: from - 1, org: owner.org, body: '', winner: null, at: writing.at }
    await writing.add('gateway_change', { ...row, state: 'refused', because: 'lost' })
    await writing.put('gateway_heard', { gateway, org: owner.org, replica, up_to: from - 1 })
    return { gateway, lost }
  },
  outcome: ({ lost }) => `${lost} lost`,
})

type Judged = Pick<ChangeJudgement, 'state' | 'winner' | 'grant'> & { readonly because: string | null }

async function judgeAndApply(
  writing: Writing,
  change: GatewayChange,
  factsOf: ChangeTaking['factsOf'],
): Promise<Judged> {
  const { read } = writing
  const gateway = await read.get('gateway', { id: change.gw })
  const present = await factsOf(read, change.gw)
  if (gateway === undefined || present === undefined) return refused('unknown-resource')
  if (isOfBefore(change, gateway)) return lost('old-epoch')
  const place = await placeIn(read, change)
  const past = await pastOf(read, { change, present, place })
  const judged = past === undefined ? refused('past-unknown') : judgedBy(change, { past, place })
  if (past === undefined || judged.state === 'refused') return judged
  const because = await objectionOfDirectory(read, change, { judged, place, known: [past.past, present] })
  if (because !== undefined) return refused(because)
  if (judged.state === 'accepted' && (await isTooMuch(read, change, place))) return lost('limit')
  const known = past.isKnown ? past.past : undefined
  if (hasEffect(judged)) await apply(writing, { change, gateway, place, past: known, grant: judged.grant })
  return judged
}

const isOfBefore = ({ ownerEpoch }: GatewayChange, { owner_epoch }: DirectoryRow<'gateway'>): boolean =>
  ownerEpoch < owner_epoch

/** Whether it is about somebody who has, or had, to do with this gateway. */
async function knowsOf(
  read: DirectoryReader,
  change: GatewayChange,
  known: readonly PolicyFacts[],
): Promise<boolean> {
  const org = await aboutWhom(read, change)
  return known.some(({ organisations }) => organisations.some(({ id }) => id === org))
}

/** What stands against it that only the directory knows. */
async function objectionOfDirectory(
  read: DirectoryReader,
  change: GatewayChange,
  given: { judged: Judged; place: Place | undefined; known: readonly PolicyFacts[] },
): Promise<string | undefined> {
  const { judged, place, known } = given
  if (!(await knowsOf(read, change, known))) return 'unknown-resource'
  if (await wouldLoseLastOwner(read, change)) return 'last-owner'
  const { dot } = change.proposal
  if (judged.grant === null || place === undefined) return undefined
  return namedWrongly(read, { grant: judged.grant, place, dot })
}

const hasEffect = ({ state, grant }: Judged): boolean => state === 'accepted' || grant !== null

/** A gateway shows nobody more than fits into its policy. */
async function isTooMuch(
  read: DirectoryReader,
  { gw, proposal }: GatewayChange,
  place: Place | undefined,
): Promise<boolean> {
  if (proposal.change.kind !== 'grant.add' || place === undefined) return false
  const { count, max } = await sharesOn(read, gw, place.org)
  return count >= max
}

function judgedBy(
  { proposal }: GatewayChange,
  { past, place }: { past: Circumstances; place: Place | undefined },
): Judged {
  const { kind } = proposal.change
  if (kind === 'grant.remove' && place === undefined) return refused('unknown-resource')
  if (kind === 'grant.add' && (place === undefined || !ON_SITE.has(place.resource_kind)))
    return refused('unknown-resource')
  return judgeChange(proposal, past)
}

/** What is shown on site is on site: neither a workspace nor a view. */
const ON_SITE: ReadonlySet<Place['resource_kind']> = new Set(['gateway', 'device', 'sensor'])

const refused = (because: string): Judged => ({ state: 'refused', because, winner: null, grant: null })
const lost = (because: string): Judged => ({ state: 'void', because, winner: null, grant: null })
const forked = (seq: number): ChangeVerdict => ({ seq, state: 'refused', because: 'forked', winner: null })
const lostBefore = (seq: number): ChangeVerdict => ({ seq, state: 'refused', because: 'lost', winner: null })
const verdictOf = ({
  seq,
  state,
  because,
  winner,
}: Pick<DirectoryRow<'gateway_change'>, 'seq' | 'state' | 'because' | 'winner'>): ChangeVerdict => ({
  seq,
  state,
  because,
  winner,
})

async function heardUpTo(read: DirectoryReader, gateway: string, replica: string): Promise<number> {
  const newest = { orderBy: ['seq'], descending: true, limit: 1 } as const
  const [last] = await read.find('gateway_change', { gateway, replica }, newest)
  return last?.seq ?? 0
}

async function placeIn(read: DirectoryReader, { gw, proposal }: GatewayChange): Promise<Place | undefined> {
  const { change } = proposal
  if (change.kind === 'grant.add') return placeOf(read, gw, change.grant)
  return change.kind === 'grant.remove' ? placeOf(read, gw, change) : undefined
}

/** In whose log it may stand beside the owner's: nobody's where it is of before the owner, or of no organisation at all. */
async function strangersIn(
  read: DirectoryReader,
  change: GatewayChange,
  gateway: DirectoryRow<'gateway'> | undefined,
): Promise<string[]> {
  if (gateway === undefined || isOfBefore(change, gateway)) return []
  const id = await aboutWhom(read, change)
  return (await read.get('organisation', { id })) === undefined ? [] : [id]
}

/** Whose affair it is. */
async function aboutWhom(read: DirectoryReader, made: GatewayChange): Promise<string> {
  const { author, change } = made.proposal
  if ('org' in change) return change.org
  return (await placeIn(read, made))?.org ?? author.org
}

/** What two owners each took from the other in two places at once would leave nobody. */
async function wouldLoseLastOwner(read: DirectoryReader, { proposal }: GatewayChange): Promise<boolean> {
  const { change } = proposal
  if (change.kind !== 'member.remove' && change.kind !== 'member.suspend') return false
  const members = await read.find('membership', { org: change.org, state: 'active' })
  const owners = members.filter(({ role }) => isOwnerRole(role))
  return owners.length === 1 && owners[0]?.user === change.name
}
