import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import { ConfigError } from '../../../agent/config/fault.ts'

const dir = mkdtempSync(join(tmpdir(), 'headgate-listeners-'))
for (const file of ['a.pem', 'a.key', 'ca.pem']) writeFileSync(join(dir, file), '')
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const listening = (entry: string) =>
  parseConfig(`gateway: { id: GW-1, dataDir: data }\nbroker: { listen: [${entry}] }\n`, { dir }).broker.listen

const FILES = 'cert: a.pem, key: a.key'
const files = { cert: join(dir, 'a.pem'), key: join(dir, 'a.key') }
const LONGEST = `unix:/${'x'.repeat(106)}`

const good: [entry: string, listener: object][] = [
  ['"tcp://[::1]:0"', { url: 'tcp://[::1]:0' }],
  ['"ws://127.0.0.1:9001/mqtt"', { url: 'ws://127.0.0.1:9001/mqtt' }],
  ['"unix:/run/mqtt.sock"', { url: 'unix:/run/mqtt.sock' }],
  ['"unix:///run/mqtt.sock"', { url: 'unix:///run/mqtt.sock' }],
  [`"${LONGEST}"`, { url: LONGEST }],
  ['{ url: "unix:/run/m", mode: "0660" }', { url: 'unix:/run/m', mode: 0o660 }],
  [
    `{ url: "tls://0.0.0.0:8883", tls: { ${FILES} } }`,
    { url: 'tls://0.0.0.0:8883', tls: { ...files, clientCertificate: 'none' } },
  ],
  [
    `{ url: "wss://h:1", tls: { ${FILES}, ca: ca.pem, clientCertificate: require }, origins: ["https://d.example"] }`,
    {
      url: 'wss://h:1',
      tls: { ...files, ca: join(dir, 'ca.pem'), clientCertificate: 'require' },
      origins: ['https://d.example'],
    },
  ],
]
test.for(good)('%s is a listener', ([entry, listener]) => {
  expect(listening(entry)).toEqual([listener])
})

const AT = '2 broker.listen[0]'
const FORMS = 'must be tcp://, tls://, ws:// or wss://HOST:PORT, or unix:/PATH'
const bad: [entry: string, fault: string][] = [
  ['"mqtt://127.0.0.1:1"', `${AT} ${FORMS}`],
  ['"tcp://127.0.0.1:65536"', `${AT} ${FORMS}`],
  ['"tcp://127.0.0.1:1/path"', `${AT} ${FORMS}`],
  ['"unix:relative"', `${AT} ${FORMS}`],
  [`"${LONGEST}x"`, `${AT} has a path of 108 bytes, and a Unix socket takes 107`],
  ['"tls://127.0.0.1:1"', `${AT} needs \`tls\` with \`cert\` and \`key\``],
  [`{ url: "tcp://h:1", tls: { ${FILES} } }`, `${AT} takes no \`tls\`: write tls:// or wss://`],
  ['{ url: "tls://h:1", tls: { cert: a.pem } }', `${AT}.tls.key is missing`],
  [
    '{ url: "tls://h:1", tls: { cert: b.pem, key: a.key } }',
    `${AT}.tls.cert cannot be read from ${join(dir, 'b.pem')}`,
  ],
  [
    `{ url: "tls://h:1", tls: { ${FILES}, clientCertificate: require } }`,
    `${AT} asks for client certificates and needs \`tls.ca\` to check them`,
  ],
  [
    `{ url: "tls://h:1", tls: { ${FILES}, ca: ca.pem } }`,
    `${AT} has a \`tls.ca\` that nothing uses: set \`tls.clientCertificate\` to request or require`,
  ],
  [
    `{ url: "tls://h:1", tls: { ${FILES}, ca: ca.pem, clientCertificate: maybe } }`,
    `${AT}.tls.clientCertificate must be one of none, request, require`,
  ],
  ['{ url: "tcp://h:1", origins: ["*"] }', `${AT} takes no \`origins\`: no web page comes there`],
  [
    '{ url: "ws://h:1", origins: ["d.example/"] }',
    `${AT} has the origin d.example/, which is not like https://dashboard.example`,
  ],
  ['{ url: "tcp://h:1", mode: "0660" }', `${AT} takes no \`mode\`: it is not a Unix socket`],
  ['{ url: "unix:/m", mode: rw }', `${AT}.mode must be an access mode such as 0660`],
  ['{ url: "tcp://h:1", port: 7 }', `${AT}.port is not a key here`],
]
test.for(bad)('%s is none', ([entry, fault]) => {
  let faults: string[] = []
  try {
    listening(entry)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults = error.faults.map(({ line, path, message }) => `${line} ${path} ${message}`)
  }
  expect(faults).toEqual([fault])
})
