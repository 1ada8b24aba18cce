import type { Command } from 'commander'
import type { Does } from './access-commands.ts'

/** `headgate ledger`: for whoever checks the bills. */
export function ledgerCommands(program: Command, does: Does): void {
  const ledger = program
    .command('ledger')
    .description('what an auditor, or whoever runs the cloud, asks of the ledger')
  does(
    ledger
      .command('verify')
      .description('check an evidence file by itself, with no network and no database')
      .argument('<file>', 'as `headgate ledger export` wrote it')
      .option('--trust <key>', 'root public key of the cloud, as `headgate cloud --print-trust` shows it')
      .option('--keyset <generation.version>', 'refuse a file with an older keyset, e.g. 1.3')
      .addHelpText('after', '\nExample:\n  $ headgate ledger verify november.evidence --trust KEY\n'),
    async () => (await import('./ledger/verify.ts')).verifyFile,
  )
}
