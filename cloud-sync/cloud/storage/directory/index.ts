export * from './chains.ts'
export * from './policy-tables.ts'
export * from './store.ts'
export * from './tables.ts'
