// What the suite's results mean: cache-tests.fyi's rules, for caches between viewers and origins.
import portable from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'
import { mended } from './mended.mjs'

const published = [...portable, surrogate].map(suite => ({ ...suite, tests: suite.tests.filter(test => !test.browser_only) }))

const names = new Map(published.flatMap(suite => suite.tests.map(test => [test.id, test.name])))

// A suite of its own, behind the others.
const suites = [...published, { name: 'Mended', tests: [...mended.values()].map(test => ({ ...test, name: `${names.get(test.mends)} (mended)` })) }]

const byId = new Map(suites.flatMap(suite => suite.tests.map(test => [test.id, { ...test, suite: suite.name, kind: test.kind ?? 'required' }])))

/** Every test by its id: with its suite's name, and its kind (required, optimal, check or mended). */
export const catalogue = byId

/** The suites, reduced to the tests named, and to suites that have any. No names: all. */
export function tests (ids) {
  if (ids.length === 0) return suites
  const wanted = new Set(ids)
  return suites.map(suite => ({ ...suite, tests: suite.tests.filter(test => wanted.has(test.id)) })).filter(suite => suite.tests.length > 0)
}

/** Outcomes by test: {outcome, detail}, from what the suite's client returned. Dependencies come later: see settle. */
export function outcomes (results) {
  return Object.fromEntries(Object.entries(results).map(([id, result]) => {
    if (result === true) return [id, { outcome: 'pass' }]
    const [name, detail] = result
    switch (name) {
      case 'Setup': return [id, { outcome: detail === 'retry' ? 'retry' : 'setup', detail }]
      case 'Assertion': return [id, { outcome: 'fail', detail }]
    }
    // Not the suite's verdict but its client's trouble, a connection that was cut for instance.
    return [id, { outcome: 'error', detail: `${name}: ${detail}` }]
  }))
}

/**
 * Replaces the outcome of a test that depends on another one that did not pass: it says nothing then,
 * and cache-tests.fyi counts it neither as passed nor as failed.
 */
export function settle (raw) {
  const passes = id => raw[id]?.outcome === 'pass' && (byId.get(id).depends_on ?? []).every(passes)
  return Object.fromEntries(Object.entries(raw).sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, result]) => {
    const missing = (byId.get(id).depends_on ?? []).find(dependency => !passes(dependency))
    return [id, missing === undefined ? result : { outcome: 'dependency', detail: `needs ${missing}` }]
  }))
}

/** How many tests of a kind there are, and how many passed: as published, or with the mended ones in place of theirs. */
export function count (results, kind, mending = false) {
  const of = Object.keys(results).filter(id => byId.get(id).kind === kind)
  const passed = id => results[mending && mended.has(id) ? mended.get(id).id : id]?.outcome === 'pass'
  return { passed: of.filter(passed).length, of: of.length }
}
