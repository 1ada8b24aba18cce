import { cloudIdOf, sealReceipt } from '../../cloud-sync/codec/index.ts'
import { ClaimReceipt } from '../../cloud-sync/contract/index.ts'
import type { ClaimState } from './machine.ts'
import type { ClaimOptions } from './ports.ts'

type Claimed = Extract<ClaimReceipt, { what: 'claimed' }>

/** What the gateway signs about a claim or a release, base64. */
export function sealedReceipt(
  { gateway, key, trust, bootId, monoMs, trustedMs }: ClaimOptions,
  { generation, counter }: ClaimState,
  happened: { what: 'released' } | Pick<Claimed, 'what' | 'org' | 'ticket' | 'installer' | 'presence'>,
): string {
  const receipt = ClaimReceipt.parse({
    v: 1,
    gateway,
    keyFp: key.keyId,
    generation,
    claimCounter: counter,
    bootId,
    monoMs: Math.max(0, Math.round(monoMs())),
    at: trustedMs(),
    ...happened,
  })
  return Buffer.from(sealReceipt(receipt, { cloudId: cloudIdOf(trust), key })).toString('base64')
}
