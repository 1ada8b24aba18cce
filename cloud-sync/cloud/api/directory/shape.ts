import { z } from 'zod'
import type { Fields, Operation } from './route.ts'

/** A JSON Schema (draft 2020-12, as OpenAPI 3.1 takes it). */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Where the fields of a request stand. */
export interface Shape {
  /** Names in braces of the path. */
  readonly path: readonly string[]
  /** The other fields: of the query of a GET, else of the body. */
  readonly others: Readonly<Record<string, JsonSchema>>
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required: readonly string[]
  /** Schemas that these refer to. */
  readonly definitions: Readonly<Record<string, JsonSchema>>
}

export function shapeOf({ path, request }: Pick<Operation, 'path' | 'request'>): Shape {
  const { properties = {}, required = [], $defs = {} } = jsonSchemaOf(request, 'input') as ObjectSchema
  const named = fieldsOfPath(path)
  const unknown = named.find((name) => !(name in properties))
  if (unknown !== undefined) throw new Error(`${path} names ${unknown}, which nothing takes`)
  const others = Object.fromEntries(Object.entries(properties).filter(([name]) => !named.includes(name)))
  return { path: named, others, properties, required, definitions: $defs }
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

/** `input` = as it is sent, `output` = as it is answered. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  // The one that OpenAPI 3.1 means where nothing is said.
  if (dialect !== DIALECT) throw new Error(`${String(dialect)} is not what OpenAPI 3.1 takes`)
  return rest
}

/** Text of a query as the kind of value that the field is; what does not fit stays text and is refused by its schema. */
export function typedQuery(query: Readonly<Record<string, string>>, properties: Shape['properties']): Fields {
  return Object.fromEntries(
    Object.entries(query).map(([name, text]) => [name, typed(text, properties[name]?.['type'])]),
  )
}

function typed(text: string, type: unknown): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

const fieldsOfPath = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
