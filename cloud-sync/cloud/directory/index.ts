export { claimDocuments } from './claims/state.ts'
export { createChangeTaker, goOnAfter, type Heard } from './gateway-changes/take.ts'
export { DirectoryChange } from './changes.ts'
export {
  customRoleFact,
  deviceFact,
  gatewayFact,
  grantFact,
  heardFact,
  itemFact,
  linkFact,
  memberFact,
  organisationOf,
  PROFILE_ROLE,
  policyFact,
  profileRole,
  shareFact,
  teamFact,
  tokenFact,
  workspaceFact,
} from './kernel/facts.ts'
export type { Actor } from './kernel/actor.ts'
export { disguisePartners } from './kernel/partner-names.ts'
export { checkpoint as signLog, type LogSigner, verifyCheckpoints as verifyLog } from './kernel/checkpoint.ts'
export { rebuild as rebuildDirectory } from './kernel/log.ts'
export { type LogVerified, verifyPolicyLog } from './kernel/verify.ts'
export { acceptedTransfer, pendingCut } from './things/ownership.ts'
export type { Call, DirectoryWorld, Outcome } from './kernel/write.ts'
export type { MeteredUse, WorkspaceUsage } from './kernel/workspace-usage.ts'
export { DIRECTORY_ERRORS, type DirectoryErrorCode } from './errors.ts'
export {
  createOrgDirectory,
  DIRECTORY_QUERIES,
  DIRECTORY_WRITES,
  type OrgDirectory,
} from './org-directory.ts'
export { quotaMails } from './alerts/quota-mails.ts'
export { type Limited, limitsOf, monthAt, sumOf } from './organisations/quotas.ts'
export { parseDirectory } from './seed.ts'
export { deliverMail } from './mail/deliver.ts'
export { fileOutbox } from './mail/file-outbox.ts'
export type { MailPort } from './mail/port.ts'
export { smtpMail } from './mail/smtp.ts'
export { SCRYPT_COST } from './accounts/passwords.ts'
export { createHashing } from './kernel/hashing.ts'
export { networkOf } from './kernel/network.ts'
