export { type ClockOptions, type ClockStep, GatewayClock } from './clock.ts'
export { systemSources, type TimeSources } from './sources.ts'
