export { type AnswerFault, type LineFault } from './fault.ts'
export { loadScenario, profileScenario, type Scenario } from './scenario.ts'
export {
  type Simulator,
  type SimulatorFault,
  type SimulatorOptions,
  type SimulatorStats,
  startSimulator,
} from './simulator.ts'
export type { Truth } from './truth-log.ts'
export { type ForkedSimulator, type ForkOptions, forkSimulator } from './remote.ts'
export { profileTextNear } from './profile-files.ts'
