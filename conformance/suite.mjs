// Runs tests of http-cache-tests against one base URL and sends their outcomes to the parent process.
//
// A process of its own, for the suite keeps its results in module variables: a second run in the same
// process would count every test as a duplicate.
//
// Arguments: base URL, Host (or "-"), whether to show what goes over the wire, then ids of tests (none: all).
import http from 'node:http'
import fetch, { Response } from 'node-fetch'
import { runTests, getResults } from 'http-cache-tests/client/runner.mjs'
import { ERROR } from './mended.mjs'
import { catalogue, outcomes, tests } from './outcomes.mjs'

const [base, host, show, ...ids] = process.argv.slice(2)

// No test waits for long; one that hangs must not hang the run.
const LIMIT = 20_000

// As many connections as the suite has tests in flight, kept: opening them is not what is tested.
const agent = new http.Agent({ keepAlive: true })

async function viewer (url, init = {}) {
  const headers = [...(init.headers ?? [])]
  if (host !== '-') headers.push(['Host', host])
  const response = await fetch(url, { ...init, headers, agent, redirect: 'manual', timeout: LIMIT })
  return mends(headers) && response.status >= 500 && !response.headers.has('Server-Request-Count') ? anError(response) : response
}

const mends = headers => catalogue.get(headers.find(([name]) => name === 'Test-ID')?.[1])?.kind === 'mended'

/** One status for every error that a cache makes by itself: the suite's client can expect but one. */
const anError = response => new Response(response.body, { status: ERROR, headers: response.headers })

const suites = tests(ids)
if (show === 'show') for (const suite of suites) for (const test of suite.tests) test.dump = true
await runTests(suites, viewer, false, base)
process.send(outcomes(getResults()), () => process.exit(0))
