import { existsSync } from 'node:fs'
import { Exchange } from '../../broker/exchange/exchange.ts'

/**
 * Preloaded into a gateway (`node --import`): while the file that `DIES_AT_KICK` names is there, the process is killed where
 * a power cut would be worst for a revocation: its policy is on the disk, and no session that it ends has been ended.
 */
const file = process.env['DIES_AT_KICK'] ?? ''
const { closeSessions } = Exchange.prototype
Exchange.prototype.closeSessions = function (...asked) {
  if (existsSync(file)) process.kill(process.pid, 'SIGKILL')
  return closeSessions.apply(this, asked)
}
