import type { CompiledPolicy } from './compile.ts'
import type { Rule } from './matrix.ts'
import type { About, Refusal, When } from './question.ts'
import type { Subject } from './subjects.ts'
import type { Thing } from './things.ts'

/** A question with everything found that it names. */
export interface Ask {
  readonly policy: CompiledPolicy
  readonly subject: Subject
  readonly thing: Thing
  readonly rule: Rule
  readonly when: When
  readonly about: About
}

/** Undefined = nothing against it. */
export type Objection = Refusal | undefined
