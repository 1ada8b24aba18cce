import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectAsync, type MqttClient } from 'mqtt'
import {
  type Ack,
  downFilter,
  parseLinkTopic,
  type Stream,
  upTopic,
} from '../../cloud-sync/contract/index.ts'
import { keyIdOf, openAck, shardOf } from '../../cloud-sync/codec/index.ts'
import type { FakeGateway } from './fake-gateway.ts'

const MAIN = join(import.meta.dirname, '../../cloud-sync/cloud/main.ts')

export interface CloudProcess {
  readonly child: ChildProcess
  readonly mqtt: string
  readonly http: string
  readonly trust: string
  /** Sends the signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

/** Writes `cloud.yaml` beside the data and returns its path. */
export function writeConfig(folder: string, directory: string, mqttPort = 0): string {
  const path = join(folder, 'cloud.yaml')
  const text = `listen: {mqtt: ["tcp://127.0.0.1:${mqttPort}"], http: "127.0.0.1:0"}\ndataDir: data\ndirectory: ${directory}\n`
  writeFileSync(path, text)
  return path
}

/** Takes what must be done when the test or harness is over, also when it failed. */
export type Defer = (cleanUp: () => Promise<void> | void) => void

/** `cloud/main.ts` as a real child process. */
export async function spawnCloud(
  config: string,
  defer: Defer,
  env: Readonly<Record<string, string>> = {},
): Promise<CloudProcess> {
  const child = spawn(process.execPath, [MAIN, '--config', config, '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = once(child, 'exit')
  defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([
    once(lines, 'line'),
    ended.then(() => {
      throw new Error('the cloud ended before it was ready')
    }),
  ])) as [string]
  const { mqtt, http, trust } = JSON.parse(line) as { mqtt: string[]; http: string; trust: string }
  return {
    child,
    mqtt: mqtt[0] ?? '',
    http,
    trust,
    async end(signal) {
      child.kill(signal)
      const [code] = (await ended) as [number | null]
      return code
    },
  }
}

export interface LinkedGateway {
  readonly client: MqttClient
  readonly acks: { stream: Stream; ack: Ack }[]
  /** Called for each acknowledgement, signed by the cloud. */
  readonly onAck: (listener: (stream: Stream, ack: Ack) => void) => void
  /** Messages on `dn/pol/#`, by kind. */
  readonly policy: { kind: string; payload: Uint8Array }[]
  publish(kind: Parameters<typeof upTopic>[2], payload: Uint8Array): Promise<void>
  /** Waits for an acknowledgement that has not been waited for. */
  nextAck(stream: Stream): Promise<Ack>
  end(): Promise<void>
}

/** Connects a fake gateway to the cloud's broker with a real MQTT client. */
export async function linkGateway(
  gateway: FakeGateway,
  cloud: { mqtt: string; signer: string; defer: Defer },
): Promise<LinkedGateway> {
  const { mqtt: url, signer, defer } = cloud
  const shard = shardOf(gateway.id)
  const client = await connectAsync(url, {
    clientId: gateway.id,
    username: gateway.id,
    password: gateway.password(),
    reconnectPeriod: 0,
    protocolVersion: 4,
  })
  defer(() => {
    client.end(true)
  })
  const acks: { stream: Stream; ack: Ack }[] = []
  const policy: { kind: string; payload: Uint8Array }[] = []
  let wake = (): void => undefined
  let heard: (stream: Stream, ack: Ack) => void = () => undefined
  client.on('message', (topic, payload) => {
    const kind = parseLinkTopic(topic)?.kind ?? ''
    if (kind.startsWith('ack/')) {
      const stream = kind.slice('ack/'.length) as Stream
      const publicKeyFor = (id: string) => (id === keyIdOf(signer) ? signer : undefined)
      const opened = openAck({ stream, gateway: gateway.id, message: payload, publicKeyFor })
      if (!opened.ok) throw new Error(`an acknowledgement is ${opened.because}`)
      acks.push({ stream, ack: opened.ack })
      heard(stream, opened.ack)
    } else policy.push({ kind, payload })
    wake()
  })
  await client.subscribeAsync(downFilter(shard, gateway.id), { qos: 1 })
  const waited = new Set<Ack>()
  return {
    client,
    acks,
    policy,
    onAck(listener) {
      heard = listener
    },
    async publish(kind, payload) {
      await client.publishAsync(upTopic(shard, gateway.id, kind), Buffer.from(payload), { qos: 1 })
    },
    async nextAck(stream) {
      for (;;) {
        const found = acks.find((seen) => seen.stream === stream && !waited.has(seen.ack))
        if (found !== undefined) {
          waited.add(found.ack)
          return found.ack
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    async end() {
      await client.endAsync(true)
    },
  }
}
