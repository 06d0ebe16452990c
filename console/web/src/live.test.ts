import { expect, test } from "vitest";
import { SignedOut } from "./errors";
import { Live } from "./live";
import type { Change } from "./own";

const change = (id: string): Change => ({ kind: "invalidation", id, distributionId: "E1", status: "Completed", seq: 1 });

test("a stream that breaks is opened anew, and everybody looks again", async () => {
  const heard: string[] = [];
  const pauses: number[] = [];
  let opened = 0;
  const live = new Live(
    async function* (signal, isOpen) {
      opened++;
      if (opened === 2) throw new TypeError("Failed to fetch");
      isOpen();
      yield change(`I${opened}`);
      if (opened === 3) await new Promise((r) => signal.addEventListener("abort", r));
    },
    (ms) => (pauses.push(ms), Promise.resolve()),
  );
  const done = new Promise<void>((resolve) => live.listen((c) => (heard.push(c.kind === "missed" ? "missed" : c.id), c.id === "I3" && resolve())));
  const stop = live.start();
  await done;
  expect(heard).toEqual(["I1", "missed", "missed", "I3"]);
  expect(pauses[1]).toBeGreaterThan(pauses[0]!);
  expect(live.up).toBe(true);
  stop();
});

test("who follows again after nobody did is told to look", async () => {
  const heard: string[] = [];
  const live = new Live(async function* (signal) {
    await new Promise((r) => signal.addEventListener("abort", r));
  });
  live.listen((c) => heard.push(c.kind));
  live.start()();
  expect(heard).toEqual([]);
  live.start()();
  expect(heard).toEqual(["missed"]);
});

test("without a session nothing is tried again", async () => {
  let opened = 0;
  const live = new Live(
    async function* () {
      opened++;
      throw new SignedOut();
    },
    () => Promise.resolve(),
  );
  live.start();
  await new Promise((r) => setImmediate(r));
  expect(opened).toBe(1);
  expect(live.up).toBe(false);
});
