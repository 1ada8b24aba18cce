export { type Quotas, startQuotas } from './quotas.ts'
export { newShares } from './split.ts'
export { ledgerUsage } from './usage.ts'
