/** Where everything of one organisation lives. */
export const ORG = '/v1/organisations/{org}'
/** Only for whoever runs the cloud. */
export const OPERATOR = '/v1/operator'

export const same = <T>(answer: T): T => answer
export const idOf = ({ id }: { id: string }): string => id
/** In order of time; the id keeps those of one millisecond apart. */
export const bornOf = ({ createdAt, id }: { createdAt: number; id: string }): string =>
  `${String(createdAt).padStart(16, '0')} ${id}`
