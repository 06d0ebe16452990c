import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { flash } from "../../app/flash";
import { type Row, deleteDistribution, setEnabled } from "../../distributions";
import { Failure } from "../../parts/Failure";
import { useWork } from "../../use";

export interface Act {
  kind: "enable" | "disable" | "delete";
  row: Row;
}

const words = {
  enable: { title: "Enable distribution", done: "Enabled", says: "Edges will answer for it as soon as they have heard of it." },
  disable: { title: "Disable distribution", done: "Disabled", says: "Edges will answer requests for it with an error until it is enabled again. Its configuration stays." },
  delete: { title: "Delete distribution", done: "Deleted", says: "Its configuration, its invalidations and what edges have cached for it will be gone. This cannot be undone." },
};

// ActDialog asks before it enables, disables or deletes.
export function ActDialog({ act, close, done }: { act: Act | undefined; close: () => void; done: () => void }) {
  const { busy, error, run, clear } = useWork();
  if (!act) return null;
  const { title, done: past, says } = words[act.kind];
  const dismiss = () => (clear(), close());
  const go = () =>
    run(async () => {
      await (act.kind === "delete" ? deleteDistribution(act.row.id) : setEnabled(act.row.id, act.kind === "enable"));
      flash({ type: "success", header: `${past} distribution ${act.row.id}` });
      close();
      done();
    });
  return (
    <Modal
      visible
      header={title}
      onDismiss={dismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={dismiss}>Cancel</Button>
            <Button variant="primary" loading={busy} onClick={go}>{title}</Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Failure error={error} />
        <Box>
          {title} <b>{act.row.id}</b>
          {act.row.description && ` (${act.row.description})`}? {says}
        </Box>
      </SpaceBetween>
    </Modal>
  );
}
