export { createLink, type IngestCounts, type Link } from './link.ts'
