import { defineConfig } from "vitest/config";

// The browser tests: one at a time, as each is a browser and a server. The limits are for what hangs: a busy machine takes its time.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    bail: 1,
  },
});
