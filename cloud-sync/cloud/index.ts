export { type CloudConfig, readCloudConfig } from './config.ts'
export { type RunningCloud, startCloud } from './cloud.ts'
export { printableTrust } from './keys.ts'
