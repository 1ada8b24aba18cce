import { isAbsolute, resolve, dirname } from 'node:path'
import { z } from 'zod'
import { listenerFault } from '../../broker/index.ts'
import { OFFLINE_AFTER_S } from './alerting/index.ts'
import { parseNetwork } from './api/index.ts'
import { parseYaml, readYamlFile } from './yaml.ts'

const URL_LENGTH_MAX = 1_024
const PROXIES_MAX = 64

/** A URL alone, or a group with the certificates that belong to it. */
const MqttListener = z.preprocess(
  (entry) => (typeof entry === 'string' ? { url: entry } : entry),
  z
    .strictObject({
      url: z.string().max(URL_LENGTH_MAX),
      tls: z
        .strictObject({
          cert: z.string().min(1),
          key: z.string().min(1),
          ca: z.string().min(1).optional(),
          clientCertificate: z.enum(['none', 'request', 'require']).default('none'),
        })
        .optional(),
    })
    .check(({ value, issues }) => {
      const message = listenerFault(value)
      if (message !== null) issues.push({ code: 'custom', input: value, message })
    }),
)
const HostPort = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, 'HOST:PORT')

/** `headgate cloud --config FILE` (wire.md, section 4). */
const CloudConfigFile = z
  .strictObject({
    listen: z.strictObject({
      /** The embedded broker; absent where `broker.url` names an external one. Port 0 picks a free one. */
      mqtt: z.array(MqttListener).min(1).max(16).optional(),
      http: HostPort.default('127.0.0.1:8090'),
    }),
    broker: z
      .strictObject({
        url: z.string().regex(/^(mqtts?|tcp|tls):\/\/\S+$/, 'mqtt://HOST:PORT or mqtts://HOST:PORT'),
        username: z.string().optional(),
        password: z.string().optional(),
        ca: z.string().optional(),
        cert: z.string().optional(),
        key: z.string().optional(),
      })
      .optional(),
    dataDir: z.string().min(1),
    directory: z.string().min(1).optional(),
    /** Where organisations and their people are kept: a SQLite file, or `postgres://…`; absent = a file in dataDir. */
    database: z.string().min(1).optional(),
    /** Absent = mails become files in dataDir/outbox. */
    mail: z
      .strictObject({
        smtp: z.string().regex(/^smtps?:\/\/\S+$/, 'smtp://HOST:PORT or smtps://HOST:PORT'),
        from: z.email(),
      })
      .optional(),
    http: z
      .strictObject({
        /** Addresses and networks of reverse proxies: only their `X-Forwarded-For` is believed. */
        trustedProxies: z
          .array(
            z
              .string()
              .refine((text) => parseNetwork(text) !== undefined, 'an address or a network, e.g. 10.0.0.0/8'),
          )
          .max(PROXIES_MAX)
          .default([]),
      })
      .prefault({}),
    /** How long a gateway that hears nothing goes by what it knows (policy time). */
    policy: z
      .strictObject({
        /** So long it may give rights itself. */
        freshHours: z.int().min(1).max(168).default(24),
        /** So long things are shown across organisations. */
        hardDays: z.int().min(1).max(365).default(30),
      })
      .refine(
        ({ freshHours, hardDays }) => freshHours <= hardDays * 24,
        'freshHours must not be longer than hardDays',
      )
      .prefault({}),
    /** When people are told. */
    alerts: z
      .strictObject({
        /** A gateway or device that is away for less is nobody's business, seconds. */
        offlineAfterS: z.int().min(1).max(86_400).default(OFFLINE_AFTER_S),
      })
      .prefault({}),
    /** Who writes the invoices, and who takes the money; absent = they are paid by transfer. */
    billing: z
      .strictObject({
        issuer: z
          .strictObject({
            name: z.string().min(1).max(128),
            lines: z.array(z.string().max(128)).max(10).default([]),
          })
          .optional(),
        stripe: z
          .strictObject({
            /** Files with the secret key, and with that of the webhook `/v1/payments/webhook`. */
            secretKey: z.string().min(1),
            webhookSecret: z.string().min(1),
            /** Another address than Stripe's own. */
            url: z.url({ protocol: /^https?$/ }).optional(),
          })
          .optional(),
      })
      .optional(),
    /** Where links in mails lead; absent = the address of `listen.http`. */
    site: z.url({ protocol: /^https?$/ }).optional(),
    /** Shards this worker takes, two hex digits each; absent = all. */
    shards: z
      .array(z.string().regex(/^[0-9a-f]{2}$/, 'two hex digits'))
      .min(1)
      .max(256)
      .optional(),
  })
  .check((ctx) => {
    const { listen, broker } = ctx.value
    if ((listen.mqtt === undefined) === (broker === undefined)) {
      ctx.issues.push({
        code: 'custom',
        path: ['listen'],
        message: 'give either listen.mqtt (the embedded broker) or broker.url (an external one)',
        input: ctx.value,
      })
    }
  })

export type CloudConfig = Readonly<z.infer<typeof CloudConfigFile>>

/** Parses the text of a configuration; relative paths count from `folder`. Throws CLOUD_CONFIG_INVALID with every fault. */
export function parseCloudConfig(name: string, text: string, folder: string): CloudConfig {
  const config = parseYaml({ name, text, schema: CloudConfigFile, code: 'CLOUD_CONFIG_INVALID' })
  const from = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path))
  const { billing, broker, directory, database, listen } = config
  const mqtt = listen.mqtt?.map((entry) =>
    entry.tls === undefined ? entry : { ...entry, tls: { ...entry.tls, ...located(entry.tls, from) } },
  )
  return Object.freeze({
    ...config,
    listen: { ...listen, mqtt },
    dataDir: from(config.dataDir),
    ...(billing === undefined ? {} : { billing: { ...billing, ...secretsOf(billing, from) } }),
    ...(directory === undefined ? {} : { directory: from(directory) }),
    ...(database === undefined ? {} : { database: isServer(database) ? database : from(database) }),
    ...(broker === undefined ? {} : { broker: { ...broker, ...located(broker, from) } }),
  })
}

/** Reads and parses a configuration file; throws CLOUD_CONFIG_INVALID. */
export function readCloudConfig(path: string): CloudConfig {
  return parseCloudConfig(path, readYamlFile(path, 'CLOUD_CONFIG_INVALID'), dirname(resolve(path)))
}

/** Whether it is the address of a database server, not a file. */
export const isServer = (database: string): boolean => /^postgres(ql)?:\/\//.test(database)

function secretsOf({ stripe }: NonNullable<CloudConfig['billing']>, from: (path: string) => string) {
  if (stripe === undefined) return {}
  const { secretKey, webhookSecret } = stripe
  return { stripe: { ...stripe, secretKey: from(secretKey), webhookSecret: from(webhookSecret) } }
}

/** Certificate files of a listener or of the external broker. */
const FILES = ['ca', 'cert', 'key'] as const

function located(
  files: Partial<Record<(typeof FILES)[number], string | undefined>>,
  from: (path: string) => string,
): Partial<Record<(typeof FILES)[number], string>> {
  return Object.fromEntries(
    FILES.flatMap((name) => {
      const path = files[name]
      return path === undefined ? [] : [[name, from(path)]]
    }),
  )
}
