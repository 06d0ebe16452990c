// make conformance-test: the suite against the real binary, in both modes, compared with what is pinned.
//
//   node run.mjs            fails on any difference, also on an improvement
//   node run.mjs --update   writes the pins anew, keeping the reasons that still apply
//   node run.mjs --peers    installs the peers, runs the suite against all, writes docs/conformance.md
//   node run.mjs ID...      runs these tests and shows what went over the wire
//   --mode=rfc              only that mode: cloudfront or rfc
import { fork } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { catalogue, count, settle } from './outcomes.mjs'
import { startOrigin } from './origin.mjs'
import { compare, pinned, pins, write } from './pins.mjs'
import { install, peers } from './peers.mjs'
import { report } from './report.mjs'
import { MODES, startWarmfront } from './warmfront.mjs'

// So many tests are not undone by a busy machine.
const MANY = 60

/** Runs tests (none: all) through a started cache. */
async function run (cache, ids = [], show = false) {
  const child = fork(path.join(import.meta.dirname, 'suite.mjs'), [`http://127.0.0.1:${cache.port}`, cache.host, show ? 'show' : 'quiet', ...ids],
    { stdio: ['ignore', show ? 'inherit' : 'ignore', 'inherit', 'ipc'] })
  const [results] = await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => { throw new Error(`the suite ended with ${code}`) })])
  return results
}

/** Starts a cache in front of the suite's origin, runs the suite, and stops both. */
async function conduct (startCache, judge) {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'conformance-'))
  const origin = await startOrigin()
  let cache
  try {
    cache = await startCache(directory, origin.port)
    return await judge(cache)
  } finally {
    await cache?.stop()
    origin.close()
    await fs.rm(directory, { recursive: true, force: true })
  }
}

/**
 * The whole suite. Tests that differ from what is expected get a second chance by themselves: on a
 * machine that is busy with other tests, a pause of three seconds can last for four, and the
 * lifetimes that the suite works with are as short. What differs twice, differs.
 */
async function runWhole (cache, expected) {
  const raw = await run(cache)
  const settled = settle(raw)
  const suspects = Object.keys(raw).filter(id => expected[id] !== settled[id].outcome && settled[id].outcome !== 'dependency')
  if (suspects.length > 0 && suspects.length < MANY) Object.assign(raw, await run(cache, suspects))
  return settle(raw)
}

/** One mode of ours against its pins: {name, results, before}. */
async function runMode (mode, say) {
  const before = await pins(mode)
  const results = await conduct(startWarmfront(mode), cache => runWhole(cache, pinned(before)))
  const [required, optimal] = ['required', 'optimal'].map(kind => count(results, kind))
  const mended = ['required', 'optimal'].map(kind => count(results, kind, true).passed)
  say(`http-cache-tests, ${mode}: ${required.passed} of ${required.of} required, ${optimal.passed} of ${optimal.of} optimal; mended ${mended.join(' and ')}`)
  return { name: `Warmfront (${mode})`, mode, results, before }
}

/** Runs some tests and shows what went over the wire. */
async function show (modes, ids, say) {
  for (const mode of modes) {
    const results = await conduct(startWarmfront(mode), cache => run(cache, ids, true))
    for (const [id, { outcome, detail = '' }] of Object.entries(results)) say(`${mode} ${id}: ${outcome} ${detail}`)
  }
}

async function main (args) {
  console.log = () => {} // the suite's origin talks
  const say = text => process.stdout.write(`${text}\n`)
  const ids = args.filter(arg => !arg.startsWith('--'))
  for (const id of ids) if (!catalogue.has(id)) throw new Error(`no test is called ${id}`)
  const modes = MODES.filter(mode => !args.some(arg => arg.startsWith('--mode=')) || args.includes(`--mode=${mode}`))
  if (ids.length > 0) {
    await show(modes, ids, say)
    return 0
  }
  const ours = []
  for (const mode of modes) ours.push(await runMode(mode, say))
  if (args.includes('--peers')) {
    await install()
    const judged = [...ours]
    for (const startPeer of peers) judged.push(await conduct(startPeer, async cache => ({ name: cache.name, version: cache.version, results: settle(await run(cache)) })))
    await report(judged)
  }
  const finish = args.includes('--update') ? write : compare
  let code = 0
  for (const { mode, before, results } of ours) code = Math.max(code, await finish(mode, before, results, say))
  return code
}

if (process.argv[1] === import.meta.filename) process.exit(await main(process.argv.slice(2)))
