export * from './interval.ts'
export * from './meters.ts'
export * from './register.ts'
export * from './restate.ts'
