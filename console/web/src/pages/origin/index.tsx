import type { Origin } from "@aws-sdk/client-cloudfront";
import { useState } from "react";
import { type OriginDraft, checkOrigin, originDraft, toOrigin } from "../../drafts";
import { OriginFields } from "../../parts/forms/OriginFields";
import { type Part, PartPage } from "../../parts/forms/PartPage";

// The page makes an origin, or edits the one whose name is in the address.
export default function OriginPage() {
  return (
    <PartPage one="origin" tab="origins" items={(c) => c.Origins?.Items} name={(o) => o.Id ?? ""} into={(Origins) => ({ Origins })} fields={Fields} />
  );
}

function Fields({ others, was, keep, frame }: Part<Origin>) {
  const [draft, setDraft] = useState<OriginDraft>(() => originDraft(was));
  const [tried, setTried] = useState(false);
  const wrong = checkOrigin(draft, others.map((o) => o.Id ?? ""));

  const submit = () => {
    setTried(true);
    if (Object.keys(wrong).length === 0) keep(toOrigin(draft, was));
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
  );
}
