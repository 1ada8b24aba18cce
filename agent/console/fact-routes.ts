import { Readable } from 'node:stream'
import type { Hono } from 'hono'
import type { DeviceId, Right, SensorName } from '../../cloud-sync/contract/index.ts'
import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'
import type { GatewayFacts, QuotaState, ReadingFacts } from '../local-api/state.ts'
import type { Login, PolicyInForce } from '../policy/in-force.ts'
import { authorOf, type CallerOf, type Variables } from './caller.ts'

/** Readings given at most by one request; the store has the rest, by other times. */
const READINGS_MAX = 100_000

interface FactParts {
  readonly inForce: PolicyInForce
  readonly callerOf: CallerOf
  readonly facts: GatewayFacts
}

const json = (value: unknown): Response =>
  new Response(toJson(value), { headers: { 'content-type': 'application/json' } })

/** What there is to see, as far as the caller may: `GET /v1/status`, `/v1/sensors`, `/v1/readings`, `/v1/usage`. */
export function factRoutes(
  app: Hono<{ Variables: Variables }>,
  { inForce, callerOf, facts }: FactParts,
): void {
  app.get('/v1/status', (c) => {
    const { principal } = authorOf(callerOf(c))
    const resource = { kind: 'gateway' } as const
    if (!inForce.decide({ principal, action: 'gateway.status', resource }).allowed)
      throw new AgentError('CONSOLE_NOT_ALLOWED', 'this needs gateway.status on the gateway')
    const status = facts.status()
    const sees = seesDevice(inForce, { principal }, 'device.status')
    const devices = status.devices.filter(({ id }) => sees(id))
    const refused = status.refused.filter(({ what, id }) => what !== 'device' || sees(id))
    return json({ ...status, devices, refused, quotas: quotasFor(inForce, { principal }, status.quotas) })
  })
  app.get('/v1/sensors', (c) => {
    const sees = seesReading(inForce, authorOf(callerOf(c)))
    return json(facts.sensors().filter(sees))
  })
  app.get('/v1/readings', (c) => {
    const sees = seesReading(inForce, authorOf(callerOf(c)))
    const query = {
      device: c.req.query('device') ?? null,
      channel: c.req.query('channel') ?? null,
      from: whole(c.req.query('from'), Number.MIN_SAFE_INTEGER),
      to: whole(c.req.query('to'), Number.MAX_SAFE_INTEGER),
    }
    const body = Readable.toWeb(Readable.from(lines(facts.readings(query), sees))) as ReadableStream
    return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } })
  })
  app.get('/v1/usage', (c) => {
    const { principal } = authorOf(callerOf(c))
    const { org } = principal
    assertUsage(inForce, { principal })
    return json(facts.usage().filter(({ organisation }) => organisation === org))
  })
}

/** Limits of the own organisation only; what was used of them is for who may see its usage, as everywhere. */
function quotasFor(
  inForce: PolicyInForce,
  { principal }: Pick<Login, 'principal'>,
  quotas: readonly QuotaState[],
): QuotaState[] {
  const { org } = principal
  const seesUsage = inForce.mayInCloud({ principal, action: 'usage.read', resource: { kind: 'org', org } })
  return quotas
    .filter(({ organisation }) => organisation === org)
    .map((quota) => (seesUsage ? quota : { ...quota, used: null }))
}

/**
 * Registers of the own organisation only, for who reads its bills there, and for nobody where they are sent from outside
 * (S0.35). The role is asked as the cloud asks it: these are the gateway's own figures, not the bill.
 */
function assertUsage(inForce: PolicyInForce, { principal }: Pick<Login, 'principal'>): void {
  const { org } = principal
  const billing = inForce.snapshot?.organisations.find(({ id }) => id === org)?.billing
  const isAllowed = inForce.mayInCloud({ principal, action: 'usage.read', resource: { kind: 'org', org } })
  if (!isAllowed || billing === 'external')
    throw new AgentError('CONSOLE_NOT_ALLOWED', 'usage is shown to who reads the bills of an organisation')
}

function seesDevice(
  inForce: PolicyInForce,
  { principal }: Pick<Login, 'principal'>,
  action: Right,
): (device: string) => boolean {
  return (device) =>
    inForce.decide({ principal, action, resource: { kind: 'device', device: device as DeviceId } }).allowed
}

/**
 * Readings are their owner's of then: what an earlier owner measured is not shown to a later one, whatever is shared now.
 */
function seesReading(
  inForce: PolicyInForce,
  { principal }: Pick<Login, 'principal'>,
): (of: Pick<ReadingFacts, 'device' | 'sensor' | 'organisation'>) => boolean {
  return ({ device, sensor, organisation }) => {
    const owner = inForce.snapshot?.devices.find(({ id }) => id === device)?.org
    if (owner !== organisation) return false
    const resource = {
      kind: 'sensor',
      device: device as DeviceId,
      sensor: sensor as SensorName,
    } as const
    return inForce.decide({ principal, action: 'data.read', resource }).allowed
  }
}

function* lines(
  readings: Iterable<ReadingFacts>,
  sees: (reading: ReadingFacts) => boolean,
): Generator<string> {
  let given = 0
  for (const reading of readings) {
    // Asked for each: a right that is taken away while the answer is read ends here.
    if (!sees(reading)) continue
    yield `${toJson(reading)}\n`
    given += 1
    if (given >= READINGS_MAX) return
  }
}

const whole = (text: string | undefined, otherwise: number): number => {
  const value = Number(text)
  return text === undefined || !Number.isFinite(value) ? otherwise : value
}
