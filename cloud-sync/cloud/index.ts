export { type CloudConfig, readCloudConfig } from './config.ts'
export { type RunningCloud, startCloud } from './cloud.ts'
export {
  changeKeys,
  exportRoot,
  installKeyset,
  type KeysShown,
  printableTrust,
  requestKeys,
  showKeys,
  signRequest,
} from './keys/index.ts'
