import { HINTS } from '../problem.ts'
import * as answers from './answers.ts'
import { CONTEXT_HEADER, SESSION_COOKIE } from './credentials.ts'
import { HIDDEN, PageQuery } from './page.ts'
import type { Operation } from './route.ts'
import { SessionMade, SessionShown } from './sessions.ts'
import { type JsonSchema, jsonSchemaOf, shapeOf } from './shape.ts'

const PROBLEM = {
  type: 'object',
  description: 'RFC 9457. `code` is stable; docs/errors.md explains each.',
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(HINTS) },
    hint: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
        required: ['pointer', 'detail'],
        additionalProperties: false,
      },
    },
  },
  required: ['type', 'title', 'status', 'detail', 'code', 'hint'],
  additionalProperties: false,
}

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'The secret of a session, an API key or a token.' },
  basic: { type: 'http', scheme: 'basic', description: 'User `organisation:name`, password = its key.' },
  cookie: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE, description: 'A browser session.' },
  csrf: { type: 'apiKey', in: 'header', name: 'X-CSRF-Token', description: 'Of that browser session.' },
  operator: {
    type: 'http',
    scheme: 'bearer',
    description: 'The text of dataDir/operator.token, and only from the machine itself.',
  },
}

const PARAMETERS = {
  key: {
    name: 'Idempotency-Key',
    in: 'header',
    required: true,
    description: 'New for each write; repeated, the write is not done again and the answer is the same.',
    schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[\\x21-\\x7e]+$' },
  },
  context: {
    name: CONTEXT_HEADER,
    in: 'header',
    description:
      'The organisation for which a session acts, where it is not the one of the address: a partner with a customer.',
    schema: { type: 'string', pattern: '^[a-z0-9-]{1,64}$' },
  },
}

const RESPONSES = {
  Problem: {
    description: 'A refusal.',
    content: { 'application/problem+json': { schema: ref('schemas', 'Problem') } },
  },
  TooMany: {
    description: 'Too many requests, or too many wrong passwords.',
    headers: { 'Retry-After': { schema: { type: 'integer', minimum: 1 }, description: 'Seconds.' } },
    content: { 'application/problem+json': { schema: ref('schemas', 'Problem') } },
  },
}

/** Names of answers in the document. */
const NAMES = new Map(
  Object.entries({ ...answers, SessionMade, SessionShown }).map(([name, schema]) => [
    schema as unknown,
    name,
  ]),
)

/** The OpenAPI 3.1 document of these operations. */
export function documentOf(operations: readonly Operation[]): JsonSchema {
  const schemas: Record<string, JsonSchema> = { Problem: PROBLEM }
  const paths: Record<string, Record<string, JsonSchema>> = {}
  for (const operation of operations) {
    const path = (paths[operation.path] ??= {})
    path[operation.method.toLowerCase()] = operationOf(operation, schemas)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Headgate cloud',
      version: '1',
      description: 'Organisations, their people, and who may see what. See docs/http-api.md.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas,
      responses: RESPONSES,
      parameters: PARAMETERS,
      securitySchemes: SECURITY_SCHEMES,
    },
  }
}

function operationOf(operation: Operation, schemas: Record<string, JsonSchema>): JsonSchema {
  const { id, says, status, by } = operation
  const body = bodyOf(operation, schemas)
  return {
    operationId: id,
    tags: [id.split('.')[0]],
    summary: says,
    security: securityOf(operation),
    parameters: parametersOf(operation),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      [String(status)]: successOf(operation, schemas),
      ...(by === 'anyone' ? {} : { 401: ref('responses', 'Problem') }),
      429: ref('responses', 'TooMany'),
      default: ref('responses', 'Problem'),
    },
  }
}

function securityOf({ by, method }: Operation): JsonSchema[] {
  const cookie = method === 'GET' ? { cookie: [] } : { cookie: [], csrf: [] }
  switch (by) {
    case 'anyone':
      return []
    case 'operator':
      return [{ operator: [] }, { bearer: [] }, cookie]
    case 'session':
      return [{ bearer: [] }, cookie]
    case 'user':
      return [{ bearer: [] }, { basic: [] }, cookie]
  }
}

function parametersOf(operation: Operation): JsonSchema[] {
  const { path, others, properties, required } = shapeOf(operation)
  const { by, method, takesKey, isList } = operation
  const inPath = path.map((name) => ({ name, in: 'path', required: true, schema: properties[name] }))
  const asked = method === 'GET' ? Object.entries(others) : []
  const inQuery = asked
    .filter(([name]) => !isList || !HIDDEN.has(name))
    .map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }))
  const paging = shapeOf({ path: '', request: PageQuery }).properties
  const inPage = isList ? Object.entries(paging).map(([name, schema]) => ({ name, in: 'query', schema })) : []
  return [
    ...inPath,
    ...inQuery,
    ...inPage,
    ...(takesKey ? [ref('parameters', 'key')] : []),
    ...(by === 'user' || by === 'session' ? [ref('parameters', 'context')] : []),
  ]
}

function bodyOf(operation: Operation, schemas: Record<string, JsonSchema>): JsonSchema | undefined {
  const { others, required, definitions } = shapeOf(operation)
  const names = Object.keys(others)
  if (operation.method === 'GET' || names.length === 0) return undefined
  const needed = required.filter((name) => name in others)
  const schema = { type: 'object', properties: others, required: needed, additionalProperties: false }
  // What a schema refers to moves to where the whole document can refer to it.
  const hoisted = (name: string): string => `${operation.id}.${name}`
  const moved = (part: unknown): JsonSchema =>
    JSON.parse(
      JSON.stringify(part).replaceAll(
        /"#\/\$defs\/(\w+)"/g,
        (_all, name: string) => `"#/components/schemas/${hoisted(name)}"`,
      ),
    ) as JsonSchema
  for (const [name, definition] of Object.entries(definitions)) schemas[hoisted(name)] = moved(definition)
  const content = { 'application/json': { schema: moved(schema) } }
  return { required: needed.length > 0, content }
}

function successOf(
  { answer, media, isList, takesKey }: Operation,
  schemas: Record<string, JsonSchema>,
): JsonSchema {
  const headers = takesKey
    ? {
        headers: {
          'Idempotency-Replayed': {
            schema: { const: 'true' },
            description: 'The write was done before; this is its answer again.',
          },
        },
      }
    : {}
  if (media !== undefined)
    return { description: 'A file.', content: { [media]: { schema: { type: 'string' } } } }
  if (answer === null) return { description: 'Done.', ...headers }
  const name = NAMES.get(answer)
  if (name === undefined) throw new Error('an answer without a name: export it from answers.ts')
  schemas[name] = jsonSchemaOf(answer, 'output')
  if (!isList) return { description: 'Done.', ...headers, content: json(ref('schemas', name)) }
  schemas[`${name}Page`] = {
    type: 'object',
    properties: {
      items: { type: 'array', items: ref('schemas', name) },
      next: {
        type: ['string', 'null'],
        description: 'The cursor of the next page; null = this is the last.',
      },
    },
    required: ['items', 'next'],
    additionalProperties: false,
  }
  return { description: 'A page.', content: json(ref('schemas', `${name}Page`)) }
}

const json = (schema: JsonSchema): JsonSchema => ({ 'application/json': { schema } })

function ref(kind: 'schemas' | 'responses' | 'parameters', name: string): JsonSchema {
  return { $ref: `#/components/${kind}/${name}` }
}
