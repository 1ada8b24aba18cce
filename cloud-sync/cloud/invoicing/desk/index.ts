import * as exported from './exports.ts'
import * as operator from './operator.ts'
import * as payments from './payments.ts'
import { refund } from './refunds.ts'
import { rebilling, setPartnerPrices } from './rebilling.ts'
import * as views from './views.ts'

export { type Answered, atDesk, type Matter } from './desk.ts'

/** Everything that billing answers, by the name of its operation. */
export const BILLING_QUERIES = {
  statement: views.statement,
  sensors: views.sensors,
  users: views.users,
  days: views.days,
  cellularGateways: views.cellularGateways,
  cellularUsers: views.cellularUsers,
  workspaces: views.workspaces,
  workspaceUsage: views.workspaceUsage,
  rebilling,
  csv: exported.csv,
  focus: exported.focus,
  cloudEvents: exported.cloudEvents,
  meterEvents: exported.meterEvents,
  evidence: exported.evidence,
  invoices: payments.invoices,
  invoice: payments.invoice,
  methods: payments.methods,
  payments: payments.payments,
  receipt: payments.receipt,
  operatorStatement: operator.statementOf,
  operatorInvoices: operator.listInvoices,
  prices: operator.listPrices,
  priceBook: operator.showPrices,
  accounts: operator.accounts,
  sentMeterEvents: exported.listMeterEvents,
} as const

/** Everything that billing does. */
export const BILLING_WRITES = {
  setPartnerPrices,
  beginMethod: payments.beginMethod,
  saveMethod: payments.saveMethod,
  chooseMethod: payments.chooseMethod,
  removeMethod: payments.removeMethod,
  pay: payments.pay,
  setPrices: operator.setPrices,
  setTerms: operator.setTerms,
  recordTransfer: operator.recordTransfer,
  refund,
  closeNow: operator.closeNow,
  sendMeterEvents: exported.sendMeterEvents,
  decideMeterEvent: exported.decideMeterEvent,
} as const
