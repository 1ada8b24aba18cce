export * from './changes.ts'
export * from './directory.ts'
export { parseDirectory } from './seed.ts'
export {
  deviceIn,
  loginOf,
  type ShareOfGateway,
} from './state.ts'
