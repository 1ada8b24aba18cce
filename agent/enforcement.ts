import type { Broker } from '../broker/index.ts'
import { effectiveFacts } from '../cloud-sync/access/index.ts'
import { type PolicySnapshot, parseLocalTopic } from '../cloud-sync/contract/index.ts'
import type { Log } from './log.ts'
import type { LocalPolicy, LocalPrincipal } from './policy/local-policy.ts'
import { devicesThatChangedHands, type Held, lossesBetween } from './policy/losses.ts'
import type { Publishing } from './publishing.ts'
import type { Store } from './storage/index.ts'

interface EnforcementParts {
  readonly store: Pick<Store, 'policy' | 'changes'>
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
    const { store, policy, broker, log } = this.#parts
    const before = held(policy)
    policy.apply(effective(store), provisional(store))
    const after = held(policy)
    log.info({ version: after?.snapshot.version }, 'policy in force')
    const lost = lossesBetween({ before, after, when: policy.inForce.when() })
    broker
      .closeSessions((principal) => policy.isGone(principal) || hasLost(principal, lost))
      .catch(this.#failed('sessions were not closed; deliveries are refused all the same'))
    const devices = devicesThatChangedHands({ before, after })
    if (devices.size === 0) return
    for (const device of devices) this.#publishing?.forget(device)
    broker
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

function held({ inForce: { snapshot, compiled } }: LocalPolicy): Held | undefined {
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
