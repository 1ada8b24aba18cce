import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { consoleApp, type Mount } from '../console/app.ts'
import { toJson } from '../json.ts'
import type { Log } from '../log.ts'
import type { GatewayFacts, ReadingFacts } from './state.ts'

/** The socket of the gateway that works in this data folder. */
export const socketPath = (dataDir: string): string => join(dataDir, 'headgate.sock')

function* lines(readings: Iterable<ReadingFacts>): Generator<string> {
  for (const reading of readings) yield `${toJson(reading)}\n`
}

const whole = (text: string | undefined, otherwise: number): number => {
  const value = Number(text)
  return text === undefined || !Number.isFinite(value) ? otherwise : value
}

const factRoutes =
  (facts: GatewayFacts): Mount =>
  (app) => {
    const json = (value: unknown): Response =>
      new Response(toJson(value), { headers: { 'content-type': 'application/json' } })
    app.get('/v1/status', () => json(facts.status()))
    app.get('/v1/sensors', () => json(facts.sensors()))
    app.get('/v1/usage', () => json(facts.usage()))
    app.get('/v1/readings', (context) => {
      const query = {
        device: context.req.query('device') ?? null,
        channel: context.req.query('channel') ?? null,
        from: whole(context.req.query('from'), Number.MIN_SAFE_INTEGER),
        to: whole(context.req.query('to'), Number.MAX_SAFE_INTEGER),
      }
      const body = Readable.toWeb(Readable.from(lines(facts.readings(query)))) as ReadableStream
      return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } })
    })
  }

/**
 * Answers `headgate status` and the other commands that ask a running gateway, on a Unix socket in the data folder.
 * Whoever may open the socket (mode 0600: the gateway's own user) may read everything; to change who may do what, they
 * act as a member, with that member's key.
 */
export function createLocalApi(
  dataDir: string,
  {
    facts,
    log,
    mounts,
  }: { readonly facts: GatewayFacts; readonly log: Log; readonly mounts: readonly Mount[] },
): { start(): Promise<void>; stop(): Promise<void> } {
  const path = socketPath(dataDir)
  const listener = getRequestListener(consoleApp(log, [factRoutes(facts), ...mounts]).fetch)
  const server: Server = createServer((request, response) => {
    void listener(request, response)
  })
  return {
    async start() {
      await rm(path, { force: true }) // The data folder's lock is ours, so a socket left there is nobody's.
      server.listen(path)
      await once(server, 'listening')
      await chmod(path, 0o600)
    },
    async stop() {
      if (!server.listening) return
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
