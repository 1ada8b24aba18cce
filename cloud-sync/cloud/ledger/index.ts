export * from './post-usage.ts'
export { verifyGateway } from './verify.ts'
