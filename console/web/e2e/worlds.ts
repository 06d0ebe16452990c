// The two worlds that the browser tests run in: the fake, in this process, and the real binary.

import { spawn } from "node:child_process";
import { request } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import react from "@vitejs/plugin-react";
import { preview } from "vite";
import { fakeServer } from "../fake/plugin";
import { Fake } from "../fake/server";

export interface World {
  url: string;
  user: string;
  password: string;
  distribution: string; // of the demonstration site
  domain: string;
  change: () => Promise<void>; // gives the demonstration site new content, at its origin
  visit: () => Promise<void>; // requests of viewers, at every edge
  stop: () => Promise<void>;
}

export interface FakeWorld extends World {
  fake: Fake;
}

const binary = process.env["WARMFRONT"];

// worlds are those that a test of the whole console runs in.
export function worlds(): [string, () => Promise<World>][] {
  const all: [string, () => Promise<World>][] = [["fake", fakeWorld]];
  if (binary) all.push(["real", () => realWorld(binary)]);
  return all;
}

const root = path.join(import.meta.dirname, "..");

// fakeWorld serves the build with the fake behind it.
export async function fakeWorld(distributions = 0): Promise<FakeWorld> {
  const fake = new Fake(distributions);
  const server = await preview({
    root,
    configFile: false,
    logLevel: "error",
    plugins: [react(), fakeServer(fake)],
    preview: { port: 0, host: "127.0.0.1", strictPort: false },
  });
  const demo = [...fake.world.distributions.values()][0]!;
  return {
    fake,
    url: server.resolvedUrls!.local[0]!.replace(/\/$/, ""),
    user: "admin",
    password: "correct horse",
    distribution: demo.id,
    domain: demo.domain,
    change: async () => undefined, // what the fake fetches is always new
    visit: async () => undefined, // its viewers never sleep
    stop: () => server.close(),
  };
}

interface Ready {
  Console: string;
  DemoDistribution: string;
  DemoDomain: string;
  Demo: string;
  User: string;
  Edges: { Name: string; URL: string }[];
}

// realWorld starts the binary with data of its own, and stops it with the signal that a person sends.
export async function realWorld(binary: string): Promise<World> {
  const data = await mkdtemp(path.join(tmpdir(), "warmfront-console-"));
  const readyFile = path.join(data, "ready.json");
  const any = "127.0.0.1:0";
  const password = "the walk of the console";
  const args = ["dev", "--data", path.join(data, "data"), "--ready-file", readyFile, "--control", any];
  const child = spawn(binary, [...args, "--edges", [any, any, any].join(","), "--demo", any, "--telemetry", "off"], {
    env: { ...process.env, WARMFRONT_PASSWORD: password },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  for (let waited = 0; ; waited += 100) {
    const text = await readFile(readyFile, "utf8").catch(() => "");
    if (text) {
      const ready = JSON.parse(text) as Ready;
      return {
        url: ready.Console.replace(/\/$/, ""),
        user: ready.User,
        password,
        distribution: ready.DemoDistribution,
        domain: ready.DemoDomain,
        change: async () => void (await fetch(new URL("/_change", ready.Demo), { method: "POST" })),
        visit: () => visit(ready),
        stop,
      };
    }
    if (child.exitCode !== null || waited > 120_000) {
      await stop();
      throw new Error(`${binary} did not become ready`);
    }
    await new Promise((r) => setTimeout(r, 100));
  }
}

// visit asks every edge for the site's pages a few times, as viewers would.
async function visit({ Edges, DemoDomain }: Ready): Promise<void> {
  for (const path of ["/", "/css/site.css", "/js/app.js", "/images/hero.svg", "/images/mark.svg", "/about", "/nothing-here"]) {
    for (const edge of Edges) await get(new URL(path, edge.URL), DemoDomain);
  }
}

function get(url: URL, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (answer) => answer.resume().once("end", () => resolve()))
      .once("error", reject)
      .end();
  });
}
