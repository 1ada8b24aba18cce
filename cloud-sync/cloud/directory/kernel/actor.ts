import type { TokenScope } from './words.ts'

/** Who acts, and for which organisation: rights of one are never added to those of another (access.md, step 1). */
export type Actor =
  | {
      readonly kind: 'user'
      readonly user: string
      /** The acting context; null = only for what is one's own. */
      readonly org: string | null
      /** What the credential lets through: a session everything, a token its scope. */
      readonly scope: TokenScope
      /** Whence they ask, where that is known. */
      readonly address?: string
    }
  /** Runs the platform, belongs to no organisation. */
  | { readonly kind: 'operator'; readonly name: string }
  /** Not signed in. */
  | { readonly kind: 'visitor'; readonly address: string }

export interface NamedActor {
  readonly kind: Actor['kind']
  readonly id: string
  readonly org: string | null
}

/** As it stands in the log, in the audit and before an idempotency key. */
export function nameOf(actor: Actor): NamedActor {
  switch (actor.kind) {
    case 'user':
      return { kind: actor.kind, id: actor.user, org: actor.org }
    case 'operator':
      return { kind: actor.kind, id: actor.name, org: null }
    case 'visitor':
      return { kind: actor.kind, id: actor.address, org: null }
  }
}
