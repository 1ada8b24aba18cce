export { createApp } from './app.ts'
export { parseNetwork } from './client-address.ts'
