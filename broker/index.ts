export type * from './broker.ts'
export type { AuditEvent } from './exchange/audit.ts'
export { createBroker } from './create-broker.ts'
export * from './errors.ts'
export { type BrokerLimits, contradictions, DEFAULT_LIMITS, limitsWith } from './limits.ts'
export {
  type ClientCertificate,
  listenerFault,
  type ListenerSpec,
  type Transport,
  tryListener,
} from './listen/index.ts'
export { openBrokerStorage, type OpenedBrokerStorage } from './persistence/index.ts'
export { serveMetrics } from './metrics/serve.ts'
export type * from './policy.ts'
