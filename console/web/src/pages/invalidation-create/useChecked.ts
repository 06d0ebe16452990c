import { useDeferredValue, useMemo } from "react";
import { type Line, lines } from "../../paths";

export interface Checked {
  lines: Line[];
  problems: Line[];
  warnings: Line[];
  sendable: string[]; // each item once
  twice: number; // lines that say what another one says
}

// useChecked checks the lines when the typing leaves time for it, so that typing stays fluid however
// many there are.
export function useChecked(text: string, aws: boolean): Checked {
  const settled = useDeferredValue(text);
  return useMemo(() => {
    const all = lines(settled, aws);
    const good = all.filter((l) => !l.problem);
    const sendable = [...new Set(good.map((l) => l.item))];
    return {
      lines: all,
      problems: all.filter((l) => l.problem),
      warnings: all.filter((l) => l.warning),
      sendable,
      twice: good.length - sendable.length,
    };
  }, [settled, aws]);
}
