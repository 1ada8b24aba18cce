export { createClaim } from './create.ts'
export type { ClaimFacts } from './ports.ts'
export type { ClaimService } from './service.ts'
