import Box from "@cloudscape-design/components/box";
import { flash } from "../../app/flash";
import { type Row, deleteDistribution, setEnabled } from "../../distributions";
import { Dialog } from "../../parts/Dialog";

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
  if (!act) return null;
  const { title, done: past, says } = words[act.kind];
  const work = async () => {
    await (act.kind === "delete" ? deleteDistribution(act.row.id) : setEnabled(act.row.id, act.kind === "enable"));
    flash({ type: "success", header: `${past} distribution ${act.row.id}` });
    close();
    done();
  };
  return (
    <Dialog title={title} button={title} work={work} close={close}>
      <Box>
        {title} <b>{act.row.id}</b>
        {act.row.description && ` (${act.row.description})`}? {says}
      </Box>
    </Dialog>
  );
}
