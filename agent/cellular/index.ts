export { Cellular, type CellularRules } from './cellular.ts'
export { KernelLinks } from './kernel.ts'
export { askMmcli } from './mmcli.ts'
export type { CellularMeter } from './ports.ts'
