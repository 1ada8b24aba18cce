export { type Alerting, createAlerting, OFFLINE_AFTER_S } from './alerting.ts'
