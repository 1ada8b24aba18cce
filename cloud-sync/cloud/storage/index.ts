export * from './billing/index.ts'
export * from './directory/index.ts'
export * from './ledger/index.ts'
export { type DatabaseTarget, isDuplicate } from './relational/index.ts'
