export { type CloudKeys, openKeys, printableTrust } from './keys.ts'
export * from './manage.ts'
