export * from './epochs.ts'
export * from './evidence.ts'
export * from './post-usage.ts'
export { verifyGateway } from './verify.ts'
