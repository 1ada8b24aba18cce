export * from './config.ts'
export * from './errors.ts'
export type { HardwareEvent } from './events.ts'
export { findUsbTty } from './line/usb.ts'
export { LINE_LOAD_MAX } from './poll/admission.ts'
export { checkHardware } from './poll/intake.ts'
export type { Splits } from './process/messages.ts'
export { type Hardware, superviseHardware, type SupervisorStats } from './process/supervisor.ts'
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
export { MODBUS_ADDRESSES, type ScanEvent, scanLine } from './tools/scan.ts'
export { type SniffedFrame, sniffLine } from './tools/sniff.ts'
export { type TriedExchange, tryDevice } from './tools/try.ts'
