// Sessions and signatures: the fake lets in only what the real one would.

import { Sha256 } from "@smithy/core/checksum";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Role, Session } from "../src/own";
import { type Request, type Response, Refusal, json } from "./http";

interface Account {
  name: string;
  password: string;
  role: Role;
}

export class Gate {
  accounts: Account[] = [
    { name: "admin", password: "correct horse", role: "administrator" },
    { name: "vera", password: "correct horse", role: "viewer" },
  ];
  lifetime = 15 * 60_000; // of credentials
  renewals = 0;
  private sessions = new Map<string, Account>();
  private keys = new Map<string, { secret: string; token: string; account: Account; until: number }>();
  private failures = 0;

  // expire ends all sessions and forgets all keys, as a restart with a lost file would.
  expire(): void {
    this.sessions.clear();
    this.keys.clear();
  }

  session(request: Request): Response {
    if (request.method !== "GET" && request.headers["x-warmfront"] !== "1") throw new Refusal(403, "AccessDenied", "The header X-Warmfront is missing.");
    const id = /warmfront_session=([^;]+)/.exec(request.headers["cookie"] ?? "")?.[1];
    if (request.method === "DELETE") {
      if (id) this.sessions.delete(id);
      return json(204, undefined, { "set-cookie": "warmfront_session=; Path=/warmfront/v1/session; Max-Age=0" });
    }
    if (request.method === "POST") return this.signIn(JSON.parse(request.body) as { user: string; password: string });
    const account = id && this.sessions.get(id);
    if (!account) throw new Refusal(401, "Unauthenticated", "There is no session.");
    this.renewals++;
    return json(200, this.grant(account));
  }

  private signIn({ user, password }: { user: string; password: string }): Response {
    if (this.failures >= 5) return json(429, { code: "Throttling", message: "Too many attempts." }, { "retry-after": "30" });
    const account = this.accounts.find((a) => a.name === user && a.password === password);
    if (!account) {
      this.failures++;
      throw new Refusal(401, "WrongCredentials", "User or password is wrong.");
    }
    this.failures = 0;
    const id = crypto.randomUUID();
    this.sessions.set(id, account);
    return json(200, this.grant(account), { "set-cookie": `warmfront_session=${id}; HttpOnly; SameSite=Strict; Path=/warmfront/v1/session` });
  }

  private grant(account: Account): Session {
    const until = Date.now() + this.lifetime;
    const id = "ASIA" + crypto.randomUUID().replaceAll("-", "").slice(0, 16).toUpperCase();
    const key = { secret: crypto.randomUUID(), token: crypto.randomUUID(), account, until };
    this.keys.set(id, key);
    return {
      user: account.name,
      role: account.role,
      credentials: { accessKeyId: id, secretAccessKey: key.secret, sessionToken: key.token, expiration: new Date(until).toISOString() },
    };
  }

  // admit checks the signature by making it again.
  async admit(request: Request): Promise<{ user: string; accessKey: string; role: Role }> {
    const claim = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d+\/([^/]+)\/cloudfront\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      request.headers["authorization"] ?? "",
    );
    if (!claim) throw new Refusal(401, "Unauthenticated", "The request is not signed.");
    const [, id = "", region = "", names = "", signature = ""] = claim;
    const key = this.keys.get(id);
    if (!key || key.token !== request.headers["x-amz-security-token"] || key.until < Date.now()) {
      throw new Refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    }
    const headers = Object.fromEntries(names.split(";").map((n) => [n, request.headers[n] ?? ""]));
    const date = (headers["x-amz-date"] ?? "").replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5");
    const signer = new SignatureV4({
      service: "cloudfront",
      region,
      sha256: Sha256,
      credentials: { accessKeyId: id, secretAccessKey: key.secret, sessionToken: key.token },
    });
    const again = await signer.sign(
      {
        method: request.method,
        protocol: "http:",
        hostname: request.url.hostname,
        path: request.url.pathname,
        query: Object.fromEntries(request.url.searchParams),
        headers,
        body: request.body,
      },
      { signingDate: new Date(date), signableHeaders: new Set(names.split(";")) },
    );
    if (!again.headers["authorization"]?.endsWith(signature)) throw new Refusal(403, "SignatureDoesNotMatch", "The signature does not match.");
    return { user: key.account.name, accessKey: id, role: key.account.role };
  }
}
