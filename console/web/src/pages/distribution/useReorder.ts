import type { CacheBehavior } from "@aws-sdk/client-cloudfront";
import { flash } from "../../app/flash";
import { type Found, updateDistribution } from "../../distributions";
import { useWork } from "../../use";

// useReorder moves and removes behaviors.
export function useReorder(found: Found) {
  const { busy, error, run } = useWork();
  const items = found.config.CacheBehaviors?.Items ?? [];

  const save = async (next: CacheBehavior[], done: string) => {
    const behaviors = { Quantity: next.length, ...(next.length > 0 && { Items: next }) };
    await updateDistribution(found.distribution.Id ?? "", found.etag, { ...found.config, CacheBehaviors: behaviors });
    flash({ type: "success", header: done });
  };

  return {
    busy,
    error,
    move: (at: number, by: 1 | -1) => {
      const next = [...items];
      const [moved] = next.splice(at, 1);
      if (moved) next.splice(at + by, 0, moved);
      run(() => save(next, `Moved behavior ${moved?.PathPattern}`));
    },
    remove: (at: number) => save(items.filter((_, i) => i !== at), `Deleted behavior ${items[at]?.PathPattern}`),
  };
}
