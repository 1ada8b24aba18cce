export { projectGateway } from './project.ts'
export { type Policies, startPolicies } from './policies.ts'
export type { SealedPolicy } from './sealing.ts'
