export type * from './broker.ts'
export * from './errors.ts'
export type * from './policy.ts'
