// One stream of what happens, for the whole app. While it is broken, pages that wait for something
// poll instead.

import { client } from "./client";
import { SignedOut, isAborted } from "./errors";
import type { Change } from "./own";

type Listener = (c: Change) => void;

export class Live {
  up = false;
  private listeners = new Set<Listener>();
  private stopped = false; // since nobody follows, things have happened that nobody was told

  constructor(
    private open: (signal: AbortSignal, opened: () => void) => AsyncIterable<Change>,
    private pause: (ms: number) => Promise<void> = (ms) => new Promise((r) => setTimeout(r, ms)),
  ) {}

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // start follows the stream, and opens it anew when it ends, until the function that it returns is called.
  start(): () => void {
    const stopper = new AbortController();
    if (this.stopped) this.missed();
    this.stopped = false;
    void this.follow(stopper.signal);
    return () => {
      this.stopped = true;
      stopper.abort();
    };
  }

  private async follow(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const opened = () => {
          failures = 0;
          this.up = true;
        };
        for await (const change of this.open(signal, opened)) {
          if (signal.aborted) return;
          this.tell(change);
        }
      } catch (e) {
        if (isAborted(e) || e instanceof SignedOut) return this.down();
      }
      this.down();
      await this.pause(Math.min(10_000, 500 * 2 ** failures));
      // What happened in between is not repeated: everybody asks again.
      if (!signal.aborted) this.missed();
    }
  }

  private missed(): void {
    this.tell({ kind: "missed", id: "", distributionId: "", status: "", seq: 0 });
  }

  private down(): void {
    this.up = false;
  }

  private tell(change: Change): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}

export const live = new Live((signal, opened) => client.changes(signal, opened));
