import type { About, Decision } from '../../cloud-sync/access/index.ts'
import {
  type AccessChange,
  type Dot,
  type GatewayChange,
  type Grant,
  type Grantee,
  type MemberName,
  type OrgId,
  type PolicySnapshot,
  type Resource,
  type Right,
  type Shareable,
  shareMadeBy,
} from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import type { ChangeStore } from '../storage/changes.ts'
import { deviceOwner } from './device-owner.ts'
import type { Login, PolicyInForce } from './in-force.ts'

/** What is shown to somebody here ends after this much policy time, which only counts while the gateway runs, ms. */
const SHARE_MS_MAX = 72 * 3_600_000

/** Of which alerts somebody wants to hear no more. */
type Alert = Extract<AccessChange, { kind: 'alert.opt-out' }>['alert']

interface Parts {
  readonly inForce: PolicyInForce
  readonly changes: Pick<ChangeStore, 'make'>
}

/**
 * What may be changed on site, without the cloud: everything that takes away, at once and for good; and showing one of
 * the gateway's things to somebody it knows, for viewing, for 72 hours of running time at most (decisions.md).
 */
export class ChangesHere {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** @throws AgentError CHANGE_REFUSED */
  share(login: Login, { on, to }: { readonly on: Shareable; readonly to: Grantee }): Promise<GatewayChange> {
    const snapshot = this.#snapshot()
    if (on.kind === 'workspace' || on.kind === 'item')
      throw new AgentError(
        'CHANGE_REFUSED',
        'only the gateway, its devices and their sensors are shared here',
      )
    this.#demand(login, { action: 'share.grant', resource: on, about: { to, level: 'viewer' } })
    // The cloud would take it back: it knows nothing of what only the configuration names.
    if ('device' in on && !this.#parts.inForce.isNamed(on.device))
      throw new AgentError('CHANGE_REFUSED', `the directory does not know ${on.device} yet`)
    const { at } = this.#parts.inForce.when()
    const expiresAt = Math.min(at + SHARE_MS_MAX, snapshot.hardUntil ?? Infinity)
    const { ownerEpoch } = deviceOwner(snapshot, on)
    const there = snapshot.grants.find(
      (one) => same(one.on, on) && same(one.to, to) && one.ownerEpoch === ownerEpoch,
    )
    // It would take that one's place, and so take away what it was not asked to.
    if (there !== undefined && hasAsMuch(there, { at, expiresAt }))
      throw new AgentError('CHANGE_REFUSED', 'they have that already, or more; end that share first')
    return this.#make(login, (dot) => ({
      kind: 'grant.add',
      grant: grantOf({ dot, on, to, expiresAt, snapshot, by: login.author }),
    }))
  }

  /** Ends whatever is shown of this thing to this grantee. @throws AgentError CHANGE_REFUSED */
  revoke(login: Login, { on, to }: { readonly on: Shareable; readonly to: Grantee }): Promise<GatewayChange> {
    const grant = this.#snapshot().grants.find((one) => same(one.on, on) && samePlace(one.to, to))
    // Whoever may not end any is not told that there is none.
    const about = grant === undefined ? {} : { grant: grant.id }
    this.#demand(login, { action: 'share.revoke', resource: on, about })
    if (grant === undefined) throw new AgentError('CHANGE_REFUSED', 'there is no such share')
    return this.#make(login, () => ({ kind: 'grant.remove', on: grant.on, to: grant.to }))
  }

  /** @throws AgentError CHANGE_REFUSED */
  leave(login: Login): Promise<GatewayChange> {
    const { org, name } = login.author
    this.#demand(login, { action: 'self.leave', resource: { kind: 'org', org } })
    return this.#make(login, () => ({ kind: 'member.remove', org, name }))
  }

  /** Removes another member. @throws AgentError CHANGE_REFUSED */
  remove(login: Login, { org, name }: { org: OrgId; name: MemberName }): Promise<GatewayChange> {
    this.#demand(login, { action: 'member.remove', resource: { kind: 'org', org }, about: { member: name } })
    return this.#make(login, () => ({ kind: 'member.remove', org, name }))
  }

  /** Keeps everything and may do nothing until the cloud lifts it. @throws AgentError CHANGE_REFUSED */
  suspend(login: Login, { org, name }: { org: OrgId; name: MemberName }): Promise<GatewayChange> {
    this.#demand(login, { action: 'member.remove', resource: { kind: 'org', org }, about: { member: name } })
    return this.#make(login, () => ({ kind: 'member.suspend', org, name }))
  }

  /** No more mails about this thing to who asks. @throws AgentError CHANGE_REFUSED */
  optOut(
    login: Login,
    { on, alert }: { readonly on: Shareable; readonly alert: Alert },
  ): Promise<GatewayChange> {
    if (on.kind !== 'gateway' && on.kind !== 'device')
      throw new AgentError('CHANGE_REFUSED', 'alerts are told of the gateway and of its devices')
    this.#demand(login, { action: 'alert.self', resource: on })
    return this.#make(login, () => ({ kind: 'alert.opt-out', on, alert }))
  }

  /** Nobody logs in with keys of this name any more. @throws AgentError CHANGE_REFUSED */
  block(login: Login, { org, name }: { org: OrgId; name: MemberName }): Promise<GatewayChange> {
    const asked = { action: 'token.revokeAny', resource: { kind: 'org', org } } as const
    // Whoever may not end any is not told that there is none.
    this.#demand(login, asked)
    const key = this.#snapshot().keys.find((one) => one.org === org && one.name === name)
    if (key === undefined) throw new AgentError('CHANGE_REFUSED', `there is no key ${org}:${name}`)
    this.#demand(login, { ...asked, about: { member: key.member } })
    return this.#make(login, () => ({ kind: 'key.block', org, name }))
  }

  #snapshot(): PolicySnapshot {
    const { snapshot } = this.#parts.inForce
    if (snapshot === undefined) throw new AgentError('CONSOLE_NO_POLICY', 'this gateway has no policy yet')
    return snapshot
  }

  #demand(login: Login, asked: { action: Right; resource: Resource; about?: About }): void {
    const decision: Decision = this.#parts.inForce.decide({ principal: login.principal, ...asked })
    if (!decision.allowed)
      throw new AgentError('CHANGE_REFUSED', `this cannot be done here: ${decision.because}`)
  }

  #make({ author }: Login, change: (dot: Dot) => AccessChange): Promise<GatewayChange> {
    const { inForce, changes } = this.#parts
    return changes.make({ author, at: inForce.when().at, snapshot: this.#snapshot() }, change)
  }
}

function grantOf({
  dot,
  on,
  to,
  expiresAt,
  snapshot,
  by,
}: {
  readonly dot: Dot
  readonly on: Shareable
  readonly to: Grantee
  readonly expiresAt: number
  readonly snapshot: PolicySnapshot
  readonly by: Grant['by']
}): Grant {
  const { org, ownerEpoch } = deviceOwner(snapshot, on)
  const via =
    to.org === org
      ? undefined
      : snapshot.policies.find(
          ({ from, to: end, state }) => from === org && end === to.org && state === 'active',
        )
  return {
    id: shareMadeBy(dot),
    on,
    to,
    level: 'viewer',
    ownerEpoch,
    via: via?.id ?? null,
    by,
    custom: null,
    expiresAt,
    offlineTtl: via?.offlineTtl ?? null,
    legacy: false,
  }
}

/** Whether this live share shows as much as one for viewing until then. */
function hasAsMuch(
  share: Grant,
  { at, expiresAt }: { readonly at: number; readonly expiresAt: number },
): boolean {
  const end = share.expiresAt ?? Infinity
  return end > at && (share.level !== 'viewer' || end >= expiresAt)
}

const same = (a: Shareable | Grantee, b: Shareable | Grantee): boolean =>
  JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
const sorted = (thing: object): [string, unknown][] =>
  Object.entries(thing).sort(([a], [b]) => (a < b ? -1 : 1))

/** Whatever the membership's number: a share with an earlier one is ended too. */
const samePlace = (a: Grantee, b: Grantee): boolean =>
  JSON.stringify(sorted({ ...a, incarnation: 0 })) === JSON.stringify(sorted({ ...b, incarnation: 0 }))
