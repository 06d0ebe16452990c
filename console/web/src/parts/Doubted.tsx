import Alert from "@cloudscape-design/components/alert";
import type { Doubt } from "../own";
import { plural } from "../format";
import { Time } from "./Time";

const named = 20;

// Doubted says why invalidations take half a minute though all edges have applied them.
export function Doubted({ doubt: { since, until, unheard, edges } }: { doubt: Doubt }) {
  const more = unheard - Math.min(edges.length, named);
  return (
    <Alert type="warning" header="Invalidations are completed by time alone, after 32 seconds">
      This control node doubts its journal since <Time at={since} />: it was restored, copied, or opened in spite of a loss, so there may be edges
      that it does not know.{" "}
      {unheard > 0 ? (
        <>
          This ends when {plural(unheard, "edge")} {unheard === 1 ? "has" : "have"} been heard to follow it, or {unheard === 1 ? "was" : "were"} removed:{" "}
          {edges.slice(0, named).join(", ")}
          {more > 0 && ` and ${more} more`}.
        </>
      ) : (
        <>
          All edges have been heard. This ends <Time at={until} />.
        </>
      )}
    </Alert>
  );
}
