import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { ROUTES } from '../../../../cloud-sync/cloud/api/directory/routes/index.ts'
import { DIRECTORY_QUERIES, DIRECTORY_WRITES } from '../../../../cloud-sync/cloud/directory/index.ts'
import { serveDirectory } from '../../../support/directory-api.ts'

/** What has another place: the operator's older address, the start of the cloud, and what it does by itself. */
const OLDER: Readonly<Record<string, string>> = {
  'platform.importSeed': 'the file of `directory`, once',
  'platform.configure': 'POST /v1/operator/directory',
  'quotas.split': 'the cloud alone, which shares a limit out to gateways',
}

test('every command and question of the directory has an address', () => {
  const known = new Set(ROUTES.map(({ does }) => does))
  const named = [DIRECTORY_WRITES, DIRECTORY_QUERIES].flatMap((areas) =>
    Object.entries(areas).flatMap(([area, methods]) =>
      Object.keys(methods as object).map((name) => `${area}.${name}`),
    ),
  )
  expect(named.filter((name) => !known.has(name) && OLDER[name] === undefined)).toEqual([])
})

test('no two operations share an address or an id', () => {
  const addresses = ROUTES.map(({ method, path }) => `${method} ${path}`)
  const ids = ROUTES.map(({ id }) => id)
  expect(new Set(addresses).size).toBe(addresses.length)
  expect(new Set(ids).size).toBe(ids.length)
})

test('the document that is served is valid OpenAPI 3.1', async () => {
  const api = await serveDirectory()
  const { status, headers, body } = await api.ask(undefined, '/v1/openapi.json')
  expect(status).toBe(200)
  expect(headers.get('Content-Type')).toBe('application/json')
  const validator = new Validator()
  const result = await validator.validate(body)
  expect(result.errors ?? []).toEqual([])
  expect(validator.version).toBe('3.1')
  expect(() => validator.resolveRefs()).not.toThrow()
})
