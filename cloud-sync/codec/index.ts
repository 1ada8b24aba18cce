export * from './bodies.ts'
export * from './claim.ts'
export * from './claim-label.ts'
export { decodeColumns, encodeColumns } from './columns/columns.ts'
export {
  cloudIdOf,
  generateKeyPair,
  keyIdOf,
  type SigningKey,
  sameHash,
  sha256,
  shardOf,
  signingKey,
  NOBODYS_KEY,
} from './keys.ts'
export { POLICY_BYTES_MAX, policyBody, policyHash } from './policy/body.ts'
export { chunkPolicy, isPolicyChunk, PolicyChunks } from './policy/chunks.ts'
export * from './policy/delta.ts'
export { joinPolicy, splitPolicy } from './policy/joined.ts'
export * from './policy/snapshot.ts'
export * from './reading-batch.ts'
export * from './signed.ts'
export { decodeUsageBatch, encodeUsageBatch, recordsInDamaged, type UsageBatch } from './usage-batch.ts'
export * from './usage-record.ts'
