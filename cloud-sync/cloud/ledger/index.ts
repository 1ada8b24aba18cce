export * from './epochs.ts'
export * from './post-usage.ts'
export { verifyGateway } from './verify.ts'
