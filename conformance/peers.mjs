// The peers: Debian's packages, each in a directory of its own, configured as the suite's author
// configures them for cache-tests.fyi.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { answers, freePort, start, until } from './processes.mjs'

/** Programs and the Debian packages that bring them. */
const needed = { nginx: 'nginx-light', varnishd: 'varnish', squid: 'squid', traffic_server: 'trafficserver' }

const has = program => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

/** Installs what is missing. */
export async function install () {
  execFileSync(path.join(import.meta.dirname, '../tools/peers'), Object.entries(needed).map(pair => pair.join('=')), { stdio: 'inherit' })
  const missing = Object.entries(needed).filter(([program]) => !has(program)).map(([, name]) => name)
  if (missing.length > 0) throw new Error(`please install: ${missing.join(' ')}`)
}

const version = (program, ...args) => {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return `${stdout}${stderr}`.match(/\d+\.\d+[.\d]*/)?.[0] ?? ''
}

/** Writes files into the directory, and makes the directories named with a slash at the end. */
async function lay (directory, files) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name)
    await fs.mkdir(name.endsWith('/') ? file : path.dirname(file), { recursive: true })
    if (text !== undefined) await fs.writeFile(file, text)
  }
}

async function serving (name, versionOf, running, port) {
  await until(running, name, () => answers(port, '127.0.0.1'))
  return { name, version: versionOf, port, host: '-', stop: () => running.stop() }
}

async function startNginx (directory, originPort) {
  const port = await freePort()
  await lay(directory, {
    'nginx.conf': `user root; worker_processes 1; daemon off; pid ${directory}/pid; error_log ${directory}/error.log crit;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${directory}/body; fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  proxy_cache_path ${directory}/cache levels=1:2 keys_zone=c:8m max_size=1000m inactive=600m;
  proxy_temp_path ${directory}/cache/tmp;
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${originPort}; proxy_cache c; proxy_cache_revalidate on; } }
}\n`
  })
  return serving('nginx', version('nginx', '-v'), start('nginx', ['-c', `${directory}/nginx.conf`, '-p', directory]), port)
}

async function startVarnish (directory, originPort) {
  const port = await freePort()
  await lay(directory, { 'suite.vcl': `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${originPort}"; }\n` })
  const running = start('varnishd', ['-F', '-a', `127.0.0.1:${port}`, '-f', `${directory}/suite.vcl`, '-s', 'malloc,128m', '-n', `${directory}/work`, '-j', 'none',
    '-t', '0', '-p', 'default_grace=0', '-p', 'default_keep=3600'])
  return serving('Varnish', version('varnishd', '-V'), running, port)
}

async function startSquid (directory, originPort) {
  const port = await freePort()
  await lay(directory, {
    'squid.conf': `http_port 127.0.0.1:${port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent ${originPort} 0 no-query no-digest originserver default name=suite
cache_peer_access suite allow all
http_access allow all
shutdown_lifetime 1 second
connect_retries 3
pid_filename ${directory}/pid
access_log none
cache_log ${directory}/cache.log
coredump_dir ${directory}
pinger_enable off
refresh_pattern -i (/cgi-bin/|\\?) 0 0% 0
refresh_pattern . 0 20% 4320\n`
  })
  await fs.chmod(directory, 0o777) // squid takes another user's rights
  return serving('Squid', version('squid', '-v'), start('squid', ['-N', '-f', `${directory}/squid.conf`]), port)
}

async function startTrafficServer (directory, originPort) {
  const port = await freePort()
  const config = path.join(directory, 'etc')
  await fs.cp('/etc/trafficserver', config, { recursive: true, dereference: true })
  const places = { sysconfdir: config, runtimedir: `${directory}/run`, logdir: `${directory}/log`, cachedir: `${directory}/cache`, localstatedir: directory }
  const fixed = { prefix: '/usr', exec_prefix: '/usr', bindir: '/usr/bin', sbindir: '/usr/sbin', datadir: '/usr/share/trafficserver', libexecdir: '/usr/lib/trafficserver/modules', libdir: '/usr/lib/trafficserver' }
  const settings = {
    'http.server_ports STRING': port,
    'http.insert_request_via_str INT': 1,
    'http.insert_response_via_str INT': 0,
    'http.negative_caching_enabled INT': 0,
    'http.cache.http INT': 1,
    'http.cache.ignore_client_cc_max_age INT': 1,
    'http.cache.cache_responses_to_cookies INT': 1,
    'http.cache.when_to_revalidate INT': 0,
    'http.cache.required_headers INT': 2,
    'http.cache.heuristic_min_lifetime INT': 3600,
    'http.cache.heuristic_max_lifetime INT': 86400,
    'http.cache.heuristic_lm_factor FLOAT': 0.1,
    'http.normalize_ae INT': 1,
    'url_remap.remap_required INT': 1,
    'url_remap.pristine_host_hdr INT': 1,
    'reverse_proxy.enabled INT': 1,
    'exec_thread.autoconfig INT': 0,
    'exec_thread.limit INT': 2,
    'log.logging_enabled INT': 0,
    'admin.user_id STRING': '#-1'
  }
  await lay(directory, {
    'run/': undefined,
    'log/': undefined,
    'cache/': undefined,
    'runroot.yaml': Object.entries({ ...fixed, ...places }).map(([name, place]) => `${name}: ${place}\n`).join(''),
    'etc/records.config': Object.entries(settings).map(([name, value]) => `CONFIG proxy.config.${name} ${value}\n`).join(''),
    'etc/remap.config': `map / http://127.0.0.1:${originPort}/\n`,
    'etc/storage.config': `${directory}/cache 128M\n`,
    'etc/ip_allow.yaml': 'ip_allow:\n  - apply: in\n    ip_addrs: [0/0, ::/0]\n    action: allow\n    methods: ALL\n'
  })
  return serving('Traffic Server', version('traffic_server', '--version'), start('traffic_server', [`--run-root=${directory}/runroot.yaml`]), port)
}

export const peers = [startTrafficServer, startSquid, startVarnish, startNginx]
