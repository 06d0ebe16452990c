// The one file that talks HTTP. The console is an AWS client like any other: a session cookie buys
// short-lived credentials, and with them it calls the CloudFront API through the AWS SDK and
// Warmfront's own API with requests signed the same way.

import { CloudFrontClient } from "@aws-sdk/client-cloudfront";
import { Sha256 } from "@smithy/core/checksum";
import { type HttpRequest, HttpResponse } from "@smithy/core/protocols";
import { SignatureV4 } from "@smithy/signature-v4";
import { SignedOut, Unreachable, isStaleKey, refusal } from "./errors";
import type { Change, Session } from "./own";
import { sent } from "./sse";
import { Store } from "./store";

const region = "us-east-1";
const sessionPath = "/warmfront/v1/session";

// renewBefore is how long before their end credentials are not used any more: a request that is
// signed now may be retried for a while.
export const renewBefore = 3 * 60_000;

type Signal = AbortSignal | undefined;

export class Client {
  // session is undefined until the first answer, null when nobody is signed in.
  readonly session = new Store<Session | null | undefined>(undefined);
  readonly online = new Store(true); // somebody has answered the last call
  private renewal: Promise<Session> | undefined;
  private clockOffset = 0; // of the server's clock to ours: a laptop's clock may be wrong, signatures carry it
  private sdk: CloudFrontClient | undefined;

  constructor(
    private origin: string,
    private fetch: typeof globalThis.fetch = (...a) => globalThis.fetch(...a),
    private now: () => number = Date.now,
  ) {}

  async signIn(user: string, password: string): Promise<void> {
    const response = await this.reach(sessionPath, {
      method: "POST",
      headers: { "content-type": "application/json", "x-warmfront": "1" },
      body: JSON.stringify({ user, password }),
    });
    if (!response.ok) throw await refusal(response);
    this.admit(response, (await response.json()) as Session);
  }

  async signOut(): Promise<void> {
    await this.reach(sessionPath, { method: "DELETE", headers: { "x-warmfront": "1" } });
    this.forget();
  }

  // credentials returns a session that is good for a while, renewed when it must be. All callers
  // share one renewal.
  async credentials(fresh = false): Promise<Session> {
    const held = this.session.get();
    if (held === null) throw new SignedOut();
    const good = held && Date.parse(held.credentials.expiration) - this.serverNow() > renewBefore;
    if (good && !fresh) return held;
    this.renewal ??= this.renew().finally(() => (this.renewal = undefined));
    return this.renewal;
  }

  // cloudfront sends a command of the CloudFront SDK. A key that the server does not know any more,
  // as after its restart, is renewed once.
  async cloudfront<T>(call: (sdk: CloudFrontClient) => Promise<T>): Promise<T> {
    await this.credentials();
    try {
      return await call((this.sdk ??= this.newSDK()));
    } catch (e) {
      if (!isStaleKey(e)) throw e;
      await this.credentials(true);
      return call((this.sdk = this.newSDK()));
    }
  }

  // own calls Warmfront's own API.
  async own<T>(method: string, path: string, body?: unknown, signal?: Signal): Promise<T> {
    let response = await this.signed(method, path, body, signal);
    if (response.status === 401 || response.status === 403) {
      const refused = await refusal(response);
      if (!isStaleKey(refused) && response.status !== 401) throw refused;
      await this.credentials(true);
      response = await this.signed(method, path, body, signal);
    }
    if (!response.ok) throw await refusal(response);
    return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
  }

  // changes yields what happens, until the stream ends.
  async *changes(signal: AbortSignal, opened: () => void): AsyncGenerator<Change> {
    const response = await this.signed("GET", "/events", undefined, signal);
    if (!response.ok || !response.body) throw await refusal(response);
    opened();
    for await (const { event, data } of sent(response.body)) {
      if (event === "change") yield JSON.parse(data) as Change;
    }
  }

  private async signed(method: string, path: string, body: unknown, signal: Signal): Promise<Response> {
    const { expiration: _until, ...credentials } = (await this.credentials()).credentials;
    const url = new URL("/warmfront/v1" + path, this.origin);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const signer = new SignatureV4({ service: "cloudfront", region, credentials, sha256: Sha256 });
    const request = await signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { host: url.host, ...(text && { "content-type": "application/json" }) },
        body: text,
      },
      { signingDate: new Date(this.serverNow()) },
    );
    const { host: _, ...headers } = request.headers; // the browser's to send
    return this.reach(url.pathname + url.search, { method, headers, body: text, signal: signal ?? null });
  }

  private newSDK(): CloudFrontClient {
    return new CloudFrontClient({
      endpoint: this.origin,
      region,
      maxAttempts: 2,
      systemClockOffset: this.clockOffset,
      requestHandler: { handle: (request: HttpRequest, options?: { abortSignal?: unknown }) => this.carry(request, options?.abortSignal) },
      credentials: async () => {
        const { accessKeyId, secretAccessKey, sessionToken, expiration } = (await this.credentials()).credentials;
        return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiration) };
      },
    });
  }

  // carry is the SDK's transport.
  private async carry(request: HttpRequest, signal: unknown): Promise<{ response: HttpResponse }> {
    const query = new URLSearchParams(request.query as Record<string, string>).toString().replaceAll("+", "%20");
    const { host: _, ...headers } = request.headers;
    const { status, headers: answered, body } = await this.reach(request.path + (query && `?${query}`), {
      method: request.method,
      headers,
      body: request.body as BodyInit | null,
      signal: signal instanceof AbortSignal ? signal : null,
    });
    return { response: new HttpResponse({ statusCode: status, headers: Object.fromEntries(answered), body }) };
  }

  private async renew(): Promise<Session> {
    const response = await this.reach(sessionPath, { method: "GET" });
    if (response.status === 401) {
      this.forget();
      throw new SignedOut();
    }
    if (!response.ok) throw await refusal(response);
    return this.admit(response, (await response.json()) as Session);
  }

  // reach fetches, and notes whether anybody answered.
  private async reach(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await this.fetch(this.origin + path, { ...init, cache: "no-store", credentials: "same-origin" });
    } catch (e) {
      throw init.signal?.aborted ? e : this.unreached(e);
    }
    if ([502, 503, 504].includes(response.status)) throw this.unreached(await refusal(response));
    return this.reached(response);
  }

  private reached<T>(value: T): T {
    if (!this.online.get()) this.online.set(true);
    return value;
  }

  private unreached(cause: unknown): Unreachable {
    if (this.online.get()) this.online.set(false);
    return new Unreachable(cause);
  }

  private admit(response: Response, session: Session): Session {
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.clockOffset = Math.abs(date - this.now()) > 30_000 ? date - this.now() : 0;
    this.sdk = undefined;
    this.session.set(session);
    return session;
  }

  private forget(): void {
    this.sdk = undefined;
    this.session.set(null);
  }

  private serverNow(): number {
    return this.now() + this.clockOffset;
  }
}

export const client = new Client(globalThis.location?.origin ?? "");
