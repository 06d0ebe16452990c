// Programs that a run starts: all end with it.
import { spawn } from 'node:child_process'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const children = new Set()
process.on('exit', () => { for (const child of children) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Starts a program: {child, output, stop}. Its output is kept for the case that something goes wrong. */
export function start (program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const running = { child, output: '', ended: undefined, stop }
  children.add(child)
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { running.output = (running.output + data).slice(-10_000) })
  child.on('error', error => { running.ended = error.message })
  child.on('exit', (code, signal) => { children.delete(child); running.ended = `ended with ${signal ?? code}` })
  return running

  async function stop (signal = 'SIGTERM') {
    if (running.ended !== undefined) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await Promise.race([gone, sleep(10_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))])
  }
}

/** A port that was free a moment ago, for programs that cannot be told to take any. */
export async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Polls until check returns something, or the program has ended. */
export async function until (running, what, check) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
    if (running.ended !== undefined) break
    const found = await check().catch(() => undefined)
    if (found) return found
  }
  await running.stop()
  throw new Error(`${what}: ${running.ended}\n${running.output}`)
}

/** Whether the suite's origin answers through the cache. */
export function answers (port, host) {
  return new Promise(resolve => {
    const request = http.get({ port, host: '127.0.0.1', path: '/ready', headers: { Host: host }, agent: false }, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode === 200))
    })
    request.on('error', () => resolve(false))
  })
}
