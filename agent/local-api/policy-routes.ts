import { freshnessOf } from '../../cloud-sync/access/index.ts'
import type { Mount } from '../console/app.ts'
import { AgentError } from '../errors.ts'
import type { Store } from '../storage/index.ts'
import type { PolicyFacts } from './state.ts'

const NOTHING = {
  ...{ generation: null, issuedAt: null, freshUntil: null, hardUntil: null },
  owner: { org: null, ownerEpoch: null },
}

/** What `headgate policy show` tells. */
export function policyFacts({ policy, policyTime }: Pick<Store, 'policy' | 'policyTime'>): PolicyFacts {
  const when = policyTime.when()
  const snapshot = policy.current()
  const newest = policy.newest()
  const { generation, issuedAt, freshUntil, hardUntil, owner } = snapshot ?? NOTHING
  return {
    version: policy.version(),
    generation,
    organisation: owner.org,
    ownerEpoch: owner.ownerEpoch,
    issuedAt,
    freshUntil,
    hardUntil,
    freshness: snapshot === null ? 'none' : freshnessOf(snapshot, when),
    policyTime: when.at,
    signed: when.signed,
    newest: newest === null ? null : { generation: newest.generation, version: newest.version },
    refused: policy.refusals(),
  }
}

/** For the Unix socket only: what is in force, and its bytes for another carrier. */
export const policyRoutes =
  (store: Pick<Store, 'policy' | 'policyTime'>): Mount =>
  (app) => {
    app.get('/v1/policy', (c) => c.json(policyFacts(store)))
    app.get('/v1/policy/bytes', (c) => {
      const bytes = store.policy.exported()
      if (bytes === undefined) throw new AgentError('CONSOLE_NO_POLICY', 'no policy is in force')
      return c.body(Uint8Array.from(bytes).buffer, 200, { 'content-type': 'application/octet-stream' })
    })
  }
