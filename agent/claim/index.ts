export { createClaim } from './create.ts'
export type { ClaimFacts, ClaimService } from './service.ts'
