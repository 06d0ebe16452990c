import { GetDistributionConfigCommand, ListDistributionsCommand, UpdateDistributionCommand } from "@aws-sdk/client-cloudfront";
import { beforeEach, describe, expect, test } from "vitest";
import { Fake } from "../fake/server";
import { Client, renewBefore } from "./client";
import { Refused, SignedOut, Unreachable } from "./errors";

// The client against the fake, without a network: the fake checks every signature.
let fake: Fake;
let cookie: string;
let now: number;
let client: Client;
let broken: boolean;

async function fetch(url: string | URL | globalThis.Request, init?: RequestInit): Promise<Response> {
  if (broken) throw new TypeError("Failed to fetch");
  const headers = Object.fromEntries(new Headers(init?.headers).entries());
  if (cookie) headers["cookie"] = cookie;
  const target = new URL(String(url));
  headers["host"] ??= target.host;
  const { status, headers: answered, body } = await fake.answer({ method: init?.method ?? "GET", url: target, headers, body: String(init?.body ?? "") });
  cookie = answered["set-cookie"]?.split(";")[0] ?? cookie;
  return new Response(typeof body === "string" && status !== 204 ? body : null, { status, headers: answered });
}

beforeEach(async () => {
  fake = new Fake();
  cookie = "";
  now = Date.now();
  broken = false;
  client = new Client("http://console.test", fetch, () => now);
});

describe("the session", () => {
  test("is nobody's until somebody signs in", async () => {
    expect(client.session.get()).toBeUndefined();
    await expect(client.credentials()).rejects.toThrow(SignedOut);
    expect(client.session.get()).toBeNull();
    await client.signIn("admin", "correct horse");
    expect(client.session.get()?.role).toBe("administrator");
  });

  test("is refused with a wrong password", async () => {
    await expect(client.signIn("admin", "wrong")).rejects.toMatchObject({ status: 401, code: "WrongCredentials" });
  });

  test("ends", async () => {
    await client.signIn("admin", "correct horse");
    await client.signOut();
    expect(client.session.get()).toBeNull();
    await expect(client.own("GET", "/nodes")).rejects.toThrow(SignedOut);
  });
});

describe("credentials", () => {
  beforeEach(() => client.signIn("admin", "correct horse"));

  test("are used until shortly before their end", async () => {
    await client.own("GET", "/nodes");
    expect(fake.gate.renewals).toBe(0);
    now += fake.gate.lifetime - renewBefore / 2; // not closer: the fake's clock has gone on since ours was set
    await client.own("GET", "/nodes").catch(() => undefined); // the fake's clock does not jump
    expect(fake.gate.renewals).toBe(1);
  });

  test("are renewed once for all who ask", async () => {
    now += fake.gate.lifetime;
    await Promise.all([1, 2, 3, 4].map(() => client.credentials()));
    expect(fake.gate.renewals).toBe(1);
  });

  test("that the server has forgotten are renewed when it says so", async () => {
    const held = await client.credentials();
    held.credentials.accessKeyId = "ASIAFORGOTTEN";
    await expect(client.own("GET", "/nodes")).resolves.toHaveProperty("edges");
    expect(fake.gate.renewals).toBe(1);
  });

  test("without a session any more mean signing in again", async () => {
    fake.gate.expire();
    await expect(client.own("GET", "/nodes")).rejects.toThrow(SignedOut);
    expect(client.session.get()).toBeNull();
  });
});

describe("calls", () => {
  beforeEach(() => client.signIn("vera", "correct horse"));

  test("are signed, the query and odd characters too", async () => {
    const id = [...fake.world.distributions.keys()][0]!;
    await expect(client.own("GET", `/distributions/${id}/invalidations?max=1&marker=`)).resolves.toHaveProperty("items");
    await expect(client.own("GET", "/distributions/a%20b%2Fc/popular")).rejects.toMatchObject({ code: "NotFound" });
  });

  test("of the SDK are signed too, their query and body included", async () => {
    const list = await client.cloudfront((sdk) => sdk.send(new ListDistributionsCommand({ MaxItems: 2 })));
    expect(list.DistributionList?.Items).toHaveLength(2);
    const Id = list.DistributionList?.Items?.[0]?.Id;
    const config = await client.cloudfront((sdk) => sdk.send(new GetDistributionConfigCommand({ Id })));
    const update = new UpdateDistributionCommand({ Id, IfMatch: config.ETag, DistributionConfig: config.DistributionConfig });
    await expect(client.cloudfront((sdk) => sdk.send(update))).rejects.toMatchObject({ name: "AccessDenied" });
    await client.signIn("admin", "correct horse");
    await expect(client.cloudfront((sdk) => sdk.send(update))).resolves.toHaveProperty("ETag");
    const late = new UpdateDistributionCommand({ Id, IfMatch: config.ETag, DistributionConfig: config.DistributionConfig });
    await expect(client.cloudfront((sdk) => sdk.send(late))).rejects.toMatchObject({ name: "PreconditionFailed" });
  });

  test("of the SDK with a key that the server has forgotten are made again", async () => {
    (await client.credentials()).credentials.accessKeyId = "ASIAFORGOTTEN";
    await client.cloudfront((sdk) => sdk.send(new ListDistributionsCommand({})));
    expect(fake.gate.renewals).toBe(1);
  });

  test("that the role does not allow are refused as such", async () => {
    await expect(client.own("DELETE", "/users/x")).rejects.toMatchObject({ status: 403, code: "AccessDenied" });
    expect(client.session.get()).not.toBeNull();
  });

  test("that nobody answers say so, and so does the state until somebody does", async () => {
    broken = true;
    await expect(client.own("GET", "/nodes")).rejects.toThrow(Unreachable);
    expect(client.online.get()).toBe(false);
    broken = false;
    fake.down = true;
    await expect(client.own("GET", "/nodes")).rejects.toThrow(Unreachable);
    fake.down = false;
    await client.own("GET", "/nodes");
    expect(client.online.get()).toBe(true);
    broken = true;
    await expect(client.cloudfront((sdk) => sdk.send(new ListDistributionsCommand({})))).rejects.toThrow("does not answer");
    expect(client.online.get()).toBe(false);
  });

  test("are signed by the server's clock", async () => {
    now += 3 * 3600_000;
    const answers: (string | null)[] = [];
    const other = new Client(
      "http://console.test",
      async (url, init) => {
        answers.push(new Headers(init?.headers).get("x-amz-date"));
        const response = await fetch(url, init);
        response.headers.set("date", new Date().toUTCString());
        return response;
      },
      () => now,
    );
    await other.signIn("admin", "correct horse");
    await other.own("GET", "/nodes");
    const signed = answers.at(-1)!.replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5");
    expect(Math.abs(Date.parse(signed) - Date.now())).toBeLessThan(60_000);
  });
});

test("who cannot serve says himself whether anything was done, in either API's way", async () => {
  const bodies = ['{"code":"ServiceUnavailable","message":"Nothing was changed."}', "<ErrorResponse><Error><Code>ServiceUnavailable</Code><Message>Look at &#34;I1&#34; first.</Message></Error></ErrorResponse>", "<html>Bad gateway</html>", ""];
  const said: unknown[] = [];
  for (const body of bodies) {
    const other = new Client("http://console.test", async () => new Response(body, { status: 503 }));
    said.push(await other.signIn("admin", "x").catch((e: unknown) => [(e as Unreachable).message, (e as Unreachable).told]));
  }
  const nobody = ["Warmfront does not answer.", false];
  expect(said).toEqual([["Nothing was changed.", true], ['Look at "I1" first.', true], nobody, nobody]);
});

test("errors carry what the server said", async () => {
  const e = await client.signIn("admin", "x").catch((e: unknown) => e);
  expect(e).toBeInstanceOf(Refused);
});
