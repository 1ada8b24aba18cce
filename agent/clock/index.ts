export { type ClockStep, GatewayClock } from './clock.ts'
export { systemSources, type TimeSources } from './sources.ts'
