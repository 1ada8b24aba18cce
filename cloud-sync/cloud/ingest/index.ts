export { createLink, type Link } from './link.ts'
export type { Outcome } from './posting.ts'
