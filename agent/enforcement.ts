import type { Broker } from '../broker/index.ts'
import { effectiveFacts } from '../cloud-sync/access/index.ts'
import { type DeviceId, type PolicySnapshot, parseLocalTopic } from '../cloud-sync/contract/index.ts'
import type { Log } from './log.ts'
import type { PolicyInForce } from './policy/in-force.ts'
import type { LocalPolicy, LocalPrincipal } from './policy/local-policy.ts'
import { devicesThatChangedHands, type Held, lossesBetween } from './policy/losses.ts'
import type { Publishing } from './publishing.ts'
import type { Store } from './storage/index.ts'

interface EnforcementParts {
  readonly store: Pick<Store, 'policy' | 'changes' | 'enforced'>
  readonly policy: LocalPolicy
  readonly broker: Pick<Broker<LocalPrincipal>, 'closeSessions' | 'dropRetained'>
  readonly log: Log
}

/**
 * Puts in force what the cloud says with what was changed here, whenever either changes, and takes back what that takes
 * away: in the same turn of the event loop the next delivery is decided by the new policy and the connections of whoever
 * lost something are closed, with their stored subscriptions, queued messages and wills.
 */
export class Enforcement {
  readonly #parts: EnforcementParts
  /** The broker has its stored sessions: from now on there is something to end. */
  #hasBegun = false
  #publishing: Publishing | undefined
  /** Policy time of the last look at keys that expire. */
  #lookedAt = -Infinity

  constructor(parts: EnforcementParts) {
    this.#parts = parts
    const { store, policy } = parts
    policy.apply(effective(store), provisional(store))
    store.policy.onApplied((snapshot) => {
      this.#apply()
      store.changes.forget(snapshot).catch(this.#failed('changes were not forgotten; they do no harm'))
    })
    store.changes.onChanged(() => {
      this.#apply()
    })
  }

  /**
   * The broker has taken up what it stored, and nobody is connected yet. Ends what a kill, between a policy and the end of
   * what it took away, has left.
   */
  begin(): void {
    const after = held(this.#parts.policy.inForce)
    this.#hasBegun = true
    // With no policy nobody is known, and nothing is anybody's: what was there is there again with the next one.
    this.#end(after && this.#enforced(), after)
  }

  /** What keeps last values of readings beside the broker. */
  watch(publishing: Publishing): void {
    this.#publishing = publishing
  }

  /** Ends the sessions of keys that have expired since the last time: no policy need come for that. */
  async endExpired(): Promise<void> {
    const { policy, broker } = this.#parts
    const since = this.#lookedAt
    const { at } = policy.inForce.when()
    this.#lookedAt = at
    const keys = policy.inForce.snapshot?.keys ?? []
    if (keys.some(({ expiresAt }) => expiresAt !== null && expiresAt > since && expiresAt <= at))
      await broker.closeSessions(policy.isGone)
  }

  #apply(): void {
    const { store, policy, log } = this.#parts
    const before = held(policy.inForce) ?? this.#enforced()
    policy.apply(effective(store), provisional(store))
    const after = held(policy.inForce)
    log.info({ version: after?.snapshot.version }, 'policy in force')
    if (this.#hasBegun) this.#end(before, after)
  }

  /** All of it, and that it is done, go into one commit: killed before, the next start does it again. */
  #end(before: Held | undefined, after: Held | undefined): void {
    const { store, policy, broker } = this.#parts
    const lost = lossesBetween({ before, after, when: policy.inForce.when() })
    broker
      .closeSessions((principal) => policy.isGone(principal) || hasLost(principal, lost), {
        nobodys: after !== undefined,
      })
      .catch(this.#failed('sessions were not closed; deliveries are refused all the same'))
    const devices = devicesThatChangedHands({ before, after })
    if (devices.size > 0) this.#forget(devices)
    const named = effective(store)
    if (named === undefined) return
    store.enforced
      .note(named)
      .catch(this.#failed('what has ended was not noted; the next start ends it again'))
  }

  #enforced(): Held | undefined {
    const { store, policy } = this.#parts
    const snapshot = store.enforced.read()
    return snapshot && held(policy.asOf(snapshot))
  }

  #forget(devices: ReadonlySet<DeviceId>): void {
    for (const device of devices) this.#publishing?.forget(device)
    this.#parts.broker
      .dropRetained((topic) => {
        const parsed = parseLocalTopic(topic)
        return parsed !== undefined && 'device' in parsed && devices.has(parsed.device)
      })
      .catch(
        this.#failed(
          'retained messages of an earlier owner were not dropped; deliveries are refused all the same',
        ),
      )
  }

  #failed(what: string): (error: unknown) => void {
    return (error) => {
      this.#parts.log.error({ err: error }, what)
    }
  }
}

const hasLost = (principal: LocalPrincipal, lost: ReturnType<typeof lossesBetween>): boolean =>
  principal.kind === 'member' && lost(principal.who)

function held({ snapshot, compiled }: PolicyInForce): Held | undefined {
  return snapshot === undefined || compiled === undefined ? undefined : { snapshot, compiled }
}

function effective({ policy, changes }: EnforcementParts['store']): PolicySnapshot | undefined {
  const snapshot = policy.current()
  if (snapshot === null) return undefined
  const own = changes.on(snapshot)
  if (own.length === 0) return snapshot
  return { ...snapshot, ...effectiveFacts(snapshot, own), owner: snapshot.owner }
}

function provisional({ policy, changes }: EnforcementParts['store']): ReadonlyMap<string, number> {
  const snapshot = policy.current()
  return snapshot === null ? new Map<string, number>() : changes.provisional(snapshot)
}
