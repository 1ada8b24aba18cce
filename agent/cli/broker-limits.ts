import type { BrokerLimits } from '../../broker/index.ts'
import { brokerLimits, LIMIT_NAMES } from '../config/broker-limits.ts'
import { AgentError } from '../errors.ts'

/**
 * Limits as they are typed, each `NAME=VALUE` with a name and value as in `broker.limits` of gateway.yaml; the last of a
 * name counts. @throws AgentError USAGE that names what is wrong
 */
export function limitsOf(typed: readonly string[]): BrokerLimits {
  const written: Record<string, string> = {}
  for (const text of typed) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
    if (value === '') throw new AgentError('USAGE', `--limit ${text}: NAME=VALUE is wanted`)
    if (!LIMIT_NAMES.some((known) => known === name)) {
      throw new AgentError(
        'USAGE',
        `--limit ${text}: there is no such limit; there are ${LIMIT_NAMES.join(', ')}`,
      )
    }
    written[name] = value
  }
  const parsed = brokerLimits.safeParse(written)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    ({ path, message }) => `--limit ${path.map(String).join('.')}: ${message}`,
  )
  throw new AgentError('USAGE', faults.join('; '))
}
