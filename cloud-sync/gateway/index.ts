export { DEFAULT_BUDGETS } from './lanes.ts'
export type * from './options.ts'
export type * from './ports.ts'
export { createUplink } from './uplink.ts'
