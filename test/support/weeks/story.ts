import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { generateKeyPair, signingKey } from '../../../cloud-sync/codec/index.ts'
import { WeeksCloud } from './cloud.ts'
import { WeeksGateway } from './gateway.ts'
import { type Judged, judge } from './judge.ts'
import { Link, World } from './world.ts'

/** No power fails here, so no disk need be waited for: a real file system all the same. */
const IN_MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const START = Date.UTC(2026, 9, 19)
/** October is closed at the beginning of the fourth: the link is down before and after. */
const CLOSED = Date.UTC(2026, 10, 4)
/** All is repaired; November is closed meanwhile. */
const END = Date.UTC(2026, 11, 6)
/** A gateway killed between an answer's commit and the answer, or a cloud: as often as that. */
const DEAF = 0.03

/** Faults put in on purpose: a harness that does not see them sees nothing. */
export const MUTANTS = [
  'record dropped',
  'posted twice',
  'register forgotten',
  'late usage forgotten',
] as const
export type Mutant = (typeof MUTANTS)[number]

const SABOTAGE: Readonly<
  Record<Exclude<Mutant, 'late usage forgotten'>, { of: 'cloud' | 'gateway'; sql: string }>
> = {
  'record dropped': {
    of: 'cloud',
    sql: `DELETE FROM usage_posting WHERE (seq, meter, subject, gen) =
            (SELECT seq, meter, subject, gen FROM usage_posting WHERE meter = 'sensor.active_day' ORDER BY seq DESC LIMIT 1)`,
  },
  'posted twice': {
    of: 'cloud',
    sql: `INSERT INTO usage_posting (gateway, epoch, seq, month, meter, subject, gen, quantity, custodian, workspace, billable, q)
          SELECT gateway, epoch, seq, month, meter, subject, gen + 100, quantity, custodian, workspace, billable, q
          FROM usage_posting WHERE meter = 'cell.alloc' LIMIT 1`,
  },
  'register forgotten': {
    of: 'gateway',
    sql: `UPDATE register_value SET end = end - 1 WHERE id = (SELECT min(id) FROM register WHERE meter = 'sensor.readings')`,
  },
}

export interface Told {
  readonly seed: number
  /** Until readings end. */
  readonly weeks: number
  readonly readEveryMs: number
  readonly mutant?: Mutant
}

export interface Outcome extends Judged {
  readonly sent: number
  readonly lost: number
  readonly doubled: number
  readonly restarts: number
  readonly cloudRestarts: number
  readonly clockSteps: number
  readonly undated: number
  readonly closings: number
  /** Once all was judged a posting was taken away: whether that is seen. */
  readonly seesDropped: boolean
}

/** Weeks of a gateway and its cloud on a bad link, told by a seed. */
export async function tell(told: Told): Promise<Outcome> {
  const folder = mkdtempSync(join(IN_MEMORY, 'headgate-weeks-'))
  const story = new Story(folder, told)
  try {
    return await story.run()
  } finally {
    await story.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Story {
  readonly #told: Told
  readonly #world: World
  readonly #up: Link
  readonly #down: Link
  readonly #gateway: WeeksGateway
  readonly #cloud: WeeksCloud
  readonly #folder: string
  readonly #counts = { restarts: 0, cloudRestarts: 0, clockSteps: 0, closings: 0 }
  /** Trouble ends here: from then on everything works. */
  readonly #until: number

  constructor(folder: string, told: Told) {
    this.#folder = folder
    this.#told = told
    this.#until = START + told.weeks * 7 * DAY
    const world = (this.#world = new World(START, told.seed))
    this.#up = new Link(world)
    this.#down = new Link(world)
    const [key, cloudKey] = [0, 1].map(() => signingKey(generateKeyPair().privateKey))
    if (key === undefined || cloudKey === undefined) throw new Error('no keys')
    this.#gateway = new WeeksGateway({
      ...{ world, folder: join(folder, 'gateway'), key, cloudKey: cloudKey.publicKey },
      up: (topic, payload) => {
        this.#up.send(() => this.#cloud.receive(topic, payload, this.#isBad && world.chance(DEAF)))
      },
    })
    this.#cloud = new WeeksCloud({
      ...{ world, folder, key: cloudKey, publicKey: key.publicKey },
      forgetsLateUsage: told.mutant === 'late usage forgotten',
      down: (message) => {
        const { connection } = this.#gateway
        this.#down.send(() => this.#gateway.hear(message, connection))
      },
    })
  }

  get #isBad(): boolean {
    return this.#world.now < this.#until
  }

  async run(): Promise<Outcome> {
    const world = this.#world
    await this.#cloud.open()
    await this.#cloud.setPrices('2026-10-01')
    this.#gateway.open()
    this.#plan()
    world.at(START + (this.#until - START) / 2, () => this.#gateway.changeOwners())
    const { mutant } = this.#told
    if (mutant !== undefined && mutant !== 'late usage forgotten')
      world.at(START + (this.#until - START) * 0.6, () => this.#sabotage(mutant))
    await world.runUntil(this.#until)
    await this.#repair()
    await world.runUntil(END)
    const judged = await judge(this.#gateway, this.#cloud)
    const links = [this.#up.counts, this.#down.counts]
    const sum = (of: 'sent' | 'lost' | 'doubled'): number => links.reduce((all, one) => all + one[of], 0)
    const undated = await this.#cloud.db.read
      .selectFrom('usage_record')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('day', 'is', null)
      .where('kind', '=', 'interval')
      .executeTakeFirstOrThrow()
    const counted = { sent: sum('sent'), lost: sum('lost'), doubled: sum('doubled'), undated: undated.count }
    await this.#sabotage('record dropped')
    const { failures } = await judge(this.#gateway, this.#cloud)
    return { ...judged, ...counted, ...this.#counts, seesDropped: failures.length > judged.failures.length }
  }

  async end(): Promise<void> {
    await this.#gateway.stop()
    await this.#cloud.close()
  }

  #plan(): void {
    const world = this.#world
    const { readEveryMs } = this.#told
    const whileBad = (least: number, most: number, run: () => unknown): void => {
      world.after(world.between(least, most), async () => {
        if (!this.#isBad) return
        await run()
        whileBad(least, most, run)
      })
    }
    world.every(readEveryMs, () => (this.#isBad ? this.#gateway.read(1 + world.below(3)) : undefined))
    world.every(20 * MINUTE, () => this.#gateway.tick())
    world.every(6 * HOUR, async () => {
      this.#counts.closings += await this.#cloud.turn()
    })
    whileBad(3 * HOUR, 5 * HOUR, () => this.#gateway.carry(4 * world.between(100, 1_000_000)))
    whileBad(4 * DAY, 12 * DAY, () => this.#gateway.swapSim())
    whileBad(6 * HOUR, 60 * HOUR, () => this.#restartGateway())
    whileBad(12 * HOUR, 72 * HOUR, () => {
      this.#stepClock()
    })
    whileBad(DAY, 3 * DAY, () => this.#restartCloud())
    whileBad(HOUR, 9 * HOUR, () => {
      this.#reconnect(world.between(2_000, 60_000))
    })
    whileBad(8 * HOUR, 3 * DAY, () => {
      this.#outage(world.chance(0.7) ? world.between(MINUTE, 4 * HOUR) : world.between(6 * HOUR, 40 * HOUR))
    })
    world.at(CLOSED - world.between(2 * DAY, 6 * DAY), () => {
      this.#outage(CLOSED + world.between(12 * HOUR, 3 * DAY) - world.now)
    })
    this.#gateway.connect()
  }

  #reconnect(ms: number): void {
    this.#gateway.disconnect()
    this.#world.after(ms, () => {
      if (!this.#up.isDown && !this.#gateway.isOnline) this.#gateway.connect()
    })
  }

  #outage(ms: number): void {
    const over = this.#world.now + ms
    this.#brokenUntil = Math.max(this.#brokenUntil, over)
    this.#setLink(true)
    this.#gateway.disconnect()
    this.#world.at(over, () => {
      if (this.#world.now < this.#brokenUntil && this.#isBad) return
      this.#setLink(false)
      this.#reconnect(1_000)
    })
  }
  #brokenUntil = 0

  #setLink(isDown: boolean): void {
    this.#up.isDown = isDown
    this.#down.isDown = isDown
  }

  async #restartGateway(): Promise<void> {
    const world = this.#world
    if (this.#gateway.store === undefined) return
    this.#counts.restarts += 1
    if (world.chance(0.5)) await this.#gateway.stop()
    else this.#gateway.kill()
    const offMs = world.chance(0.7) ? world.between(5_000, 10 * MINUTE) : world.between(HOUR, 20 * HOUR)
    const boots = world.chance(0.6)
    world.after(offMs, () => {
      // Half of the machines have no clock that runs on while they are off.
      if (boots) this.#gateway.machine.reboot(0, world.chance(0.5))
      this.#start()
    })
  }

  #start(): void {
    if (this.#gateway.store !== undefined) return
    this.#gateway.open()
    this.#reconnect(this.#world.between(1_000, 30_000))
  }

  #stepClock(): void {
    const { machine } = this.#gateway
    this.#counts.clockSteps += 1
    if (this.#world.chance(0.4)) {
      Object.assign(machine, { wall: this.#world.now, isSynced: true })
      return
    }
    machine.wall += this.#world.between(-400 * DAY, 400 * DAY)
    machine.isSynced = false
  }

  async #restartCloud(): Promise<void> {
    this.#counts.cloudRestarts += 1
    await this.#cloud.close()
    const ms = this.#world.chance(0.7)
      ? this.#world.between(5_000, 30 * MINUTE)
      : this.#world.between(HOUR, 10 * HOUR)
    this.#world.after(ms, () => this.#cloudOpens())
  }

  async #cloudOpens(): Promise<void> {
    if (this.#cloud.isOpen) return
    await this.#cloud.open()
    this.#reconnect(this.#world.between(1_000, 60_000))
  }

  async #repair(): Promise<void> {
    for (const link of [this.#up, this.#down]) Object.assign(link, { isDown: false, loss: 0, doubling: 0 })
    await this.#cloudOpens()
    this.#start()
    Object.assign(this.#gateway.machine, { wall: this.#world.now, isSynced: true })
    await this.#gateway.tick()
    await this.#gateway.closeInterval()
    this.#reconnect(1_000)
    this.#world.after(DAY, () => {
      this.#reconnect(1_000)
    })
  }

  /** As somebody with the files in hand could. */
  async #sabotage(mutant: keyof typeof SABOTAGE): Promise<void> {
    const { of, sql } = SABOTAGE[mutant]
    if (of === 'cloud') await this.#cloud.close()
    else await this.#gateway.stop()
    const database = new Database(
      of === 'cloud' ? this.#cloud.path : join(this.#folder, 'gateway', 'gateway.db'),
    )
    const triggers = database.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all()
    for (const name of triggers) database.exec(`DROP TRIGGER "${String(name)}"`)
    const { changes } = database.prepare(sql).run()
    database.close()
    if (changes !== 1) throw new Error(`${mutant}: nothing was changed`)
    await this.#cloudOpens()
    this.#start()
  }
}
