import { readFileSync, writeFileSync } from 'node:fs'
import type { KeysShown } from '../../cloud-sync/cloud/index.ts'
import { AgentError } from '../errors.ts'
import type { Answer } from './output.ts'

interface KeysOptions {
  readonly config?: string
  /** The root key where it is not in the data folder. */
  readonly root?: string
}

async function dataDirOf({ config }: KeysOptions): Promise<string> {
  if (config === undefined) throw new AgentError('USAGE', 'headgate cloud keys needs --config FILE')
  return (await cloudParts()).readCloudConfig(config).dataDir
}

const cloudParts = () => import('../../cloud-sync/cloud/index.ts')

/** `headgate cloud keys show`: what signs for this cloud, and whether the root key lies beside it. */
export async function showCloudKeys(options: KeysOptions): Promise<Answer> {
  const { showKeys } = await cloudParts()
  return answer(showKeys(await dataDirOf(options)))
}

/** `headgate cloud keys rotate|add|generation`, and `retire KEY`. */
export const changeCloudKeys =
  (how: 'rotate' | 'add' | 'generation') =>
  async (options: KeysOptions): Promise<Answer> => {
    const { changeKeys } = await cloudParts()
    return answer(changeKeys(await dataDirOf(options), { do: how }, options.root))
  }

export async function retireCloudKey(options: KeysOptions, [key = '']: readonly string[]): Promise<Answer> {
  const { changeKeys } = await cloudParts()
  return answer(changeKeys(await dataDirOf(options), { do: 'retire', key }, options.root))
}

/** `headgate cloud keys request`: what is to be signed where the root key is. */
export async function requestCloudKeys(options: KeysOptions & { to: string }): Promise<Answer> {
  const { requestKeys } = await cloudParts()
  const { to } = options
  writeFileSync(to, requestKeys(await dataDirOf(options), { do: 'rotate' }), { mode: 0o600 })
  return {
    json: { request: to },
    text: `sign ${to} where the root key is: headgate cloud keys sign ${to} --root FILE`,
  }
}

/** `headgate cloud keys sign`: where the root key is. */
export async function signCloudKeys(
  { root, to }: { readonly root: string; readonly to: string },
  [request = '']: readonly string[],
): Promise<Answer> {
  const { signRequest } = await cloudParts()
  writeFileSync(to, signRequest(readFileSync(request, 'utf8'), root), { mode: 0o600 })
  return { json: { keyset: to }, text: `install ${to} at the cloud: headgate cloud keys install ${to}` }
}

/** `headgate cloud keys install`: a keyset that the root signed elsewhere. */
export async function installCloudKeys(
  options: KeysOptions,
  [file = '']: readonly string[],
): Promise<Answer> {
  const { installKeyset } = await cloudParts()
  return answer(installKeyset(await dataDirOf(options), file))
}

/** `headgate cloud keys export-root`: takes the root key out of the data folder. */
export async function exportCloudRoot(options: KeysOptions & { to: string }): Promise<Answer> {
  const { exportRoot } = await cloudParts()
  const { to } = options
  exportRoot(await dataDirOf(options), to)
  return { json: { root: to }, text: `the root key is in ${to} now; keep it where no network is` }
}

function answer(json: KeysShown): Answer {
  const keys = json.keys.map(
    ({ id, here, signs }) => `  ${id}${signs ? ' signs' : here ? ' is here' : ' is elsewhere'}`,
  )
  const root = json.rootHere ? 'in the data folder: take it to a safe place' : 'elsewhere'
  const head = `generation ${json.generation}, keyset ${json.version}; root ${json.root}, its key ${root}`
  return { json, text: [head, ...keys].join('\n') }
}
