import { useEffect, useState } from "react";
import { client } from "../../client";
import { Unreachable, isAborted } from "../../errors";
import type { Preview, Where } from "../../own";

const settle = 350; // milliseconds without typing before the edges are asked
const again = 2000; // milliseconds before they are asked again when nobody answers

interface State {
  of: string[]; // what the preview is of
  data: Preview | undefined;
  error: unknown;
  loading: boolean;
}

// usePreview asks what the first of the items, as many as one invalidation may have, would drop under these conditions, some time after the last change.
export function usePreview(id: string, items: string[], where: Where | null, most: number): State {
  const [state, setState] = useState<State>({ of: [], data: undefined, error: undefined, loading: false });
  const key = items.join("\n");
  const only = JSON.stringify(where);
  useEffect(() => {
    const wanted = key === "" ? [] : key.split("\n").slice(0, most);
    if (wanted.length === 0) {
      setState({ of: [], data: undefined, error: undefined, loading: false });
      return undefined;
    }
    const stopper = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    let timer = setTimeout(ask, settle);
    function ask(): void {
      client.own<Preview>("POST", `/distributions/${encodeURIComponent(id)}/preview`, { items: wanted, where: JSON.parse(only) as Where | null }, stopper.signal).then(
        (data) => setState({ of: wanted, data, error: undefined, loading: false }),
        (error: unknown) => {
          if (stopper.signal.aborted || isAborted(error)) return;
          setState((s) => ({ ...s, error, loading: false }));
          if (error instanceof Unreachable) timer = setTimeout(ask, again);
        },
      );
    }
    return () => {
      clearTimeout(timer);
      stopper.abort();
    };
  }, [id, key, only, most]);
  return state;
}
