import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

const asMember = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the cloud, e.g. https://cloud.example')
    .option('--login <org:name>', 'name of an API key')
    .option('--organisation <org>', 'instead of --login: with the secret of a session as the key')
    .option('--key-file <file>', 'file with the key; default: environment HEADGATE_KEY')

/** `--config` is the cloud's own option, which is taken wherever it stands. */
const asOperator = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the cloud on this machine; default: from --config FILE (cloud.yaml)')
    .option('--token-file <file>', "the operator's token; default: in its data folder")

/** Commands about what is owed, how it is paid, and what it costs. */
export function billCommands(cloud: Command, does: Does): void {
  does(
    asMember(cloud.command('bill'))
      .description('the statement of a month, a view of it, or an export; for who reads the bills')
      .option('--period <month>', 'such as 2026-07; default: the present one')
      .option('--by <view>', 'sensor, user, day, cellular-gateway, cellular-user or workspace')
      .option('--export <format>', 'csv, focus, cloud-events or stripe-meter-events')
      .option('--to <file>', 'write the export there')
      .addHelpText('after', EXAMPLES),
    async () => (await import('./bill.ts')).bill,
  )
  const invoice = cloud.command('invoice').description('invoices and their payments')
  const about = (name: string, what: string): Command => asMember(invoice.command(name).description(what))
  does(about('list', 'invoices, oldest first'), async () => (await import('./bill.ts')).invoices)
  does(about('payments', 'the payment history'), async () => (await import('./bill.ts')).payments)
  does(
    about('pay', 'pay what is left of an invoice now').argument('<number>'),
    async () => (await import('./bill.ts')).pay,
  )
  does(
    about('get', 'an invoice with its lines, as a PDF')
      .argument('<number>', 'as `invoice list` names it')
      .requiredOption('--to <file>', 'write it there'),
    async () => (await import('./bill.ts')).invoice,
  )
  does(
    about('receipt', 'the receipt of a payment, as a PDF')
      .argument('<payment>', 'as `invoice payments` names it')
      .requiredOption('--to <file>', 'write it there'),
    async () => (await import('./bill.ts')).receipt,
  )
  does(
    asOperator(invoice.command('transfer'))
      .description('record a transfer that came; for the operator, --config FILE')
      .argument('<number>')
      .argument('<amount>', 'as on the invoice, such as 9.00')
      .argument('<reference>', 'what the bank says of it'),
    async () => (await import('./bill.ts')).transfer,
  )
  const price = cloud.command('price').description('rate cards; for the operator, --config FILE')
  does(
    asOperator(price.command('set').description('put a price book into force')).argument('<file>', 'JSON'),
    async () => (await import('./bill.ts')).setPrices,
  )
  does(
    asOperator(price.command('list').description('price books, the newest last')),
    async () => (await import('./bill.ts')).listPrices,
  )
}

const EXAMPLES = `
Examples:
  $ headgate cloud bill --url https://cloud.example --login acme:ana --key-file ana.key
  $ headgate cloud bill --period 2026-07 --by day --url https://cloud.example --login acme:ana
  $ headgate cloud bill --period 2026-07 --export focus --to july.csv --url https://cloud.example --login acme:ana
`
