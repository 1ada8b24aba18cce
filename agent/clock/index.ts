export { type ClockStep, GatewayClock } from './clock.ts'
export { type KeptPolicyTime, POLICY_TIME_KEPT_EVERY_MS, PolicyTime } from './policy-time.ts'
export { systemSources, type TimeSources } from './sources.ts'
