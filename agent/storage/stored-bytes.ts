import type { Database } from 'better-sqlite3'
import { type DeviceId, type SensorName, sensorSubject } from '../../cloud-sync/contract/index.ts'
import type { Increment, RegisterBook } from '../metering/index.ts'
import { prepared } from './prepared.ts'

interface Row {
  readonly device: DeviceId
  readonly sensor: SensorName
  readonly org: string
  readonly bytes: number
}

/**
 * `storage.max` at the end of a day: what the readings of each sensor take on the disk, packed, for its present owner. What
 * an owner before it has left here is not the present one's to pay. Triggers keep the sums, so nothing is searched.
 */
export function storedIncrements(database: Database, book: RegisterBook): Increment[] {
  const rows = prepared(
    database,
    `SELECT json_extract(def, '$.device') AS device, json_extract(def, '$.sensor') AS sensor,
            json_extract(def, '$.org') AS org, sum(bytes) AS bytes
     FROM stored_bytes JOIN channel ON channel.no = stored_bytes.channel GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  ).all() as Row[]
  if (rows.length === 0) return []
  const readers = new Map(
    book
      .latest()
      .flatMap((register) => (register.meter === 'sensor.readings' ? [[register.subject, register]] : [])),
  )
  return rows.flatMap(({ device, sensor, org, bytes }): Increment[] => {
    const subject = sensorSubject(device, sensor)
    const owner = readers.get(subject)
    if (owner?.org !== org || bytes <= 0) return []
    return [{ meter: 'storage.max', subject, owner, by: BigInt(bytes), billable: owner.billable }]
  })
}
