/** The arrows of ARCHITECTURE.md, checked. Change both together. */
const folders = 'agent|broker|cloud-sync|hardware'
const owner = (name, path, pkg) => ({
  name,
  severity: 'error',
  from: { pathNot: `^(${path}|test)/` },
  to: { path: pkg },
})
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'hardware-and-broker-know-nobody',
      severity: 'error',
      from: { path: '^(hardware|broker)/' },
      to: { path: `^(${folders})/`, pathNot: '^$1/' },
    },
    {
      name: 'cloud-sync-never-knows-the-gateway',
      comment: 'The cloud may embed broker/; nothing in cloud-sync imports agent or hardware.',
      severity: 'error',
      from: { path: '^cloud-sync/' },
      to: { path: '^(agent|hardware)/' },
    },
    {
      name: 'only-the-cloud-embeds-the-broker',
      severity: 'error',
      from: { path: '^cloud-sync/', pathNot: '^cloud-sync/cloud/' },
      to: { path: '^broker/' },
    },
    {
      name: 'through-the-front-door',
      comment: 'Another folder is seen through its index.ts only (inside a folder any file may be named).',
      severity: 'error',
      from: { path: '^(agent|cloud-sync/(cloud|gateway))/' },
      to: {
        path: '^(hardware|broker|cloud-sync/(contract|access|codec|evidence|gateway|cloud))/',
        pathNot: [
          '^(hardware|broker|cloud-sync/(contract|access|codec|evidence|gateway|cloud))/index\\.ts$',
          '^$1/',
        ],
      },
    },
    {
      name: 'gateway-end-and-cloud-end-are-strangers',
      severity: 'error',
      from: { path: '^cloud-sync/(gateway|cloud)/' },
      to: { path: '^cloud-sync/(gateway|cloud)/', pathNot: '^cloud-sync/$1/' },
    },
    {
      name: 'contract-is-the-bottom',
      severity: 'error',
      from: { path: '^cloud-sync/contract/' },
      to: { pathNot: ['^cloud-sync/contract/', 'node_modules/zod'] },
    },
    {
      name: 'codec-stands-on-contract',
      severity: 'error',
      from: { path: '^cloud-sync/codec/' },
      to: { pathNot: ['^cloud-sync/(codec|contract)/', '^(node:)?(crypto|zlib)$', 'node_modules/zod'] },
    },
    {
      name: 'access-stands-on-contract',
      severity: 'error',
      from: { path: '^cloud-sync/access/' },
      to: { path: `^(${folders})/`, pathNot: '^cloud-sync/(access|contract)/' },
    },
    {
      name: 'evidence-stands-on-codec',
      comment: 'An auditor needs no cloud: the verifier reads bytes that it is handed, from wherever.',
      severity: 'error',
      from: { path: '^cloud-sync/evidence/' },
      to: { pathNot: ['^cloud-sync/(evidence|codec|contract)/', 'node_modules/zod'] },
    },
    {
      name: 'metering-knows-no-storage',
      severity: 'error',
      from: { path: '^agent/metering/' },
      to: { path: '^agent/', pathNot: '^agent/metering/' },
    },
    {
      name: 'decisions-are-pure',
      severity: 'error',
      from: { path: '^(cloud-sync/access|agent/metering)/' },
      to: { dependencyTypes: ['core', 'npm'], pathNot: 'node_modules/zod' },
    },
    {
      name: 'billing-is-pure',
      comment: 'Prices and statements come from facts alone; who stores and shows them calls billing.',
      severity: 'error',
      from: { path: '^cloud-sync/cloud/billing/' },
      to: { pathNot: ['^cloud-sync/(cloud/billing|contract)/', '^(node:)?crypto$', 'node_modules/zod'] },
    },
    owner(
      'one-owner-for-sqlite',
      'agent/storage|cloud-sync/cloud/storage|broker/persistence',
      'node_modules/better-sqlite3',
    ),
    owner('one-owner-for-postgres', 'cloud-sync/cloud/storage', '(^|node_modules/)pg($|/)'),
    owner('one-owner-for-mail', 'cloud-sync/cloud/directory/mail', '(^|node_modules/)nodemailer'),
    owner('one-owner-for-stripe', 'cloud-sync/cloud/invoicing/payments', '(^|node_modules/)stripe($|/)'),
    owner('one-owner-for-serialport', 'hardware', '(^|node_modules/)@?serialport'),
    owner('one-owner-for-aedes', 'broker', '(^|node_modules/)aedes($|/)'),
    owner('one-owner-for-ws', 'broker/listen', '(^|node_modules/)(@types/)?ws($|/)'),
    owner('one-owner-for-mqtt', 'cloud-sync|agent/cli/demo', '(^|node_modules/)mqtt($|/)'),
    { name: 'nothing-imports-tests', severity: 'error', from: { pathNot: '^test/' }, to: { path: '^test/' } },
    {
      name: 'no-dev-dependencies-in-product',
      severity: 'error',
      from: { path: `^(${folders})/` },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
  },
}
