export { packCells, unpackCells } from './cells.ts'
export * from './store.ts'
export { BILLING_TABLES, type BillingRow } from './tables.ts'
