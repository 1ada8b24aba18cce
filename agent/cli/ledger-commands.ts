import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

const list = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

interface Group {
  readonly ledger: Command
  /** With the options that name a cloud; the second also whose part of it. */
  readonly asks: (command: Command) => Command
  readonly asksFor: (command: Command) => Command
}

/** `headgate ledger`: for whoever checks the bills, and whoever runs the cloud. */
export function ledgerCommands(program: Command, does: Does): void {
  const ledger = program
    .command('ledger')
    .description('prove what was metered, compare it with carriers, decide what the ledger cannot judge')
  const asks = (command: Command): Command =>
    command
      .option('--config <file>', "cloud.yaml, on the cloud's own machine")
      .option('--url <url>', 'address of the cloud')
      .option('--token-file <file>', "the operator's token, with --url")
  const asksFor = (command: Command): Command =>
    asks(command)
      .option('--organisation <id>', 'as this organisation may see it; default: everything')
      .option('--login <org:name>', 'as a member: name of an API key that may read the bills, with --url')
      .option('--key-file <file>', "file with that key, or a session's secret with --organisation")
      .option('--gateway <id>', 'only this gateway; may be given again', list)

  does(
    asksFor(ledger.command('export').description('write an evidence file for an auditor'))
      .requiredOption('--out <file>', 'where to write it')
      .option('--from <day>', 'first day of the sums, as 2026-11-01')
      .option('--to <day>', 'last day of the sums')
      .addHelpText(
        'after',
        `
Examples:
  $ headgate ledger export --config cloud.yaml --organisation acme --out acme.evidence
  $ headgate ledger export --url https://cloud.example --login acme:ana --key-file ana.key --out acme.evidence
`,
      ),
    async () => (await import('./ledger/export.ts')).exportEvidence,
  )
  does(
    asks(
      ledger
        .command('verify')
        .description('check an evidence file by itself, with no network and no database')
        .argument('[file]', 'as `headgate ledger export` wrote it'),
    )
      .option('--trust <key>', 'root public key of the cloud, as `headgate cloud --print-trust` shows it')
      .option('--keyset <generation.version>', 'refuse a file with an older keyset, e.g. 1.3')
      .option('--live <gateway>', 'instead of a file: let the cloud walk what it has stored of a gateway')
      .addHelpText('after', '\nExample:\n  $ headgate ledger verify acme.evidence --trust KEY\n'),
    async () => (await import('./ledger/verify.ts')).verifyLedger,
  )
  moreCommands({ ledger, asks, asksFor }, does)
}

/** Against the carrier, and against forks. */
function moreCommands({ ledger, asks, asksFor }: Group, does: Does): void {
  does(
    asksFor(
      ledger
        .command('reconcile')
        .description("compare a carrier's call data records with what was metered, by SIM and month")
        .argument('<cdr>', 'CSV with a line of column names'),
    )
      .option('--evidence <file>', 'take what was metered from this file, with no cloud')
      .option('--trust <key>', 'root public key of the cloud, with --evidence')
      .option('--profile <file>', 'YAML: columns, unit, overhead, rounding and band of the carrier')
      .option('--band <percent>', "instead of the profile's, which is 5 where it has none")
      .option('--month <month>', 'only this month, as 2026-11')
      .addHelpText(
        'after',
        '\nExample:\n  $ headgate ledger reconcile november.csv --profile carrier.yaml --evidence all.evidence\n',
      ),
    async () => (await import('./ledger/reconcile.ts')).reconcileCarrier,
  )
  does(
    asks(
      ledger
        .command('resolve')
        .description('end a fork of a gateway, or take an epoch that the ledger could not judge')
        .argument('<gateway>')
        .argument('<epoch>', 'as `headgate cloud operator forks` shows it'),
    )
      .option('--resume', 'a fork: what is posted is true and goes on where it stands')
      .option('--close', 'a fork: the epoch ends where it stands; one on hold: it is a false gateway’s')
      .option(
        '--adopt',
        "an epoch on hold is the true gateway's: the newest one ends, and all that its box has waiting comes",
      )
      .option('--stream <stream>', 'with --adopt: usage, rd, rd/h or evt', 'usage')
      .option('--reason <text>', 'why; kept for ever')
      .option('--by <name>', 'who decided; default: the user who runs this'),
    async () => (await import('./ledger/resolve.ts')).resolveStream,
  )
}
