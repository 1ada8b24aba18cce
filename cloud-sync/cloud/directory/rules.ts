import type { Change, DirectoryChange, Refusal } from './changes.ts'
import { deviceIn, type DirectoryState, loginOf, notePresence } from './state.ts'

type Kind = DirectoryChange['kind']

interface Rule<K extends Kind> {
  /** Why the change cannot be made now. */
  refuse(state: DirectoryState, change: Change<K>): Refusal | undefined
  /** Changes `state` in place. */
  apply(state: DirectoryState, change: Change<K>): void
}

const OPEN = undefined

/** What each kind of change needs and does: the whole directory in one table. */
const RULES: { readonly [K in Kind]: Rule<K> } = {
  'organisation.added': {
    refuse: (state, { id }) => (state.organisations.has(id) ? 'exists' : OPEN),
    apply(state, { id, name }) {
      state.organisations.set(id, { id, name })
    },
  },
  'member.added': {
    refuse(state, { org, name }) {
      if (!state.organisations.has(org)) return 'unknown'
      const login = loginOf(org, name)
      return state.members.has(login) || state.keys.has(login) ? 'exists' : OPEN
    },
    apply(state, { org, name, role }) {
      const login = loginOf(org, name)
      const incarnation = (state.incarnations.get(login) ?? 0) + 1
      state.incarnations.set(login, incarnation)
      state.members.set(login, { org, name, role, incarnation })
    },
  },
  'member.removed': { refuse: refuseRemoval, apply: removeMember },
  'key.added': {
    // A key may carry its member's own name (then it is the member's login), else a name that nobody has.
    refuse(state, { org, name, member }) {
      if (!state.members.has(loginOf(org, member))) return 'unknown'
      const login = loginOf(org, name)
      if (state.keys.has(login)) return 'exists'
      return name !== member && state.members.has(login) ? 'exists' : OPEN
    },
    apply(state, { org, name, member, hash }) {
      state.keys.set(loginOf(org, name), { org, name, member, hash })
    },
  },
  'key.removed': {
    refuse: (state, { org, name }) => (state.keys.has(loginOf(org, name)) ? OPEN : 'unknown'),
    apply(state, { org, name }) {
      state.keys.delete(loginOf(org, name))
    },
  },
  'gateway.registered': {
    refuse(state, { id, org }) {
      if (state.gateways.has(id)) return 'exists'
      return state.organisations.has(org) ? OPEN : 'unknown'
    },
    apply(state, { id, org, publicKey }) {
      state.gateways.set(id, { id, org, publicKey })
      state.devices.set(id, new Map())
      notePresence(state, org, id)
    },
  },
  'device.registered': {
    refuse(state, { gateway, id, org, custodian }) {
      const devices = state.devices.get(gateway)
      if (devices === undefined || !state.organisations.has(org)) return 'unknown'
      if (devices.has(id)) return 'exists'
      return custodian === null || state.members.has(loginOf(org, custodian)) ? OPEN : 'unknown'
    },
    apply(state, { gateway, id, org, custodian, workspace }) {
      state.devices.get(gateway)?.set(id, { id, org, ownerEpoch: 1, custodian, workspace })
      notePresence(state, org, gateway)
    },
  },
  'share.added': {
    refuse: refuseShare,
    apply(state, { id, gateway, device, sensor, to, level }) {
      state.shares.set(id, { id, gateway, device, sensor, to, level })
    },
  },
  'share.revoked': {
    refuse: (state, { id }) => (state.shares.has(id) ? OPEN : 'unknown'),
    apply(state, { id }) {
      state.shares.delete(id)
    },
  },
}

/** Why the change cannot be made now, or undefined where it can. */
export const refusalOf = (state: DirectoryState, change: DirectoryChange): Refusal | undefined =>
  ruleOf(change).refuse(state, change)

/** Changes `state` in place; the caller has asked `refusalOf`. */
export function apply(state: DirectoryState, change: DirectoryChange): void {
  ruleOf(change).apply(state, change)
}

/** The table's type says that a kind's rule takes that kind's change. */
const ruleOf = (change: DirectoryChange): Rule<Kind> => RULES[change.kind] as Rule<Kind>

/** Nobody removes the last owner (access.md, Relations and evaluation). */
function refuseRemoval(state: DirectoryState, change: Change<'member.removed'>): Refusal | undefined {
  const member = state.members.get(loginOf(change.org, change.name))
  if (member === undefined) return 'unknown'
  if (member.role !== 'owner') return undefined
  const owners = [...state.members.values()].filter((m) => m.org === change.org && m.role === 'owner')
  return owners.length === 1 ? 'last-owner' : undefined
}

/** Keys of the member and shares to the member die with the membership; a re-invitation revives none. */
function removeMember(state: DirectoryState, { org, name }: Change<'member.removed'>): void {
  state.members.delete(loginOf(org, name))
  for (const [login, key] of state.keys) if (key.org === org && key.member === name) state.keys.delete(login)
  for (const [id, { to }] of state.shares) {
    if (to.org === org && to.member === name) state.shares.delete(id)
  }
}

function refuseShare(state: DirectoryState, change: Change<'share.added'>): Refusal | undefined {
  if (state.shares.has(change.id)) return 'exists'
  const device = deviceIn(state, change.gateway, change.device)
  const { org, member } = change.to
  if (device === undefined || !state.organisations.has(org)) return 'unknown'
  if (member !== null && !state.members.has(loginOf(org, member))) return 'unknown'
  return device.org === org && member === null ? 'own-organisation' : undefined
}
