import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import { useState } from "react";
import { useParams } from "react-router";
import type { Found } from "../../distributions";
import { type OriginDraft, checkOrigin, originDraft, toOrigin } from "../../drafts";
import { EditPage, type Frame } from "../../parts/forms/EditPage";
import { OriginFields } from "../../parts/forms/OriginFields";

// The page makes an origin, or edits the one whose name is in the address.
export default function Origin() {
  const { which } = useParams();
  return (
    <EditPage title={which === undefined ? "Create origin" : "Edit origin"} tab="origins">
      {(found, save, frame) => <Fields found={found} which={which} save={save} frame={frame} />}
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
  const all = config.Origins?.Items ?? [];
  const was = all.find((o) => o.Id === which);
  const [draft, setDraft] = useState<OriginDraft>(() => originDraft(was));
  const [tried, setTried] = useState(false);
  const wrong = checkOrigin(draft, all.filter((o) => o !== was).map((o) => o.Id ?? ""));

  const submit = () => {
    setTried(true);
    if (Object.keys(wrong).length > 0) return;
    const made = toOrigin(draft, was);
    const items = was ? all.map((o) => (o === was ? made : o)) : [...all, made];
    save({ ...config, Origins: { Quantity: items.length, Items: items } }, `${was ? "Saved" : "Created"} origin ${made.Id}`);
  };
  return frame(
    <OriginFields
      draft={draft}
      change={(part) => setDraft((d) => ({ ...d, ...part }))}
      wrong={tried ? wrong : {}}
      s3={Boolean(was?.S3OriginConfig)}
      fixedId={Boolean(was)}
    />,
    submit,
    was ? undefined : "Create origin",
  );
}
