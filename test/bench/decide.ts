import { newEnforcer, newModelFromString, type Enforcer } from 'casbin'
import { type CompiledPolicy, compilePolicy, decide, type Question } from '../../cloud-sync/access/index.ts'
import { PolicyFacts } from '../../cloud-sync/contract/index.ts'
import { seeded } from '../support/delivery-world.ts'
import type { Bench } from '../support/harness.ts'

const SIZES = [1_000, 10_000, 100_000]
/** The size that casbin answers too. */
const COMPARED = 10_000
const QUESTIONS = 20_000
/** casbin takes tens of milliseconds for one. */
const QUESTIONS_OF_CASBIN = 60
/** All that is remembered is asked again so often, before and while it is measured. */
const ROUNDS = 10
/** A clock is read this often only: reading it costs as much as a remembered answer. */
const BATCH = 20
const SEED = 20_261_122

const SENSORS = ['main', 'aux', 'third']
const MEMBERS = 200
const DEVICES = 200
const TEAMS = 20
const ACTIONS = ['data.read', 'device.operate', 'device.config'] as const
const GIVES: Readonly<Record<string, readonly string[]>> = {
  viewer: ['data.read'],
  editor: ACTIONS,
  owner: ACTIONS,
}
const WHEN = { place: 'cloud', at: 1 } as const

type Pick = <T>(from: readonly T[]) => T

/** One organisation whose members have nothing but grants, on devices, sensors and workspaces, alone and by team. */
function worldOf(grants: number, pick: Pick): PolicyFacts {
  const names = Array.from({ length: MEMBERS }, (_, n) => `m${n}`)
  const handles = Array.from({ length: TEAMS }, (_, n) => `team-${n}`)
  const devices = Array.from({ length: DEVICES }, (_, n) => `d${n}`)
  const workspaces = ['w0', 'w1', 'w2', 'w3']
  return PolicyFacts.parse({
    owner: { org: 'acme', ownerEpoch: 1 },
    organisations: [{ id: 'acme', name: 'acme' }],
    members: names.map((name) => ({ org: 'acme', name, role: 'member', incarnation: 1 })),
    teams: handles.map((handle, n) => ({
      org: 'acme',
      handle,
      name: handle,
      members: names.filter((_, at) => at % TEAMS === n).map((name) => ({ name, incarnation: 1 })),
    })),
    workspaces: workspaces.map((id) => ({ id, org: 'acme', name: id })),
    devices: devices.map((id, n) => ({ id, org: 'acme', ownerEpoch: 1, workspace: workspaces[n % 4] })),
    grants: Array.from({ length: grants }, (_, n) => ({
      id: `g${n}`,
      on: thingOf({ devices, workspaces, pick, n }),
      to:
        n % 5 === 0
          ? { kind: 'team', org: 'acme', team: pick(handles) }
          : { kind: 'member', org: 'acme', name: pick(names), incarnation: 1 },
      level: pick(['viewer', 'viewer', 'editor', 'owner']),
      ownerEpoch: 1,
    })),
  })
}

function thingOf(given: {
  readonly devices: readonly string[]
  readonly workspaces: readonly string[]
  readonly pick: Pick
  readonly n: number
}): object {
  const { devices, workspaces, pick, n } = given
  // A few on a whole workspace, else everybody would have everything.
  if (n % 500 === 7) return { kind: 'workspace', workspace: pick(workspaces) }
  if (n % 4 === 0) return { kind: 'device', device: pick(devices) }
  return { kind: 'sensor', device: pick(devices), sensor: pick(SENSORS) }
}

/** Whoever asks keeps its principal with the connection and the resource with the topic, as the gateway's policy does. */
const PRINCIPALS = Array.from({ length: MEMBERS }, (_, n) => ({ org: 'acme', name: `m${n}` }))
const RESOURCES = Array.from({ length: DEVICES }, (_, n) =>
  SENSORS.map((sensor) => ({ kind: 'sensor', device: `d${n}`, sensor })),
).flat()

const questionsOf = (count: number, pick: Pick): Question[] =>
  Array.from({ length: count }, () => ({
    principal: pick(PRINCIPALS),
    action: pick(ACTIONS),
    resource: pick(RESOURCES),
    when: WHEN,
  })) as unknown as Question[]

/** The same facts in casbin's words: members are in teams, sensors in devices in workspaces, a level is its rights. */
async function casbinOf(facts: PolicyFacts): Promise<Enforcer> {
  const model = newModelFromString(`
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub, p.sub) && g2(r.obj, p.obj)
`)
  const enforcer = await newEnforcer(model)
  const rules = new Map<string, string[]>()
  for (const { on, to, level } of facts.grants) {
    const subject = to.kind === 'member' ? to.name : to.kind === 'team' ? to.team : to.org
    for (const action of GIVES[level] ?? []) {
      const rule = [subject, nameOf(on), action]
      rules.set(rule.join(' '), rule)
    }
  }
  await enforcer.addPolicies([...rules.values()])
  await enforcer.addGroupingPolicies(
    facts.teams.flatMap(({ handle, members }) => members.map(({ name }) => [name, handle])),
  )
  const nested = facts.devices.flatMap(({ id, workspace }) => [
    [id, workspace ?? ''],
    ...SENSORS.map((sensor) => [`${id}/${sensor}`, id]),
  ])
  await enforcer.addNamedGroupingPolicies('g2', nested)
  return enforcer
}

function nameOf(on: PolicyFacts['grants'][number]['on']): string {
  if (on.kind === 'sensor') return `${on.device}/${on.sensor}`
  if (on.kind === 'device') return on.device
  return on.kind === 'workspace' ? on.workspace : on.kind
}

interface Times {
  readonly p50: number
  readonly p99: number
}
/** Microseconds a question, at the middle and at the 99th of a hundred. */
function quantiles(nanoseconds: readonly number[]): Times {
  const sorted = nanoseconds.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0) / 1_000
  return { p50: at(0.5), p99: at(0.99) }
}

/** One by one where nothing is remembered; in batches, each counted as its mean, where everything is. */
function timed(questions: readonly Question[], policy: CompiledPolicy, batch: number, rounds = 1): Times {
  const taken: number[] = []
  for (let round = 0; round < rounds; round += 1) askAll(questions, { policy, batch, taken })
  return quantiles(taken)
}

/** Notes nanoseconds a question. */
function askAll(
  questions: readonly Question[],
  { policy, batch, taken }: { policy: CompiledPolicy; batch: number; taken: number[] },
): void {
  for (let first = 0; first + batch <= questions.length; first += batch) {
    const some = questions.slice(first, first + batch)
    const began = process.hrtime.bigint()
    for (const question of some) decide(question, policy)
    taken.push(Number(process.hrtime.bigint() - began) / batch)
  }
}

interface Size {
  readonly grants: number
  readonly compileMs: number
  readonly uncachedUs: Times
  readonly cachedUs: Times
}

function measure(facts: PolicyFacts, pick: Pick): Size {
  // Once to warm up: what is measured is the code as it runs all day.
  timed(questionsOf(QUESTIONS, pick), compilePolicy(facts), 1)
  const began = performance.now()
  const policy = compilePolicy(facts)
  const compileMs = Math.round(performance.now() - began)
  const questions = distinct(questionsOf(QUESTIONS, pick))
  const uncachedUs = timed(questions, policy, 1)
  timed(questions, policy, BATCH, ROUNDS)
  const cachedUs = timed(questions, policy, BATCH, ROUNDS)
  return { grants: facts.grants.length, compileMs, uncachedUs, cachedUs }
}

const distinct = (questions: readonly Question[]): Question[] => [
  ...new Map(questions.map((question) => [JSON.stringify(question), question])).values(),
]

export const bench: Bench = {
  what: 'What a decision costs, index prebuilt, asked for the first time and again, beside casbin on the same questions.',
  async run(progress) {
    const random = seeded(SEED)
    const pick: Pick = (from) => from[Math.floor(random() * from.length)] as (typeof from)[number]
    const sizes: Size[] = []
    for (const size of SIZES) {
      progress(`${size} grants`)
      sizes.push(measure(worldOf(size, pick), pick))
    }
    progress(`casbin with ${COMPARED} grants`)
    const facts = worldOf(COMPARED, pick)
    const policy = compilePolicy(facts)
    const enforcer = await casbinOf(facts)
    const questions = questionsOf(QUESTIONS_OF_CASBIN, pick)
    const theirs: number[] = []
    const ours: number[] = []
    let differ = 0
    let allowed = 0
    for (const question of questions) {
      const { principal, resource, action } = question
      const object = resource.kind === 'sensor' ? `${resource.device}/${resource.sensor}` : ''
      const before = process.hrtime.bigint()
      const theirAnswer = enforcer.enforceSync(principal.name, object, action)
      const between = process.hrtime.bigint()
      const ourAnswer = decide(question, policy).allowed
      const after = process.hrtime.bigint()
      theirs.push(Number(between - before))
      ours.push(Number(after - between))
      if (ourAnswer !== theirAnswer) differ += 1
      if (ourAnswer) allowed += 1
    }
    const [casbinUs, uncachedUs] = [quantiles(theirs), quantiles(ours)]
    return {
      seed: SEED,
      questions: QUESTIONS,
      sizes,
      compared: { grants: COMPARED, questions: questions.length, allowed, differ, casbinUs, uncachedUs },
      timesFasterThanCasbin: Math.round(casbinUs.p50 / uncachedUs.p50),
    }
  },
}
