import { Command, CommanderError } from 'commander'
import { type Answer, processTerminal, runAnswer } from './output.ts'

const VERSION = '0.1.0'

interface Options {
  readonly json?: boolean
  readonly [name: string]: unknown
}

/**
 * Binds a command to the function that does it, imported only when it is called, so that `headgate gateway` loads
 * nothing of the others. Every command takes --json.
 */
function does(
  command: Command,
  load: () => Promise<(options: never, args: readonly string[]) => Promise<Answer>>,
): Command {
  return command.option('--json', 'one JSON value on standard output').action(async (...given: unknown[]) => {
    const called = given.at(-1) as Command
    const options: Options = called.optsWithGlobals()
    process.exitCode = await runAnswer(processTerminal, options.json === true, async () => {
      const act = await load()
      return act(options as never, called.args)
    })
  })
}

const program = new Command('headgate')
  .description(
    'Stands between sensors and the cloud: reads them, enforces who owns what, meters every byte, offline too.',
  )
  .version(VERSION)
  .exitOverride()
  .showHelpAfterError('(headgate --help shows all commands)')

does(
  program
    .command('init')
    .description('write a configuration for a gateway that works without a cloud')
    .option('--dir <dir>', 'where to write gateway.yaml', '.')
    .option('--gateway <id>', 'serial number of the gateway', 'GW-1')
    .option('--organisation <id>', 'the organisation that owns it', 'home'),
  async () => (await import('./init.ts')).initGateway,
)

does(
  program
    .command('gateway')
    .description('run the gateway')
    .requiredOption('--config <file>', 'gateway.yaml')
    .option('--print-key', "print the gateway's public key, made at first start, and end"),
  async () => (await import('./gateway.ts')).runGateway,
)

const cloud = does(
  program
    .command('cloud')
    .description('run the cloud')
    .option('--config <file>', 'cloud.yaml')
    .option('--print-trust', 'print the root public key for `cloud.trust` of gateways, and end'),
  async () => (await import('./cloud.ts')).runCloud,
)
for (const [name, what] of [
  ['readings', 'readings kept in the cloud'],
  ['usage', 'posted usage by sensor and day'],
] as const) {
  does(
    cloud
      .command(name)
      .description(what)
      .requiredOption('--url <url>', 'address of the cloud, e.g. http://127.0.0.1:8090')
      .requiredOption('--login <org:name>', 'name of an API key')
      .option('--key-file <file>', 'file with the key; default: environment HEADGATE_KEY')
      .option('--device <id>', 'only this device')
      .option('--sensor <name>', 'only this sensor')
      .option('--channel <name>', 'only this channel')
      .option('--from <time>', 'ISO 8601 time or epoch milliseconds')
      .option('--to <time>', 'ISO 8601 time or epoch milliseconds')
      .option('--limit <n>', 'at most so many', '100'),
    async () => (await import('./cloud.ts'))[name === 'readings' ? 'cloudReadings' : 'cloudUsage'],
  )
}

does(
  program
    .command('demo')
    .description('everything on this machine: simulated wire and sensors, gateway, cloud, faults')
    .option('--seconds <n>', 'how long it takes readings', '60')
    .option('--real <tty>', 'a real serial port instead of the simulated wire (with --profile)')
    .option('--profile <file>', 'profile of the device at the real port')
    .option('--address <n>', 'address of the device at the real port', '1')
    .option('--no-faults', 'no unplugs, kills and cuts')
    .option('--keep <dir>', 'work in this folder and keep it'),
  async () => (await import('./demo/demo.ts')).runDemo,
)

for (const [name, what] of [
  ['status', 'what the running gateway does'],
  ['sensors', 'every sensor with its last values'],
  ['usage', 'what was metered, by sensor and organisation'],
] as const) {
  does(
    program
      .command(name)
      .description(what)
      .option('--config <file>', 'gateway.yaml of the running gateway')
      .option(
        '--data <dir>',
        'its data folder; default: from --config, else HEADGATE_DATA, else /var/lib/headgate',
      ),
    async () => (await import('./query.ts'))[name],
  )
}

const line = program.command('line').description('look at a serial line (the gateway must not be using it)')
const onLine = (command: Command): Command =>
  command
    .argument('<port>', 'device path, or tcp:HOST:PORT')
    .option('--baud <n>', 'bits a second', '9600')
    .option('--format <8N1>', 'data bits, parity, stop bits', '8N1')
does(
  onLine(line.command('scan').description('find Modbus devices'))
    .option('--all-speeds', 'try the usual speeds and formats too')
    .option('--first <n>', 'first address', '1')
    .option('--last <n>', 'last address', '32'),
  async () => (await import('./line.ts')).scan,
)
does(
  onLine(line.command('sniff').description('show what others say')).option('--seconds <n>', 'how long', '10'),
  async () => (await import('./line.ts')).sniff,
)
does(
  onLine(line.command('try').description('poll one device once and show the bytes'))
    .requiredOption('--profile <file>', 'a profile file or the name of a shipped one')
    .option('--address <n>', 'address on the bus', '1'),
  async () => (await import('./line.ts')).tryOnce,
)

const profile = program.command('profile').description('work on a sensor profile')
does(
  profile.command('check').description('check a profile and run its examples').argument('<file>'),
  async () => (await import('./profile.ts')).check,
)
does(
  profile
    .command('sim')
    .description('simulate a device from its profile')
    .argument('<file>')
    .option('--pty <path>', 'appear as this serial device (needs socat)')
    .option('--tcp <port>', 'listen on this loopback port instead', '0')
    .option('--address <n>', 'address on the bus', '1'),
  async () => (await import('./profile.ts')).simulate,
)

does(
  program
    .command('doctor')
    .description('check what a gateway needs here')
    .option('--config <file>', 'gateway.yaml, checked too'),
  async () => (await import('./doctor.ts')).doctor,
)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : 2
}
