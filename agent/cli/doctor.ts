import { resolve } from 'node:path'
import { systemSources } from '../clock/index.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { askGateway } from '../local-api/client.ts'
import type { GatewayState } from '../local-api/state.ts'
import { checkDataFolder } from './checks/data-folder.ts'
import { fail, type Finding, ok } from './checks/finding.ts'
import { checkField } from './checks/hardware.ts'
import { checkClock, checkNode } from './checks/machine.ts'
import { checkCloud, checkListeners } from './checks/network.ts'
import { checkPort, type Running } from './checks/ports.ts'
import { type Answer, codedOf } from './output.ts'

interface DoctorOptions {
  readonly config?: string
}

/** `headgate doctor`: what a gateway needs here, each with what to do; changes nothing. Exit 1 where something fails. */
export async function doctor(options: DoctorOptions): Promise<Answer> {
  const findings = [checkNode(process.versions.node), checkClock(systemSources())]
  if (options.config !== undefined) findings.push(...(await checkSite(options.config)))
  const count = (state: Finding['state']): number => findings.filter((one) => one.state === state).length
  const failures = count('fail')
  const warnings = count('warn')
  const summary = `${findings.length} checks, ${warnings} to look at, ${failures} failed`
  const more = options.config === undefined ? '\n--config FILE looks at a whole gateway.' : ''
  return {
    json: { ok: failures === 0, failures, warnings, checks: findings },
    text: `${findings.map(findingText).join('\n')}\n\n${summary}${more}`,
    exit: failures === 0 ? 0 : 1,
  }
}

async function checkSite(path: string): Promise<Finding[]> {
  const look = { check: 'configuration', subject: resolve(path) }
  let config: Config
  try {
    config = loadConfig(path)
  } catch (error) {
    const { code, message, hint } = codedOf(error)
    return [fail(look, `${code}: ${message}`, hint)]
  }
  const running = await runningIn(config.gateway.dataDir)
  const ports = await Promise.all(config.lines.map((line) => checkPort(line, running)))
  return [
    ok(look, `${config.lines.length} lines, ${config.devices.length} devices`),
    ok({ check: 'gateway', subject: config.gateway.id }, running === null ? 'is not running' : 'is running'),
    ...checkDataFolder(config.gateway.dataDir, config.storage.maxBytes),
    ...ports,
    ...checkField(config),
    ...(await checkListeners(config, running !== null)),
    ...(config.cloud === null ? [] : await checkCloud(config.cloud)),
  ]
}

/** The gateway that works in this data folder, if one does. */
async function runningIn(dataDir: string): Promise<Running | null> {
  try {
    const { hardware } = (await askGateway(dataDir, '/v1/status')) as GatewayState
    const pid = hardware['pid']
    return { pids: new Set(typeof pid === 'number' ? [pid] : []) }
  } catch (error) {
    if (codedOf(error).code === 'GATEWAY_NOT_RUNNING') return null
    throw error
  }
}

function findingText({ check, subject, state, message, hint }: Finding): string {
  const first = `${state.padEnd(4)}  ${check.padEnd(13)}  ${subject}: ${message}`
  return [first, ...(hint === null ? [] : [hint])].join('\n').replaceAll('\n', `\n${' '.repeat(21)}`)
}
