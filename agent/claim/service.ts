import { randomBytes, timingSafeEqual } from 'node:crypto'
import { NOBODYS_KEY, openClaimDocument, openSiteProof, sealChallenge } from '../../cloud-sync/codec/index.ts'
import {
  ClaimNonce,
  type ClaimTicket,
  NOBODY,
  type PolicySnapshot,
  PRESENCE_MS,
  RECEIPT_DETAIL,
  RECEIPT_EVENT,
} from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { Askings } from './askings.ts'
import { type ClaimInput, nextClaim } from './machine.ts'
import { closedPolicy, provisionalPolicy } from './provisional.ts'
import { type Kept, keptClaim } from './kept.ts'
import { isAlarm, UNCONFIRMED_EVENT } from './unconfirmed.ts'
import type { ClaimFacts, ClaimOptions } from './ports.ts'
import { sealedReceipt } from './receipt.ts'

const NONCE_BYTES = 16
/** So long after the claim its receipt is told to who names the ticket, ms: a phone has it by then, or claims again. */
const RECEIPT_TOLD_MS = 3_600_000
/** The one answer to every claim that does not succeed; only the log knows why. */
const refusal = (): AgentError =>
  new AgentError('CLAIM_REFUSED', 'this gateway cannot be claimed with this label and ticket')

const sameText = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Whose the gateway is: what it is told by the cloud, proven on site, and tells in turn. Steps are taken one by one. */
export class ClaimService {
  readonly #options: ClaimOptions
  readonly #askings = new Askings()
  readonly #reservations = new Map<string, { readonly ticket: ClaimTicket; readonly sealed: string }>()
  #kept: Kept
  /** Monotonic, ms, of this run. */
  #claimedAt = -Infinity
  /** By which it was claimed last. */
  #ticket: ClaimTicket | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #stops: (() => void)[] = []

  constructor(options: ClaimOptions) {
    this.#options = options
    this.#kept = keptClaim(options.keeper.read())
    this.#ticket = this.#ticketKept()
  }

  /** Puts in force what the claim says, and takes what the cloud said while this was not running. */
  async start(): Promise<void> {
    const { policy, presence, eachHour } = this.#options
    const stored = policy.stored()
    if (stored !== null) await this.#inTurn(() => this.#hear(stored))
    this.#enforce()
    this.#stops = [
      policy.onStored((snapshot) => void this.#inTurn(() => this.#hear(snapshot)).catch(this.#failed)),
      presence.onPressed(() => void this.#inTurn(() => this.#takeReserved()).catch(this.#failed)),
      eachHour(() => void this.#inTurn(() => this.#waitOn()).catch(this.#failed)),
    ]
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    await this.#tail.catch(() => undefined)
  }

  facts(): ClaimFacts {
    const { state, receipt } = this.#kept
    return {
      gateway: this.#options.gateway,
      state: state.state,
      organisation: 'org' in state ? state.org : null,
      publicKey: this.#options.key.publicKey,
      lockedSeconds: Math.ceil(this.#options.guard.lockedMs() / 1_000),
      receipt,
    }
  }

  /**
   * What is told to whoever asks on site: the state. Whose it is, and the receipt with the installer's name, only to who
   * names the ticket by which it was claimed, and soon after (S4.14). The receipt of a release names nobody.
   */
  told(ticket: string | undefined): ClaimFacts {
    const facts = this.facts()
    const claimed = this.#ticket?.id
    const isSoon = this.#options.monoMs() - this.#claimedAt <= RECEIPT_TOLD_MS
    const isClaimers = ticket !== undefined && claimed !== undefined && isSoon && sameText(ticket, claimed)
    if (isClaimers) return facts
    return { ...facts, organisation: null, receipt: facts.state === 'unclaimed' ? facts.receipt : null }
  }

  /** Signs that it is this gateway, for this one asking; what it gives back is to be signed with the key of the label. */
  challenge(nonceP: ClaimNonce): Uint8Array {
    const { gateway, key, random = randomBytes, monoMs } = this.#options
    const nonceG = ClaimNonce.parse(Buffer.from(random(NONCE_BYTES)).toString('hex'))
    this.#askings.add(nonceG, { nonceP, at: monoMs() })
    const generation = Math.max(1, this.#kept.state.generation)
    return sealChallenge({ v: 1, gateway, generation, nonceP, nonceG }, key)
  }

  /**
   * Claims the gateway by a ticket and a proof made with its label. The same ticket and a right proof again get the same
   * receipt. @throws AgentError CLAIM_LOCKED, CLAIM_REFUSED
   */
  claim(given: { readonly ticket: Uint8Array; readonly proof: Uint8Array }): Promise<ClaimFacts> {
    return this.#inTurn(async () => {
      const { guard, log } = this.#options
      const lockedMs = guard.lockedMs()
      if (lockedMs > 0)
        throw new AgentError('CLAIM_LOCKED', `too many wrong tries; wait ${Math.ceil(lockedMs / 1_000)} s`)
      guard.tried()
      const ticket = this.#ticketIn(given.ticket)
      const isProven = this.#isProven(given.proof, ticket)
      // Written in either case: how long the disk took tells nobody that the code was right.
      guard.judged(isProven)
      if (!isProven || ticket === undefined || !this.#isOpenTo(ticket)) {
        log.warn(
          { isProven, ticket: ticket?.id ?? null, state: this.#kept.state.state },
          'a claim was refused',
        )
        throw refusal()
      }
      if (this.#kept.state.state === 'unclaimed')
        await this.#become(ticket, { sealed: given.ticket, presence: 'code' })
      return this.facts()
    })
  }

  /** What the cloud says about claiming, by whatever carrier. False where it is not the cloud's, or not for here. */
  deliver(bytes: Uint8Array): Promise<boolean> {
    return this.#inTurn(async () => {
      const { trust, gateway, presence } = this.#options
      const said = openClaimDocument({ rootPublicKey: trust, gateway, bytes })
      if (said === undefined) return false
      if (said.what === 'birth') {
        await this.#born(said.birth)
        return true
      }
      const { ticket } = said
      if (ticket.kind !== 'reservation' || ticket.serials?.includes(gateway) !== true) return false
      this.#reservations.set(ticket.id, { ticket, sealed: Buffer.from(bytes).toString('base64') })
      if (presence.isThere()) await this.#takeReserved()
      return true
    })
  }

  /** Somebody is at the button, and exactly one organisation has reserved the gateway: then it is meant. */
  async #takeReserved(): Promise<void> {
    const { log, trustedMs } = this.#options
    const now = trustedMs()
    const live = [...this.#reservations.values()].filter(
      ({ ticket }) => this.#isOfThisLabel(ticket) && (now === null || now <= ticket.until),
    )
    const [only, ...others] = live
    if (only === undefined || this.#kept.state.state !== 'unclaimed') return
    if (others.length > 0) {
      log.warn(
        { reservations: live.length },
        'more than one has reserved this gateway; the label has to decide',
      )
      return
    }
    await this.#become(only.ticket, { sealed: Buffer.from(only.sealed, 'base64'), presence: 'button' })
  }

  async #become(
    ticket: ClaimTicket,
    { sealed, presence }: { sealed: Uint8Array; presence: 'code' | 'button' },
  ): Promise<void> {
    const { guard, policy, log } = this.#options
    const { next, tells } = nextClaim(this.#kept.state, {
      event: 'claim',
      org: ticket.organisation.id,
      counterMin: guard.counter,
      policy: policy.name(),
    })
    if (tells !== 'claimed') throw refusal()
    guard.reached({ counter: next.counter })
    const { id, installer, organisation } = ticket
    const receipt = sealedReceipt(this.#options, next, {
      what: 'claimed',
      org: organisation.id,
      ticket: id,
      installer,
      presence,
    })
    await this.#keep({ state: next, ticket: Buffer.from(sealed).toString('base64'), receipt, hours: 0 }, true)
    this.#reservations.clear()
    this.#claimedAt = this.#options.monoMs()
    log.info({ organisation: organisation.id, ticket: id, presence }, 'claimed on site')
  }

  async #born({ generation, claimKey }: { generation: number; claimKey: string }): Promise<void> {
    const { guard, policy, log } = this.#options
    // A database that was set back does not bring back a code that has been replaced.
    if (generation < guard.generation) return
    const { next, tells } = nextClaim(this.#kept.state, {
      event: 'birth',
      generation,
      claimKey,
      policy: policy.name(),
    })
    if (next === this.#kept.state) return
    guard.reached({ generation })
    if (tells !== 'released') {
      await this.#keep({ ...this.#kept, state: next }, false)
      return
    }
    this.#reservations.clear()
    const receipt = sealedReceipt(this.#options, next, { what: 'released' })
    await this.#keep({ state: next, ticket: null, receipt, hours: 0 }, true)
    log.info({ generation }, 'let go; the new label opens')
  }

  async #hear(snapshot: PolicySnapshot): Promise<void> {
    const { claim, org } = snapshot.owner
    const input: ClaimInput = { event: 'policy', claim, org, policy: this.#options.policy.name() }
    const { next } = nextClaim(this.#kept.state, input)
    if (next === this.#kept.state) return
    await this.#keep({ ...this.#kept, state: next }, false)
  }

  /** Readings are taken for ever, also where no word comes; but somebody has to know. */
  async #waitOn(): Promise<void> {
    const { keeper, wallMs, log } = this.#options
    const { state } = this.#kept
    if (state.state !== 'provisional') return
    const hours = this.#kept.hours + 1
    const kept = { ...this.#kept, hours }
    const detail = { organisation: state.org, hours }
    const event = isAlarm(hours) ? { at: wallMs(), kind: UNCONFIRMED_EVENT, detail } : null
    await keeper.write(kept, { event, newOwner: false })
    this.#kept = kept
    if (event !== null) log.warn(detail, 'the cloud has not confirmed the claim yet')
  }

  async #keep(kept: Kept, newOwner: boolean): Promise<void> {
    const { keeper, wallMs } = this.#options
    const told = newOwner && kept.receipt !== null ? { [RECEIPT_DETAIL]: kept.receipt } : null
    const event = told === null ? null : { at: wallMs(), kind: RECEIPT_EVENT, detail: told }
    await keeper.write(kept, { event, newOwner })
    this.#kept = kept
    this.#ticket = this.#ticketKept()
    this.#enforce()
  }

  #ticketKept(): ClaimTicket | undefined {
    const { ticket } = this.#kept
    return ticket === null ? undefined : this.#ticketIn(Buffer.from(ticket, 'base64'))
  }

  /** Between a claim or release here and the cloud's word on it, the claim says who may what. */
  #enforce(): void {
    const { policy, gateway } = this.#options
    const { state } = this.#kept
    const ticket = this.#ticket
    switch (state.state) {
      case 'provisional':
        policy.overrule(
          ticket === undefined
            ? closedPolicy(gateway)
            : provisionalPolicy(ticket, gateway, this.#nextEpoch()),
        )
        return
      case 'unclaimed':
        // One that was never anybody's has nothing in force anyway.
        policy.overrule(state.before === null ? null : closedPolicy(gateway))
        return
      case 'claimed':
      case 'disputed':
      case 'decommissioned':
        policy.overrule(null)
    }
  }

  /** What the cloud will call the ownership that begins with the last claim. */
  #nextEpoch(): number {
    const owner = this.#options.policy.stored()?.owner
    if (owner === undefined) return 1
    const hadOwner = owner.org !== NOBODY || this.#kept.state.counter > 1
    return hadOwner ? owner.ownerEpoch + 1 : owner.ownerEpoch
  }

  /** Nobody's, or claimed by this very ticket before: then its answer was lost. */
  #isOpenTo(ticket: ClaimTicket): boolean {
    const { state } = this.#kept.state
    if (!this.#isOfThisLabel(ticket)) return false
    if (state === 'unclaimed') return true
    return (state === 'provisional' || state === 'claimed') && this.#ticket?.id === ticket.id
  }

  /** What somebody reserved who had seen an older label is over with that label. */
  #isOfThisLabel({ generation = this.#kept.state.generation }: ClaimTicket): boolean {
    return generation === this.#kept.state.generation
  }

  #ticketIn(bytes: Uint8Array): ClaimTicket | undefined {
    const { trust, gateway } = this.#options
    const said = openClaimDocument({ rootPublicKey: trust, gateway, bytes })
    if (said?.what !== 'ticket') return undefined
    const { serials } = said.ticket
    return serials === null || serials.includes(gateway) ? said.ticket : undefined
  }

  /** Every part is looked at whatever the others gave. */
  #isProven(message: Uint8Array, ticket: ClaimTicket | undefined): boolean {
    const { gateway, guard, monoMs } = this.#options
    const { generation, claimKey } = this.#kept.state
    const proof = openSiteProof(message, { gateway, claimKey: claimKey ?? NOBODYS_KEY })
    if (proof === undefined || ticket === undefined) return false
    const asking = this.#askings.take(proof.nonceG)
    if (asking === undefined) return false
    const isFresh = monoMs() - asking.at <= PRESENCE_MS
    const isAnswer = timingSafeEqual(Buffer.from(asking.nonceP), Buffer.from(proof.nonceP))
    return (
      isFresh && isAnswer && proof.ticket === ticket.id && claimKey !== null && generation >= guard.generation
    )
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(step, step)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  readonly #failed = (error: unknown): void => {
    this.#options.log.warn({ err: error }, 'the claim was not kept; it is tried again at the next start')
  }
}
