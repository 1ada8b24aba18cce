export type * from './message-store.ts'
export { openBrokerStorage, type OpenedBrokerStorage } from './open.ts'
export * from './traffic-registers.ts'
export { SqliteMessageStore } from './sqlite-store.ts'
