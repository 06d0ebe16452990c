// The suite's origin, on a free port of this machine.
import http from 'node:http'
import handleConfig from 'http-cache-tests/server/handle-config.mjs'
import handleState from 'http-cache-tests/server/handle-state.mjs'
import handleTest from 'http-cache-tests/server/handle-test.mjs'

const handlers = { config: handleConfig, test: handleTest, state: handleState }

/** Starts the origin: {port, close}. The suite's own server listens to the whole world, on a fixed port. */
export async function startOrigin () {
  const server = http.createServer((request, response) => {
    const [kind, ...rest] = new URL(request.url, 'http://origin').pathname.split('/').slice(1)
    const handle = handlers[kind]
    if (handle) return handle(rest, request, response)
    response.end('ready') // whoever waits for the cache in front of it asks here
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    port: server.address().port,
    close () {
      server.close()
      server.closeAllConnections()
    }
  }
}
