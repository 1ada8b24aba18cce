import { readFileSync, writeFileSync } from 'node:fs'
import mqtt from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { headgateJson, startHeadgate, testFolder } from '../../support/cli.ts'
import { parseExposition } from '../../support/exposition.ts'
import { freePort } from '../../support/free-port.ts'

test('after a restart a new subscriber gets the last readings at once, and the figures say who it was', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder()
  const { json: made } = await headgateJson(['init', '--dir', folder])
  const config = String(made['config'])
  const sim = await startHeadgate(['profile', 'sim', 'example-tilt/1'])
  const line = `lines: [{ id: port1, tcp: "${String(sim.ready['port']).slice(4)}", baud: 19200, format: 8E1 }]`
  const device = 'devices: [{ id: tilt-1, line: port1, address: 1, profile: example-tilt/1, every: 500ms }]'
  const port = await freePort()
  const text = readFileSync(config, 'utf8')
    .replace('lines: []', line)
    .replace('devices: []', device)
    .replace(
      'broker: { listen: ["tcp://127.0.0.1:1883"],',
      `broker: { listen: ["tcp://127.0.0.1:0"], limits: { connections: 7 }, metrics: { listen: "127.0.0.1:${port}" },`,
    )
  writeFileSync(config, text)
  const login = { username: String(made['login']), password: String(made['key']), reconnectPeriod: 0 }

  /** The first message of the device's readings that a new subscriber of everything gets. */
  const first = async (broker: unknown): Promise<{ topic: string; retain: boolean }> => {
    const client = mqtt.connect(String((broker as string[])[0]), login)
    onTestFinished(() => client.endAsync(true))
    const seen = new Promise<{ topic: string; retain: boolean }>((resolve) => {
      client.on('message', (topic, _payload, packet) => {
        if (topic.endsWith('/main/readings')) resolve({ topic, retain: packet.retain })
      })
    })
    client.once('connect', () => void client.subscribe('headgate/#'))
    return seen
  }
  const one = await startHeadgate(['gateway', '--config', config])
  const { topic } = await first(one.ready['broker'])
  await one.end()
  await sim.end()

  // The device is gone: what comes now is what was stored.
  const two = await startHeadgate(['gateway', '--config', config])
  expect(await first(two.ready['broker'])).toEqual({ topic, retain: true })
  const wrong = mqtt.connectAsync(
    String((two.ready['broker'] as string[])[0]),
    { ...login, password: 'no' },
    false,
  )
  await expect(wrong).rejects.toThrow()
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const figures = parseExposition(page)
  const limit = figures
    .get('headgate_broker_limit')
    ?.samples.find(({ labels }) => labels.get('bound') === 'connections')
  expect(limit?.value).toBe(7)
  expect(figures.get('headgate_broker_connects_refused_total')?.samples[0]?.value).toBe(1)
  expect(page).not.toContain(login.username)
})
