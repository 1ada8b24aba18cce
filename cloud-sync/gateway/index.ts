export { DEFAULT_BUDGETS, type LaneFactors } from './lanes.ts'
export type * from './options.ts'
export {
  type ChangeOutbox,
  type StoredChange,
  type MembershipSink,
  type Outbox,
  POLICY_REFUSALS,
  type PolicyOutcome,
  type PolicyRefusal,
  type StoredBatch,
} from './ports.ts'
export { createUplink } from './uplink.ts'
