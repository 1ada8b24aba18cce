import { z } from 'zod'
import { type MemberLogin, memberClient } from './cloud-member.ts'
import type { Answer } from './output.ts'

const Added = z.object({ device: z.string() })

interface AddOptions extends MemberLogin {
  /** How people call it; default: its id. */
  readonly name?: string
  readonly workspace?: string
  readonly custodian?: string
}

/** `headgate cloud device add GATEWAY DEVICE`: the directory knows a device of an own gateway from now on. */
export async function add(
  options: AddOptions,
  [gateway = '', device = '']: readonly string[],
): Promise<Answer> {
  const { client, org } = await memberClient(options)
  const { name = device, workspace, custodian } = options
  const path = `/v1/organisations/${encodeURIComponent(org)}/gateways/${encodeURIComponent(gateway)}/devices`
  const given = { device, name, ...(workspace && { workspace }), ...(custodian && { custodian }) }
  const added = await client.send(`POST ${path}`, given, Added)
  return { json: added, text: `${added.device} is ${org}'s` }
}
