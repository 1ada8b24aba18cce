import { expect, test } from 'vitest'
import type { QuotaShare } from '../../../../cloud-sync/contract/index.ts'
import { PolicySigner } from '../../../support/policy-signer.ts'

const DELTA_BYTES_MAX = 300

const share = (index: number, limit: number): QuotaShare =>
  ({
    workspace: `8b066307-b27b-4a86-a9d4-3936e6698${100 + index}`,
    meter: 'sensor.readings',
    period: 'month',
    limit,
  }) as QuotaShare

test('a limit that is divided anew is a small change of a policy', () => {
  const signer = new PolicySigner()
  const quotas = Array.from({ length: 20 }, (_, index) => share(index, 500_000))
  const before = { ...signer.policy(1), quotas }
  const changed = quotas.map((one, index) => (index === 7 ? { ...one, limit: 918_273 } : one))
  const after = { ...before, version: 2, issuedAt: before.issuedAt + 60_000, quotas: changed }
  expect(signer.change(before, after).length).toBeLessThanOrEqual(DELTA_BYTES_MAX)
})
