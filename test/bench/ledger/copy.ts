import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { monthOf } from '../../../cloud-sync/cloud/storage/index.ts'
import type { Message } from './simulated.ts'

const hex = (bytes: Uint8Array): string => `\\\\x${Buffer.from(bytes).toString('hex')}`

/**
 * Writes a script for psql that copies what the ledger keeps of these messages, rows ready made, in transactions of so
 * many records: as fast as PostgreSQL takes rows at all.
 */
export async function writeCopyScript(
  path: string,
  messages: readonly Message[],
  { together, now }: { together: number; now: number },
): Promise<void> {
  const out = createWriteStream(path)
  const month = monthOf(now)
  for (let at = 0; at < messages.length; at += together) {
    const part = messages.slice(at, at + together)
    const records = part.map(({ sealed: { record, bytes, hash } }) =>
      [
        record.gw,
        record.epoch,
        record.seq,
        month,
        record.prev,
        hash,
        record.org,
        record.kind,
        record.time.day,
      ]
        .concat([record.time.wallEnd, '\\N', hex(bytes), now, now])
        .join('\t'),
    )
    const postings = part.flatMap(({ sealed: { record } }) =>
      record.registers.map(({ meter, subject, gen, custodian, workspace }) =>
        [
          record.gw,
          record.epoch,
          record.seq,
          month,
          meter,
          subject,
          gen,
          360,
          custodian,
          workspace,
          1,
          0,
        ].join('\t'),
      ),
    )
    const batches = part.map(({ payload, sealed: { record } }) =>
      [record.gw, record.epoch, record.seq, record.seq, month, 'key', hex(payload), now].join('\t'),
    )
    out.write(
      [
        'begin;',
        copied('usage_record', records),
        copied('usage_posting', postings),
        copied('usage_batch', batches),
        'commit;\n',
      ].join('\n'),
    )
  }
  out.end()
  await once(out, 'finish')
}

const copied = (table: string, rows: readonly string[]): string =>
  [`copy ${table} from stdin;`, ...rows, '\\.'].join('\n')

/** Runs a script; seconds it took. */
export async function runScript(url: string, path: string): Promise<number> {
  const started = performance.now()
  const child = spawn('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`psql ended with ${String(code)}`)
  return (performance.now() - started) / 1e3
}
