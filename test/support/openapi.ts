import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { expect } from 'vitest'
import type { Answered, DirectoryApi } from './directory-api.ts'

interface Operation {
  readonly operationId: string
  readonly security?: readonly Readonly<Record<string, unknown>>[]
  readonly parameters: readonly { readonly name?: string; readonly in?: string; readonly $ref?: string }[]
  readonly requestBody?: unknown
  readonly responses: Readonly<Record<string, { readonly content?: unknown }>>
}

export interface Listed extends Operation {
  readonly method: string
  readonly path: string
}

/** The document that a server gives, and calls that are held to it. */
export interface ApiDocument {
  readonly operations: readonly Listed[]
  /** Operations that were called. */
  readonly called: ReadonlySet<string>
  /** Calls an operation; request, status and answer must be as the document says. Fields go where it has them. */
  readonly call: (
    id: string,
    secret: string | undefined,
    fields?: Readonly<Record<string, unknown>>,
  ) => Promise<Answered>
  expectProblem(answered: Answered, status: number, code: string): void
}

export async function readDocument(api: DirectoryApi): Promise<ApiDocument> {
  const { body: document } = await api.ask(undefined, '/v1/openapi.json')
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addFormat('base64', /^[A-Za-z0-9+/]*={0,2}$/)
  ajv.addSchema(document, 'doc')
  const paths = document['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  )
  const called = new Set<string>()
  const schemaAt = (pointer: string): ValidateFunction => ajv.compile({ $ref: `doc#${pointer}` })
  const assertValid = (validate: ValidateFunction, value: unknown, what: string): void => {
    validate(value)
    expect(validate.errors ?? [], what).toEqual([])
  }
  return {
    operations,
    called,
    async call(id, secret, fields = {}) {
      const operation = operations.find(({ operationId }) => operationId === id)
      if (operation === undefined) throw new Error(`the document has no ${id}`)
      const { method, path, requestBody, responses } = operation
      const [status = ''] = Object.keys(responses)
      const at = `/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method.toLowerCase()}`
      const { filled, rest } = fill(path, fields)
      const query = new URLSearchParams(
        method === 'GET'
          ? Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)])
          : [],
      ).toString()
      if (requestBody !== undefined)
        assertValid(
          schemaAt(`${at}/requestBody/content/application~1json/schema`),
          rest,
          `what ${id} is sent`,
        )
      const answered = await api.ask(secret, query === '' ? filled : `${filled}?${query}`, {
        method,
        ...(requestBody === undefined ? {} : { body: rest }),
      })
      expect(answered, id).toMatchObject({ status: Number(status) })
      const content = responses[status]?.content as Readonly<Record<string, unknown>> | undefined
      if (content !== undefined && 'application/json' in content)
        assertValid(
          schemaAt(`${at}/responses/${status}/content/application~1json/schema`),
          answered.body,
          `what ${id} answers`,
        )
      called.add(id)
      return answered
    },
    expectProblem(answered, status, code) {
      expect(answered).toMatchObject({ status, body: { code, status } })
      expect(answered.headers.get('Content-Type')).toBe('application/problem+json')
      assertValid(schemaAt('/components/schemas/Problem'), answered.body, 'the problem')
    },
  }
}

/** The address with its fields in, and the fields that it has no place for. */
function fill(
  path: string,
  fields: Readonly<Record<string, unknown>>,
): { filled: string; rest: Record<string, unknown> } {
  const rest = { ...fields }
  const filled = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const { [name]: value } = rest
    Reflect.deleteProperty(rest, name)
    return encodeURIComponent(String(value))
  })
  return { filled, rest }
}
