import { existsSync } from 'node:fs'
import { Exchange } from '../../broker/exchange/exchange.ts'

type CloseSessions = (this: unknown, ...asked: unknown[]) => Promise<void>

/**
 * Preloaded into a gateway (`node --import`): while the file that `DIES_AT_KICK` names is there, the process is killed where
 * a power cut would be worst for a revocation: its policy is on the disk, and no session that it ends has ended.
 */
const file = process.env['DIES_AT_KICK'] ?? ''
const exchanges = Exchange.prototype as unknown as { closeSessions: CloseSessions }
const { closeSessions } = exchanges
exchanges.closeSessions = function (...asked) {
  if (existsSync(file)) process.kill(process.pid, 'SIGKILL')
  return closeSessions.apply(this, asked)
}
