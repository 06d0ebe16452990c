// expected-<mode>.json: what came of every test, and why, where a required or an optimal one does not pass.
import fs from 'node:fs/promises'
import path from 'node:path'
import { catalogue } from './outcomes.mjs'

const file = mode => path.join(import.meta.dirname, `expected-${mode}.json`)

/** The pins of a mode: {id: outcome | {outcome, reason}}. */
export async function pins (mode) {
  return JSON.parse(await fs.readFile(file(mode), 'utf8'))
}

const outcome = pin => pin?.outcome ?? pin

/** The pins' outcomes by test. */
export const pinned = all => Object.fromEntries(Object.entries(all).map(([id, pin]) => [id, outcome(pin)]))

// A check asks what a cache does and a dependency has the reason: only the rest owes one.
const owesReason = (id, result) => result !== 'pass' && result !== 'dependency' && catalogue.get(id).kind !== 'check'

/** Says what differs from the pins, either way. Returns the exit code. */
export function compare (mode, before, results, say) {
  const lines = []
  for (const id of new Set([...Object.keys(before), ...Object.keys(results)])) {
    const was = outcome(before[id]) ?? 'not pinned'
    const is = results[id]?.outcome ?? 'not run'
    if (was === is) {
      if (owesReason(id, is) && !before[id].reason) lines.push(`? ${id} is ${is}, without a reason in expected-${mode}.json`)
      continue
    }
    const { name = '', kind = '' } = catalogue.get(id) ?? {}
    lines.push(`${is === 'pass' ? '+' : '-'} ${id} (${kind}): was ${was}, is ${is}${results[id]?.detail ? `: ${results[id].detail}` : ''}`, `    ${name}`)
  }
  if (lines.length === 0) return 0
  say(lines.join('\n'))
  say(`outcomes differ from conformance/expected-${mode}.json. Wanted? Then: make conformance-test ARGS=--update, give reasons, commit`)
  return 1
}

/** Writes the pins anew. Returns the exit code: 1 as long as a reason is missing. */
export async function write (mode, before, results, say) {
  const after = Object.fromEntries(Object.entries(results).map(([id, result]) => {
    const owes = owesReason(id, result.outcome)
    return [id, owes ? { outcome: result.outcome, reason: before[id]?.reason ?? '' } : result.outcome]
  }))
  const lines = Object.entries(after).map(([id, pin]) => `  ${JSON.stringify(id)}: ${JSON.stringify(pin)}`) // a test, a line
  await fs.writeFile(file(mode), `{\n${lines.join(',\n')}\n}\n`)
  const open = Object.keys(after).filter(id => after[id].reason === '')
  for (const id of open) say(`${id} (${catalogue.get(id).kind}) is ${after[id].outcome} and needs a reason: ${results[id].detail}`)
  return open.length > 0 ? 1 : 0
}
