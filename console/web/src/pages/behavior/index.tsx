import type { CacheBehavior, DistributionConfig } from "@aws-sdk/client-cloudfront";
import { useState } from "react";
import { useParams } from "react-router";
import type { Found } from "../../distributions";
import { type BehaviorDraft, behaviorDraft, checkBehavior, toBehavior } from "../../drafts";
import { groupIds, originIds } from "../../groups";
import { BehaviorFields } from "../../parts/forms/BehaviorFields";
import { EditPage, type Frame } from "../../parts/forms/EditPage";
import { NoSuch } from "../../parts/forms/NoSuch";
import { listPolicies } from "../../policies";
import { useLoad } from "../../use";

// The page makes a behavior, or edits the one whose precedence (or "default") is in the address.
export default function Behavior() {
  const { which } = useParams();
  return (
    <EditPage title={which === undefined ? "Create behavior" : "Edit behavior"} tab="behaviors">
      {(found, save, frame) =>
        which === undefined || which === "default" || found.config.CacheBehaviors?.Items?.[Number(which)] ? (
          <Fields found={found} which={which} save={save} frame={frame} />
        ) : (
          <NoSuch one="behavior" named={`of precedence ${which}`} />
        )
      }
    </EditPage>
  );
}

interface Props {
  found: Found;
  which: string | undefined;
  save: (config: DistributionConfig, done: string) => void;
  frame: Frame;
}

function Fields({ found: { config }, which, save, frame }: Props) {
  const own = config.CacheBehaviors?.Items ?? [];
  const isDefault = which === "default";
  const was = isDefault ? config.DefaultCacheBehavior : which === undefined ? undefined : own[Number(which)];
  const groups = groupIds(config);
  const origins = [...originIds(config), ...groups];
  const [draft, setDraft] = useState<BehaviorDraft>(() => ({ ...behaviorDraft(was), ...(!was && { origin: origins[0] ?? "" }) }));
  const [tried, setTried] = useState(false);
  const policies = useLoad(listPolicies, []);
  const wrong = checkBehavior(draft, isDefault, own.filter((b) => b !== was).map((b) => b.PathPattern ?? ""), groups);

  const submit = () => {
    setTried(true);
    if (Object.keys(wrong).length > 0) return;
    if (isDefault && config.DefaultCacheBehavior) {
      save({ ...config, DefaultCacheBehavior: toBehavior(draft, config.DefaultCacheBehavior) }, "Saved the default behavior");
      return;
    }
    const made = toBehavior<CacheBehavior>(draft, was as CacheBehavior | undefined);
    const items = was ? own.map((b) => (b === was ? made : b)) : [...own, made];
    save({ ...config, CacheBehaviors: { Quantity: items.length, Items: items } }, `${was ? "Saved" : "Created"} behavior ${draft.pattern.trim()}`);
  };
  return frame(
    <BehaviorFields
      draft={draft}
      change={(part) => setDraft((d) => ({ ...d, ...part }))}
      wrong={tried ? wrong : {}}
      policies={policies.data}
      origins={origins}
      isDefault={isDefault}
      legacy={was !== undefined && !was.CachePolicyId}
    />,
    submit,
    was ? undefined : "Create behavior",
  );
}
