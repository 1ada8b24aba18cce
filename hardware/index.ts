export * from './config.ts'
export * from './errors.ts'
export {
  type Alarm,
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
  type Scenario,
  type Simulator,
  startSimulator,
} from './sim/index.ts'
