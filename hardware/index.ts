export * from './config.ts'
export * from './errors.ts'
export type { Calibration } from './profile/calibration.ts'
export type * from './reading.ts'
