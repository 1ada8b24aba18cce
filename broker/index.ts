export type * from './broker.ts'
export { createBroker } from './create-broker.ts'
export * from './errors.ts'
export type * from './policy.ts'
