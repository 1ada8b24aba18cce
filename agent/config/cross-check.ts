import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { Path } from './fault.ts'
import type { ProfileReader } from './profile-file.ts'

/** Reports a fault at a path. */
export type Report = (path: Path, message: string) => void

// The checks look at the file as it is, not at what the schema made of it: a fault elsewhere must not hide these.
const text = z.string().optional().catch(undefined)
const list = <T extends z.ZodType>(entry: T) => z.array(entry.catch({} as never)).catch([])
const tlsFiles = z.object({ ca: text, cert: text, key: text })
const Loose = z.object({
  lines: list(z.object({ id: text, path: text, tcp: text })),
  devices: list(z.object({ id: text, line: text, address: text, organisation: text, profile: text })),
  broker: z
    .object({ listen: list(z.object({ tls: tlsFiles.optional().catch(undefined) })) })
    .catch({ listen: [] }),
  cloud: tlsFiles.optional().catch({}),
  organisation: z.object({ id: text }).optional().catch(undefined),
  users: list(z.object({ name: text, organisation: text })),
})

export interface Surroundings {
  readonly dir: string
  readonly profiles: ProfileReader
  readonly report: Report
}

/** What no single value shows: names that must be unique or known, files, and parts that exclude each other. */
export function crossCheck(file: unknown, { dir, profiles, report }: Surroundings): void {
  const parsed = Loose.safeParse(file)
  if (!parsed.success) return
  const { lines, devices, users, organisation, cloud, broker } = parsed.data
  unique(lines, 'lines', { key: 'id', of: ({ id }) => id, report })
  unique(lines, 'lines', { key: 'path', of: ({ path }) => path, report })
  unique(lines, 'lines', { key: 'tcp', of: ({ tcp }) => tcp, report })
  unique(devices, 'devices', { key: 'id', of: ({ id }) => id, report })
  unique(users, 'users', { key: 'name', of: ({ name }) => name, report })
  unique(devices, 'devices', {
    key: 'address',
    of: ({ line, address }) =>
      line === undefined || address === undefined ? undefined : `${Number(address)} on line ${line}`,
    report,
  })
  for (const [at, { line, profile }] of devices.entries()) {
    const found = profile === undefined ? undefined : profiles(profile)
    if (found?.ok === false) report(['devices', at, 'profile'], found.because)
    if (line !== undefined && !lines.some(({ id }) => id === line)) {
      report(['devices', at, 'line'], `names ${line}, which is not in \`lines\``)
    }
  }
  for (const [at, { tls = {} }] of broker.listen.entries()) {
    checkFiles(tls, { dir, report, at: ['broker', 'listen', at, 'tls'] })
  }
  if (cloud === undefined) checkAlone({ devices, users, organisation }, report)
  else {
    checkWithCloud(file as object, report)
    checkFiles(cloud, { dir, report, at: ['cloud'] })
  }
}

type Parts = z.infer<typeof Loose>

/** Without a cloud there is one organisation, and everything is its own. */
function checkAlone(
  { devices, users, organisation }: Pick<Parts, 'devices' | 'users' | 'organisation'>,
  report: Report,
): void {
  if (organisation === undefined) {
    if (users.length > 0) report(['users'], 'need an `organisation` to belong to')
    return
  }
  for (const [key, entries] of [
    ['devices', devices],
    ['users', users],
  ] as const) {
    for (const [at, entry] of entries.entries()) {
      if (entry.organisation !== undefined && entry.organisation !== organisation.id) {
        report(
          [key, at, 'organisation'],
          'can only be that of `organisation`: there is no other without `cloud`',
        )
      }
    }
  }
}

function checkWithCloud(file: object, report: Report): void {
  for (const key of ['organisation', 'users']) {
    if (key in file)
      report([key], 'counts only without `cloud`: remove it, the directory of the cloud decides')
  }
}

function checkFiles(
  files: z.infer<typeof tlsFiles>,
  { dir, report, at }: Pick<Surroundings, 'dir' | 'report'> & { readonly at: Path },
): void {
  for (const key of ['ca', 'cert', 'key'] as const) {
    const path = files[key] === undefined ? undefined : resolve(dir, files[key])
    if (path !== undefined && !isReadable(path)) report([...at, key], `cannot be read from ${path}`)
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    // Why not is the operator's to find out: the path is in the fault.
    return false
  }
}

interface Uniqueness<T> {
  readonly key: string
  readonly of: (entry: T) => string | undefined
  readonly report: Report
}

function unique<T>(entries: readonly T[], group: string, { key, of, report }: Uniqueness<T>): void {
  const seen = new Map<string, number>()
  for (const [at, entry] of entries.entries()) {
    const value = of(entry)
    if (value === undefined) continue
    const first = seen.get(value)
    if (first === undefined) seen.set(value, at)
    else report([group, at, key], `${value} is taken by ${group}[${first}]`)
  }
}
