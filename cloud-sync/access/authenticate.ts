import {
  type ApiKey,
  type Hash,
  MemberName,
  OrgId,
  type PolicySnapshot,
  ZERO_HASH,
} from '../contract/index.ts'
import type { Principal } from './question.ts'

export type Authenticated =
  | { readonly ok: true; readonly principal: Principal; readonly key: ApiKey }
  | { readonly ok: false; readonly because: 'no-policy' | 'bad-credentials' }

export interface LoginQuestion {
  readonly snapshot: Pick<PolicySnapshot, 'keys' | 'members' | 'organisations' | 'links'> | undefined
  /** `org-handle:name`, as it came. */
  readonly username: string
  /** SHA-256 of the key as it came; null = a verified certificate has proved the name. */
  readonly keyHash: Hash | null
  /** Compares in constant time; `codec.sameHash`. */
  readonly equal: (a: Hash, b: Hash) => boolean
}

/**
 * Who logs in with an API key, decided from the snapshot alone. An unknown name costs a comparison too and gets the
 * same answer as a wrong key, so that nobody learns which names there are. A partner's people have opaque ids here
 * instead of names: they are known by their key alone, 256 random bits. Whether the key has expired is `decide`'s.
 */
export function authenticate({ snapshot, username, keyHash, equal }: LoginQuestion): Authenticated {
  if (snapshot === undefined) return { ok: false, because: 'no-policy' }
  const given = parseLogin(username)
  const { org, name } = given ?? { org: '', name: '' }
  const isNameless = keyHash !== null && snapshot.links.some(({ partner }) => partner === org)
  const known = snapshot.keys.filter(
    (key) =>
      key.org === org &&
      (isNameless || key.name === name) &&
      hasMember(snapshot, key) &&
      !isAnothersName(snapshot, key),
  )
  // Every candidate is compared, whichever is right: a rotation gives one name two keys for a while.
  const right = keyHash === null ? known : known.filter(({ hash }) => equal(hash, keyHash))
  if (known.length === 0 && keyHash !== null) equal(ZERO_HASH, keyHash)
  const [key] = right
  if (given === undefined || key === undefined) return { ok: false, because: 'bad-credentials' }
  return { ok: true, principal: { org: key.org, name: key.name }, key }
}

/** A key dies with its membership and with its organisation. Who left by themselves logs in, to what they were left with. */
function hasMember(
  { organisations, members }: Pick<PolicySnapshot, 'members' | 'organisations'>,
  key: PolicySnapshot['keys'][number],
): boolean {
  return (
    organisations.some(({ id, state }) => id === key.org && state === 'active') &&
    members.some(
      ({ org, name, incarnation, state }) =>
        org === key.org &&
        name === key.member &&
        incarnation === key.incarnation &&
        (state === 'active' || state === 'left'),
    )
  )
}

/** A login under another member's name would be taken for that member. */
const isAnothersName = (
  { members }: Pick<PolicySnapshot, 'members'>,
  key: PolicySnapshot['keys'][number],
): boolean => key.name !== key.member && members.some(({ org, name }) => org === key.org && name === key.name)

function parseLogin(username: string): Principal | undefined {
  const [org, name, ...more] = username.split(':')
  const parsedOrg = OrgId.safeParse(org)
  const parsedName = MemberName.safeParse(name)
  if (!parsedOrg.success || !parsedName.success || more.length > 0) return undefined
  return { org: parsedOrg.data, name: parsedName.data }
}
