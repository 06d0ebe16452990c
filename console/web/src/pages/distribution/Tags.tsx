import { TagResourceCommand, UntagResourceCommand } from "@aws-sdk/client-cloudfront";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Table from "@cloudscape-design/components/table";
import Container from "@cloudscape-design/components/container";
import SpaceBetween from "@cloudscape-design/components/space-between";
import TagEditor, { type TagEditorProps, getTagsDiff } from "@cloudscape-design/components/tag-editor";
import { useState } from "react";
import { flash } from "../../app/flash";
import { client } from "../../client";
import type { Found } from "../../distributions";
import { Empty } from "../../parts/Empty";
import { Failure } from "../../parts/Failure";
import { useMay, useWork } from "../../use";

export function Tags({ found, reload }: { found: Found; reload: () => void }) {
  const may = useMay();
  const [editing, setEditing] = useState(false);
  const rows = Object.entries(found.tags).map(([key, value]) => ({ key, value }));
  if (editing) return <Editor found={found} close={() => (setEditing(false), reload())} />;
  return (
    <Table
      items={rows}
      columnDefinitions={[
        { id: "key", header: "Key", isRowHeader: true, cell: (t) => t.key },
        { id: "value", header: "Value", cell: (t) => t.value || "–" },
      ]}
      trackBy="key"
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: "Tags" }}
      header={
        <Header
          variant="h2"
          counter={`(${rows.length})`}
          description="Tags that begin with warmfront: are switches for what CloudFront has no field for."
          actions={<Button disabled={!may.administer} onClick={() => setEditing(true)}>Manage tags</Button>}
        >
          Tags
        </Header>
      }
      empty={<Empty title="No tags" />}
    />
  );
}

function Editor({ found, close }: { found: Found; close: () => void }) {
  // As they were when the editing began: what somebody else has added meanwhile has not been removed here.
  const [before] = useState(() => Object.entries(found.tags).map(([key, value]) => ({ key, value, existing: true })));
  const [tags, setTags] = useState<readonly TagEditorProps.Tag[]>(before);
  const [valid, setValid] = useState(true);
  const { busy, error, run } = useWork();
  const save = () =>
    run(async () => {
      const { created, removed } = getTagsDiff(before, tags);
      const Resource = found.distribution.ARN ?? "";
      if (removed.length > 0) await client.cloudfront((sdk) => sdk.send(new UntagResourceCommand({ Resource, TagKeys: { Items: removed } })));
      const Items = Object.entries(created).map(([Key, Value]) => ({ Key, Value }));
      if (Items.length > 0) await client.cloudfront((sdk) => sdk.send(new TagResourceCommand({ Resource, Tags: { Items } })));
      flash({ type: "success", header: "Saved tags" });
      close();
    });
  return (
    <Container
      header={<Header variant="h2">Manage tags</Header>}
      footer={
        <SpaceBetween direction="horizontal" size="xs">
          <Button onClick={close}>Cancel</Button>
          <Button variant="primary" loading={busy} disabled={!valid} onClick={save}>Save changes</Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        <Failure error={error} />
        <TagEditor
          tags={tags}
          onChange={(e) => {
            setTags(e.detail.tags);
            setValid(e.detail.valid);
          }}
        />
      </SpaceBetween>
    </Container>
  );
}
