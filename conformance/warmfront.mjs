// The real binary, with a distribution in front of the suite's origin.
import fs from 'node:fs/promises'
import path from 'node:path'
import { answers, start, until } from './processes.mjs'
import { call } from './sigv4.mjs'

export const binary = process.env.WARMFRONT ?? path.join(import.meta.dirname, '../bin/warmfront')

/** Whose rules a distribution goes by: the values of the tag warmfront:semantics. */
export const MODES = ['cloudfront', 'rfc']

// CloudFront looks at Vary never and at the cache key always, so whoever has an origin that varies
// names the fields in the cache policy. These are those that the suite's origin varies on.
export const KEYED = ['Foo', 'Bar', 'Baz', 'Abc', 'Accept-Language']

// CloudFront keeps errors for ten seconds at least; here the origin's word alone shall count.
const ERRORS = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]

const items = (name, values) => `<Quantity>${values.length}</Quantity><Items>${values.map(value => `<${name}>${value}</${name}>`).join('')}</Items>`

// As the managed policies UseOriginCacheControlHeaders-QueryStrings and AllViewer, but without cookies:
// forwarding those switches conditional requests and request collapsing off.
// With RFC semantics nothing is in the key but the query: Vary says the rest.
const keyed = names => names.length === 0
  ? '<HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig>'
  : `<HeadersConfig><HeaderBehavior>whitelist</HeaderBehavior><Headers>${items('Name', names)}</Headers></HeadersConfig>`

const cachePolicy = names => `<CachePolicyConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<Name>conformance</Name><MinTTL>0</MinTTL><DefaultTTL>0</DefaultTTL><MaxTTL>31536000</MaxTTL>
<ParametersInCacheKeyAndForwardedToOrigin>
<EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip><EnableAcceptEncodingBrotli>true</EnableAcceptEncodingBrotli>
${keyed(names)}
<CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig>
<QueryStringsConfig><QueryStringBehavior>all</QueryStringBehavior></QueryStringsConfig>
</ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig>`

const requestPolicy = `<OriginRequestPolicyConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<Name>conformance</Name><HeadersConfig><HeaderBehavior>allViewer</HeaderBehavior></HeadersConfig>
<CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig>
<QueryStringsConfig><QueryStringBehavior>all</QueryStringBehavior></QueryStringsConfig></OriginRequestPolicyConfig>`

const keptAsLongAsTheOriginSays = ERRORS.map(code => `<CustomErrorResponse><ErrorCode>${code}</ErrorCode><ErrorCachingMinTTL>0</ErrorCachingMinTTL></CustomErrorResponse>`)

const distribution = (cachePolicyId, requestPolicyId, mode) => `<DistributionConfigWithTags xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<DistributionConfig>
<CallerReference>conformance</CallerReference><Comment>http-cache-tests</Comment><Enabled>true</Enabled>
<Origins><Quantity>1</Quantity><Items><Origin><Id>suite</Id><DomainName>origin.example</DomainName>
<CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>http-only</OriginProtocolPolicy></CustomOriginConfig>
</Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>suite</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>
<AllowedMethods>${items('Method', ['GET', 'HEAD', 'OPTIONS', 'PUT', 'POST', 'PATCH', 'DELETE'])}<CachedMethods>${items('Method', ['GET', 'HEAD'])}</CachedMethods></AllowedMethods>
<CachePolicyId>${cachePolicyId}</CachePolicyId><OriginRequestPolicyId>${requestPolicyId}</OriginRequestPolicyId>
</DefaultCacheBehavior>
<CustomErrorResponses><Quantity>${ERRORS.length}</Quantity><Items>${keptAsLongAsTheOriginSays.join('')}</Items></CustomErrorResponses></DistributionConfig>
<Tags><Items><Tag><Key>warmfront:semantics</Key><Value>${mode}</Value></Tag>
<Tag><Key>warmfront:targeted</Key><Value>heeded</Value></Tag></Items></Tags></DistributionConfigWithTags>`

const element = (xml, name) => xml.match(new RegExp(`<${name}>([^<]*)</${name}>`))[1]

/** Starts Warmfront with a distribution of that mode for the suite's origin: {name, version, port, host, stop}. */
export const startWarmfront = mode => async (directory, originPort) => {
  const readyFile = path.join(directory, 'ready.json')
  const running = start(binary, ['dev', '--data', path.join(directory, 'data'), '--ready-file', readyFile, '--control', '127.0.0.1:0',
    '--edges', '127.0.0.1:0', '--demo', 'off', '--telemetry', 'off', '--origin', `origin.example=127.0.0.1:${originPort}`])
  const ready = await until(running, binary, async () => JSON.parse(await fs.readFile(readyFile, 'utf8')))
  const api = `${ready.API}/2020-05-31`
  const key = { id: ready.AccessKeyID, secret: ready.SecretAccessKey }
  const create = async (what, config, wanted) => element(await call(key, 'POST', `${api}/${what}`, config), wanted)
  const cachePolicyId = await create('cache-policy', cachePolicy(mode === 'rfc' ? [] : KEYED), 'Id')
  const requestPolicyId = await create('origin-request-policy', requestPolicy, 'Id')
  const host = await create('distribution?WithTags', distribution(cachePolicyId, requestPolicyId, mode), 'DomainName')
  const port = Number(new URL(ready.Edges[0].URL).port)
  await until(running, 'the distribution', () => answers(port, host))
  return { name: `Warmfront (${mode})`, version: '', port, host, stop: () => running.stop('SIGINT') }
}
