import type { Right } from '../../contract/index.ts'
import { DirectoryRefusal, type DirectoryErrorCode } from './errors.ts'
import type { Actor } from './kernel/actor.ts'
import { demand, demandOperator } from './kernel/authority.ts'
import type { DirectoryWorld } from './kernel/write.ts'

export type Admission =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: DirectoryErrorCode; readonly message: string }

/** For the parts of the cloud that have data of their own and no rules: whether somebody may. */
export interface Gate {
  demand(
    actor: Actor,
    right: Right,
    target: { readonly org?: string | undefined; readonly workspace?: string | undefined },
  ): Promise<Admission>
  /** The same for what is the operator's of the platform. */
  demandOperator(actor: Actor): Promise<Admission>
}

/** Rights of those kinds change something; a key that only reads has none of them. */
const WRITES = /\.(manage|update|allocate)$/

export function createGate({ store, now }: DirectoryWorld): Gate {
  return {
    async demand(actor, right, { org, workspace }) {
      if (org === undefined)
        return { ok: false, code: 'DIRECTORY_NOT_FOUND', message: 'there is no such organisation' }
      return admitted(async () => {
        assertScope(actor, right)
        const target = workspace === undefined ? { org } : { org, workspace }
        await demand({ read: store.read, actor, at: now() }, right, target)
      })
    },
    demandOperator: (actor) => admitted(() => demandOperator({ read: store.read, actor })),
  }
}

async function admitted(demanded: () => Promise<void>): Promise<Admission> {
  try {
    await demanded()
    return { ok: true }
  } catch (error) {
    if (error instanceof DirectoryRefusal) return { ok: false, code: error.code, message: error.message }
    throw error
  }
}

function assertScope(actor: Actor, right: Right): void {
  const scope = actor.kind === 'user' ? actor.scope : 'full'
  const writes = WRITES.test(right)
  if (scope === 'read' && writes) throw new DirectoryRefusal('DIRECTORY_FORBIDDEN', 'this key only reads')
  if (scope === 'write' && !writes) throw new DirectoryRefusal('DIRECTORY_FORBIDDEN', 'this key only writes')
}
