// The hooks through which pages see the world: the session, what they load, what happens.

import { type DependencyList, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useNavigate } from "react-router";
import { client } from "./client";
import { Unreachable, isAborted } from "./errors";
import { live } from "./live";
import type { Change, Session } from "./own";

export function useSession(): Session | null | undefined {
  return useSyncExternalStore(client.session.watch, client.session.get);
}

export function useOnline(): boolean {
  return useSyncExternalStore(client.online.watch, client.online.get);
}

// useMay tells whether the signed-in user may change things; the API has the last word.
export function useMay(): { invalidate: boolean; administer: boolean } {
  const role = useSession()?.role;
  return { invalidate: role === "invalidator" || role === "administrator", administer: role === "administrator" };
}

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

export interface Often<T> {
  every?: (data: T) => number | undefined; // milliseconds until the next look
  on?: (c: Change) => boolean; // changes after which to look again
  still?: boolean; // what is there is edited: it is not replaced unless somebody asks
}

// useLoad loads, and loads again: at intervals, after a change, after the API has been away. What was
// loaded stays while it does. A load may emit parts on its way.
export function useLoad<T>(
  load: (signal: AbortSignal, emit: (part: T) => void) => Promise<T>,
  deps: DependencyList,
  often: Often<T> = {},
): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({ data: undefined, error: undefined, loading: true });
  const again = useRef<() => void>(undefined);
  const latest = useRef({ load, often });
  const there = useRef(false);
  useEffect(() => {
    latest.current = { load, often };
  });

  useEffect(() => {
    setState({ data: undefined, error: undefined, loading: true });
    there.current = false;
    return repeat(
      (signal) => latest.current.load(signal, (data) => !signal.aborted && setState((s) => ({ ...s, data }))),
      {
        every: (data) => latest.current.often.every?.(data),
        on: (c) => (c.kind === "missed" ? !(latest.current.often.still && there.current) : (latest.current.often.on?.(c) ?? false)),
        begins: () => setState((s) => ({ ...s, loading: true })),
        comes: (data) => {
          there.current = true;
          setState({ data, error: undefined, loading: false });
        },
        fails: (error) => setState((s) => ({ ...s, error, loading: false })),
        trigger: (run) => (again.current = run),
      },
    );
    // The caller's dependencies are this effect's.
  }, deps);

  return { ...state, reload: useCallback(() => again.current?.(), []) };
}

interface Repetition<T> {
  every: (data: T) => number | undefined;
  on: (c: Change) => boolean;
  begins: () => void;
  comes: (data: T) => void;
  fails: (error: unknown) => void;
  trigger: (run: () => void) => void;
}

// repeat runs one load at a time until it is stopped.
function repeat<T>(load: (signal: AbortSignal) => Promise<T>, r: Repetition<T>): () => void {
  const stopper = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  let wanted = false;
  let failures = 0;
  const later = (ms: number | undefined) => {
    if (ms !== undefined) timer = setTimeout(run, ms);
  };
  async function run(): Promise<void> {
    clearTimeout(timer);
    wanted = running;
    if (running) return;
    running = true;
    r.begins();
    try {
      const data = await load(stopper.signal);
      if (stopper.signal.aborted) return;
      failures = 0;
      r.comes(data);
      later(r.every(data));
    } catch (e) {
      if (stopper.signal.aborted || isAborted(e)) return;
      r.fails(e);
      if (e instanceof Unreachable) later(Math.min(8000, 1000 * 2 ** failures++));
    } finally {
      running = false;
      if (wanted && !stopper.signal.aborted) void run();
    }
  }
  r.trigger(() => void run());
  const deaf = live.listen((c) => r.on(c) && void run());
  void run();
  return () => {
    stopper.abort();
    clearTimeout(timer);
    deaf();
  };
}

// useFollow makes Cloudscape's links navigate inside the app.
export function useFollow(): (e: { preventDefault: () => void; detail: { href?: string; external?: boolean } }) => void {
  const navigate = useNavigate();
  return useCallback(
    (e) => {
      if (!e.detail.href || e.detail.external) return;
      e.preventDefault();
      void navigate(e.detail.href);
    },
    [navigate],
  );
}

// useWork runs what a button starts: one at a time, with its error kept for showing.
export function useWork(): { busy: boolean; error: unknown; run: (work: () => Promise<void>) => void; clear: () => void } {
  const [state, setState] = useState<{ busy: boolean; error: unknown }>({ busy: false, error: undefined });
  const run = useCallback((work: () => Promise<void>) => {
    setState({ busy: true, error: undefined });
    work().then(
      () => setState({ busy: false, error: undefined }),
      (error: unknown) => setState({ busy: false, error }),
    );
  }, []);
  return { ...state, run, clear: useCallback(() => setState({ busy: false, error: undefined }), []) };
}
