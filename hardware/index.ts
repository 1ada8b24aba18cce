export * from './config.ts'
export * from './errors.ts'
export type { DeviceStats, HardwareEvent, HardwareReport, LineReport } from './events.ts'
export type { DeviceState, LineHealthState } from './poll/health.ts'
export { findUsbTty } from './line/usb.ts'
export { LINE_LOAD_MAX } from './poll/admission.ts'
export { checkHardware } from './poll/intake.ts'
export type { Splits } from './process/messages.ts'
export {
  type Hardware,
  type HardwareLog,
  superviseHardware,
  type SupervisorConfig,
  type SupervisorStats,
} from './process/supervisor.ts'
export {
  type Calibration,
  type Channel,
  loadProfile,
  type Profile,
  type Resolution,
  senmlUnit,
} from './profile/index.ts'
export type * from './reading.ts'
export {
  type ForkedSimulator,
  forkSimulator,
  loadScenario,
  startSimulator,
} from './sim/index.ts'
export type { DissectedFrame } from './tools/dissect.ts'
export { MODBUS_ADDRESSES, type ScanEvent, type ScanRequest, scanLine } from './tools/scan.ts'
export { type SniffedFrame, type SniffRequest, sniffLine } from './tools/sniff.ts'
export { type TriedExchange, tryDevice, type TryRequest, type TryResult } from './tools/try.ts'
