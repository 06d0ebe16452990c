import { Unreachable } from "../errors";
import type { Loaded } from "../use";
import { Failure } from "./Failure";

// LoadFailure says why something could not be loaded. While nobody answers and there is something older
// to show, the message at the top of the page is enough.
export function LoadFailure<T>({ of }: { of: Loaded<T> }) {
  if (of.error instanceof Unreachable && of.data !== undefined) return null;
  return <Failure error={of.error} retry={of.reload} again />;
}
