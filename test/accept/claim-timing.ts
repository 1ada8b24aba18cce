import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayId } from '../../cloud-sync/contract/index.ts'
import { labelOf, newKey, onlineClaim, receiptBy, testRoot } from '../support/claims.ts'
import { DAY_MS, done, openTestDirectory, type TestDirectory } from '../support/directory-world.ts'
import { type Harness, type HarnessContext, scaled } from '../support/harness.ts'
import { GATEWAY, LoneGateway } from './claims/lone-gateway.ts'
import { guessOf } from './claims/scene.ts'

const SAMPLES = 1_000
/** How far the medians of two kinds of refusal may lie apart, as a share of the smaller one. */
const APART_MAX = 0.25

/** A try that is refused; preparing it is not timed. Answers what was said, which must be the same for all. */
type Try = () => Promise<() => Promise<string>>
type Times = Readonly<Record<string, { p50Us: number; p99Us: number }>>

/** Each kind in turn, so that what else this machine does falls on all of them. */
async function measured(
  kinds: Readonly<Record<string, Try>>,
  samples: number,
  failures: string[],
): Promise<Times> {
  const times = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]))
  const said = new Set<string>()
  for (let sample = 0; sample < samples; sample += 1) {
    for (const [kind, prepare] of Object.entries(kinds)) {
      const attempt = await prepare()
      const began = performance.now()
      said.add(await attempt())
      times.get(kind)?.push((performance.now() - began) * 1_000)
    }
  }
  if (said.size !== 1) failures.push(`refused in ${said.size} ways: ${[...said].join(' | ')}`)
  return Object.fromEntries(
    [...times].map(([kind, all]) => {
      const sorted = all.toSorted((a, b) => a - b)
      const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
      return [kind, { p50Us: at(0.5), p99Us: at(0.99) }]
    }),
  )
}

/** At the gateway, by whoever stands there. */
async function onSite(folder: string, samples: number, failures: string[]): Promise<Times> {
  const [free, taken] = [new LoneGateway(join(folder, 'free')), new LoneGateway(join(folder, 'taken'))]
  await free.start()
  await taken.start()
  const first = taken.ticket('first')
  await taken.claim.claim({ ticket: first.sealed, proof: taken.proof(taken.label, first.id) })
  const wrong = newKey()
  const against =
    (gateway: LoneGateway, key: typeof wrong, made: ReturnType<LoneGateway['ticket']>): Try =>
    () => {
      gateway.wait(DAY_MS)
      const given = { ticket: made.sealed, proof: gateway.proof(key, made.id) }
      return Promise.resolve(() =>
        gateway.claim.claim(given).then(
          () => 'claimed',
          (error: unknown) => JSON.stringify([(error as { code: string }).code, (error as Error).message]),
        ),
      )
    }
  const kinds = {
    'a wrong code': against(free, wrong, free.ticket('t')),
    "another gateway's ticket": against(free, free.label, free.ticket('t', { serials: ['GW-2'] })),
    "another gateway's ticket and a wrong code": against(
      free,
      wrong,
      free.ticket('t', { serials: ['GW-2'] }),
    ),
    'a taken gateway': against(taken, taken.label, taken.ticket('t')),
    'a taken gateway and a wrong code': against(taken, wrong, taken.ticket('t')),
  }
  return measured(kinds, samples, failures)
}

/** ana owns acme; GW-1 is nobody's, GW-2 is taken, GW-3 has another label by now, GW-4 is scrapped. */
async function provisioned(directory: TestDirectory, cloudId: string) {
  await directory.person('ana', 'acme')
  await directory.person('bea', 'borealis')
  const key = newKey()
  const labels: string[] = []
  for (const serial of ['GW-1', 'GW-2', 'GW-3', 'GW-4']) {
    const asked = { gateway: GatewayId.parse(serial), model: 'HG-4', publicKey: key.publicKey }
    labels.push((await done(directory.write.claims.provision(directory.operator(), asked))).label)
  }
  const [free, taken, relabelled, scrapped] = labels.map(labelOf)
  if (free === undefined || taken === undefined || relabelled === undefined || scrapped === undefined)
    throw new Error('four labels')
  const asked = await onlineClaim(taken, { org: 'borealis', user: 'bea', cloudId })
  const { ticket } = await done(directory.write.claims.reserve(directory.as('bea', 'borealis'), asked))
  const said = { gateway: taken.serial, org: 'borealis', ticket, installer: 'bea' }
  const receipt = receiptBy(key, cloudId, said)
  await done(directory.write.claims.receive(directory.visitor(), { gateway: taken.serial, receipt }))
  await done(directory.write.claims.relabel(directory.operator(), { gateway: relabelled.serial }))
  await done(directory.write.claims.decommission(directory.operator(), { gateway: scrapped.serial }))
  return { free, taken, relabelled, scrapped, key }
}

/** In the cloud, by whoever has an account, and by anybody with a receipt. */
async function inCloud(folder: string, samples: number, failures: string[]): Promise<[Times, Times]> {
  const { seal, cloudId } = testRoot()
  const target = { dialect: 'sqlite', path: join(folder, 'directory.db') } as const
  const directory = await openTestDirectory(target, { seal: () => seal })
  try {
    const { free, taken, relabelled, scrapped, key } = await provisioned(directory, cloudId)
    const unknown = { ...free, serial: GatewayId.parse('GW-9') }
    const reserves =
      (label: typeof free, user = 'ana'): Try =>
      async () => {
        directory.pass(3 * DAY_MS)
        const asked = { ...(await onlineClaim(label, { org: 'acme', user, cloudId })), org: 'acme' }
        const call = directory.as('ana', 'acme')
        return async () => JSON.stringify(await directory.write.claims.reserve(call, asked))
      }
    const reservations = await measured(
      {
        'a wrong code': reserves(guessOf(free)),
        'an unknown serial number': reserves(unknown),
        'a taken gateway': reserves(taken),
        'a taken gateway and a wrong code': reserves(guessOf(taken)),
        'the label before': reserves(relabelled),
        'a scrapped gateway': reserves(scrapped),
        "somebody else's proof": reserves(free, 'bea'),
      },
      samples,
      failures,
    )
    const brings =
      (gateway: string, receipt: string): Try =>
      () => {
        directory.pass(DAY_MS)
        const call = directory.visitor()
        const asked = { gateway: GatewayId.parse(gateway), receipt }
        return Promise.resolve(async () => JSON.stringify(await directory.write.claims.receive(call, asked)))
      }
    const said = { org: 'acme', ticket: 'none', installer: 'ana' }
    const forged = (gateway: string): string => receiptBy(newKey(), cloudId, { gateway, ...said })
    const brought = await measured(
      {
        'of an unknown gateway': brings('GW-9', forged('GW-9')),
        "forged, of one that is nobody's": brings('GW-1', forged('GW-1')),
        'forged, of a taken one': brings('GW-2', forged('GW-2')),
        'for another cloud': brings(
          'GW-1',
          receiptBy(key, testRoot().cloudId, { gateway: GATEWAY, ...said }),
        ),
      },
      samples,
      failures,
    )
    return [reservations, brought]
  } finally {
    await directory.close()
  }
}

/** On a machine that does other work too, only a whole run judges. */
function apart(where: string, times: Times, { scale }: HarnessContext, failures: string[]): number {
  const medians = Object.values(times).map(({ p50Us }) => p50Us)
  const share = Math.max(...medians) / Math.min(...medians) - 1
  if (scale >= 1 && share > APART_MAX)
    failures.push(`${where}: one refusal takes ${Math.round(share * 100)} % longer than another`)
  return Math.round(share * 100) / 100
}

export const harness: Harness = {
  what: 'How long a claim takes to be refused tells nobody why it was: the same work, whatever is wrong.',
  async run(context) {
    const failures: string[] = []
    const folder = mkdtempSync(join(tmpdir(), 'headgate-claim-timing-'))
    try {
      const samples = scaled(SAMPLES, context.scale)
      const site = await onSite(folder, samples, failures)
      context.progress('on site')
      const [reservations, receipts] = await inCloud(folder, samples, failures)
      const figures = {
        samples,
        ...{ site, reservations, receipts },
        siteApart: apart('on site', site, context, failures),
        reservationsApart: apart('reservations', reservations, context, failures),
        receiptsApart: apart('receipts', receipts, context, failures),
      }
      return { figures, failures }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
