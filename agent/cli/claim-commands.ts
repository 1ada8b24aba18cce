import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

const list = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

const atGateway = (command: Command): Command =>
  command
    .option('--config <file>', 'gateway.yaml of the gateway on this machine')
    .option('--data <dir>', 'its data folder; default: from --config, else HEADGATE_DATA')
    .option('--gateway <url>', 'or the address of its console, e.g. http://192.0.2.7:8080')

const asMember = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the cloud, e.g. https://cloud.example')
    .option('--login <org:name>', 'name of an API key')
    .option('--organisation <org>', 'instead of --login: with the secret of a session as the key')
    .option('--key-file <file>', 'file with the key; default: environment HEADGATE_KEY')

const intoFiles = (command: Command): Command =>
  command
    .option('--png <file>', 'write its QR code as an image')
    .option('--pdf <file>', 'write it as a label of 80 mm by 40 mm')
    .option('--birth <file>', "write the gateway's half of the code, claim.birth")

/** Commands by which a gateway becomes an organisation's, and is let go. */
export function claimCommands(program: Command, cloud: Command, does: Does): void {
  does(
    asMember(atGateway(program.command('claim')))
      .description('claim a gateway by its label: at the gateway with a ticket, or through the cloud')
      .argument('<label>', 'GC1:…, as it stands on the gateway; - = from standard input')
      .option('--ticket <file>', 'claim on site by this ticket; with --url the cloud hears of it at once')
      .option('--workspace <id>', 'workspace of the organisation, through the cloud')
      .option('--trust <key>', "the cloud's root key, where its own word for it is not enough")
      .option('--receipt <file>', 'write what the gateway signed, for `headgate cloud receipt`')
      .addHelpText('after', CLAIM_EXAMPLES),
    async () => (await import('./claim.ts')).claim,
  )
  does(
    atGateway(program.command('claim-state')).description('whose a gateway says that it is'),
    async () => (await import('./claim.ts')).claimState,
  )
  does(
    atGateway(program.command('claim-documents'))
      .description('bring what the cloud signed about claiming to a gateway without a link')
      .argument('<file...>', 'claim.birth, or a ticket that was reserved'),
    async () => (await import('./claim.ts')).claimDocuments,
  )
  ticketCommands(program, does)
  factoryCommands(cloud, does)
  deviceCommands(cloud, does)
}

const CLAIM_EXAMPLES = `
Examples:
  $ headgate claim GC1:HG-4:GW-7:… --ticket acme.ticket --data /var/lib/headgate
  $ headgate claim GC1:HG-4:GW-7:… --url https://cloud.example --login acme:ana --key-file ana.key
`

function ticketCommands(program: Command, does: Does): void {
  const ticket = program
    .command('ticket')
    .description('what allows an installer to claim where there is no network')
  const asks = (name: string, what: string): Command => asMember(ticket.command(name).description(what))
  does(
    asks('issue', 'a new ticket')
      .option('--serial <id>', "only this gateway; may be given again (default: any that is nobody's)", list)
      .option('--installer <name>', 'member who will claim (default: who asks)')
      .option('--workspace <id>', 'workspace of the organisation')
      .option('--uses <n>', 'gateways that it can claim')
      .option('--days <n>', 'how long it is good')
      .option('--to <file>', 'write it there'),
    async () => (await import('./tickets.ts')).issue,
  )
  does(asks('list', 'tickets and reservations, newest last'), async () => (await import('./tickets.ts')).list)
  does(
    asks('show', 'the ticket itself again').argument('<ticket>').option('--to <file>', 'write it there'),
    async () => (await import('./tickets.ts')).show,
  )
  does(
    asks('revoke', 'nothing is claimed by it any more').argument('<ticket>'),
    async () => (await import('./tickets.ts')).revoke,
  )
}

function deviceCommands(cloud: Command, does: Does): void {
  const device = cloud.command('device').description('what the directory knows of devices')
  does(
    asMember(device.command('add'))
      .description('let the directory know a device of a gateway of your own')
      .argument('<gateway>', 'its serial number')
      .argument('<device>', 'the id of the device in gateway.yaml')
      .option('--name <name>', 'how people call it (default: its id)')
      .option('--workspace <id>', 'workspace of the organisation')
      .option('--custodian <name>', 'member to whom it belongs'),
    async () => (await import('./cloud-devices.ts')).add,
  )
}

/** `--config` is the cloud's own option, which is taken wherever it stands. */
const asOperator = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the cloud on this machine; default: from --config FILE (cloud.yaml)')
    .option('--token-file <file>', "the operator's token; default: in its data folder")

function factoryCommands(cloud: Command, does: Does): void {
  does(
    intoFiles(asOperator(cloud.command('provision')))
      .description("register a gateway that is nobody's, and show its label, once; --config FILE")
      .requiredOption('--pubkey <key>', 'as `headgate gateway --print-key` says it')
      .requiredOption('--serial <id>', 'its gateway.id')
      .requiredOption('--model <name>', 'letters, digits and hyphens'),
    async () => (await import('./cloud-gateways.ts')).provision,
  )
  does(
    cloud
      .command('receipt')
      .description('bring what a gateway signed to its cloud')
      .argument('<file>', 'as `headgate claim --receipt` wrote it')
      .requiredOption('--url <url>', 'address of the cloud'),
    async () => (await import('./claim.ts')).bringReceipt,
  )
  const gateway = cloud.command('gateway').description('whose gateways are')
  const GATEWAY = ['<gateway>', 'its serial number'] as const
  const decides = (name: string, what: string): Command =>
    asOperator(gateway.command(name).description(`${what}; for the operator, --config FILE`)).argument(
      ...GATEWAY,
    )
  does(
    decides('show', 'whose it was, what it said, and what the cloud made of it'),
    async () => (await import('./cloud-gateways.ts')).show,
  )
  does(
    intoFiles(decides('relabel', "another label for one that is nobody's")),
    async () => (await import('./cloud-gateways.ts')).relabel,
  )
  does(
    intoFiles(decides('decide', 'end a dispute, or give away what its owner left')).argument(
      '<org>',
      'whose it is from now on; nobody = let go',
    ),
    async () => (await import('./cloud-gateways.ts')).decide,
  )
  does(
    decides('decommission', 'nobody claims it any more'),
    async () => (await import('./cloud-gateways.ts')).decommission,
  )
  does(
    intoFiles(asMember(gateway.command('release')))
      .description('let a gateway of your own go; its new label is shown once')
      .argument(...GATEWAY),
    async () => (await import('./cloud-gateways.ts')).release,
  )
}
