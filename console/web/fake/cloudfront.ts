// The CloudFront API's wire, made from the schema inside the SDK: whatever the SDK can call, this can
// decode, and what an operation returns, this can encode.

import * as sdk from "@aws-sdk/client-cloudfront";
import { XmlCodec } from "@aws-sdk/core/protocols";
import { NormalizedSchema } from "@smithy/core/schema";
import { type Request, type Response, Refusal } from "./http";

type Operation = [9, string, string, { http: [method: string, path: string, status: number] }, () => unknown, () => unknown];
export type Fields = Record<string, unknown>;
export type Operations = Record<string, (input: Fields) => Fields | undefined>;

const operations = Object.values(sdk).filter((v) => Array.isArray(v) && v[0] === 9) as unknown as Operation[];
const namespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
const codec = new XmlCodec({
  timestampFormat: { useTrait: true, default: 5 },
  httpBindings: true,
  xmlNamespace: namespace,
  serviceNamespace: "com.amazonaws.cloudfront",
});

export async function cloudfront(request: Request, built: Operations): Promise<Response> {
  const headers = { "content-type": "text/xml", "x-amzn-requestid": crypto.randomUUID() };
  try {
    const { operation, labels } = route(request);
    const perform = built[operation[2]];
    if (!perform) throw new Refusal(501, "NotImplemented", `${operation[2]} is not built.`);
    const output = perform(await decode(operation, labels, request)) ?? {};
    return { status: operation[3].http[2], headers, ...encode(operation, output, headers) };
  } catch (e) {
    if (!(e instanceof Refusal)) throw e;
    const text = `<?xml version="1.0"?>\n<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${e.code}</Code><Message>${escape(e.message)}</Message></Error><RequestId>fake</RequestId></ErrorResponse>`;
    return { status: e.status, headers, body: text };
  }
}

function route(request: Request): { operation: Operation; labels: Fields } {
  const segments = request.url.pathname.split("/");
  for (const operation of operations) {
    const [method, template] = operation[3].http;
    const [path = "", query] = template.split("?");
    if (method !== request.method || (query && !request.url.search.includes(query)) || (!query && request.url.search.includes("WithTags"))) continue;
    const parts = path.split("/");
    if (parts.length !== segments.length) continue;
    const labels: Fields = {};
    const fits = parts.every((part, i) => {
      if (!part.startsWith("{")) return part === segments[i];
      labels[part.slice(1, -1)] = decodeURIComponent(segments[i]!);
      return segments[i] !== "";
    });
    if (fits) return { operation, labels };
  }
  throw new Refusal(404, "UnknownOperationException", "This is no operation of this API.");
}

async function decode(operation: Operation, labels: Fields, request: Request): Promise<Fields> {
  const input = { ...labels };
  for (const [name, member] of NormalizedSchema.of(operation[4] as never).structIterator()) {
    const traits = member.getMergedTraits();
    if (traits.httpQuery) input[name] = request.url.searchParams.get(traits.httpQuery) ?? undefined;
    else if (traits.httpHeader) input[name] = request.headers[traits.httpHeader.toLowerCase()];
    else if (traits.httpPayload && request.body) input[name] = await codec.createDeserializer().read(member, new TextEncoder().encode(request.body));
  }
  return input;
}

function encode(operation: Operation, output: Fields, headers: Record<string, string>): Pick<Response, "body"> {
  let body = "";
  for (const [name, member] of NormalizedSchema.of(operation[5] as never).structIterator()) {
    const traits = member.getMergedTraits();
    if (traits.httpHeader && output[name] !== undefined) headers[traits.httpHeader] = String(output[name]);
    if (!traits.httpPayload) continue;
    const serializer = codec.createSerializer();
    serializer.write(member, output[name]);
    body = '<?xml version="1.0"?>\n' + String(serializer.flush());
  }
  return { body };
}

function escape(text: string): string {
  return text.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
}
