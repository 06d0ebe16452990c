import { expect, test } from "vitest";
import { sent } from "./sse";

function stream(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(c) {
      for (const chunk of chunks) c.enqueue(new TextEncoder().encode(chunk));
      c.close();
    },
  });
}

async function all(...chunks: string[]) {
  const list = [];
  for await (const event of sent(stream(...chunks))) list.push(event);
  return list;
}

test("events come out however the bytes are cut", async () => {
  const text = ': hello\n\nevent: change\ndata: {"a":1}\n\ndata: x\r\ndata: y\r\n\r\n: beat\n\n';
  const want = [
    { event: "change", data: '{"a":1}' },
    { event: "message", data: "x\ny" },
  ];
  expect(await all(text)).toEqual(want);
  expect(await all(...text)).toEqual(want);
});

test("half an event at the end is none", async () => {
  expect(await all("data: x\n")).toEqual([]);
});
