/** A person, or the organisation that stands for them. */
export interface Shown {
  readonly kind: string
  readonly id: string
}

/**
 * How somebody is shown to people of `viewer` in what belongs to `owner`: who acts for a third organisation, a partner
 * above all, appears as that organisation to everybody but its own people (S4.14).
 */
export function shownTo(
  { viewer, owner }: { viewer: string; owner: string | null },
  { kind, id, org }: { kind: string; id: string; org: string | null },
): Shown {
  const isForeign = org !== null && org !== owner && org !== viewer
  return isForeign ? { kind: 'organisation', id: org } : { kind, id }
}
