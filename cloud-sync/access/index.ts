export * from './authenticate.ts'
export * from './compiled.ts'
export * from './decide.ts'
export * from './question.ts'
