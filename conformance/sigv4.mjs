// AWS Signature Version 4, as much of it as requests to the CloudFront API need.
import { createHash, createHmac } from 'node:crypto'

const sha256 = text => createHash('sha256').update(text).digest('hex')
const hmac = (key, text) => createHmac('sha256', key).update(text).digest()

/** Fetches a URL of the API with a signed request. Throws with the API's answer if it is not a success. */
export async function call ({ id, secret }, method, url, body = '') {
  const { host, pathname, searchParams } = new URL(url)
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/us-east-1/cloudfront/aws4_request`
  const headers = { host, 'x-amz-content-sha256': sha256(body), 'x-amz-date': time }
  const names = Object.keys(headers).join(';')
  const canonical = [method, pathname, [...searchParams].map(([name, value]) => `${name}=${value}`).join('&'), ...Object.entries(headers).map(([name, value]) => `${name}:${value}`), '', names, sha256(body)].join('\n')
  const key = scope.split('/').reduce(hmac, `AWS4${secret}`)
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  const response = await fetch(url, { method, headers, body: body || undefined })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${pathname}: ${response.status} ${text}`)
  return text
}
