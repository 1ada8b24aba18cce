export * from './changes.ts'
export * from './directory.ts'
export { parseDirectory } from './seed.ts'
export {
  deviceIn,
  type DirectoryState,
  loginOf,
  type RegisteredGateway,
  type ShareOfGateway,
} from './state.ts'
