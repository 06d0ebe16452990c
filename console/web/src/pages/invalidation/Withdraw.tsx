import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { useEffect, useRef, useState } from "react";
import { flash } from "../../app/flash";
import { client } from "../../client";
import type { Invalidation } from "../../own";
import { Dialog } from "../../parts/Dialog";
import { useMay } from "../../use";

interface Props {
  id: string;
  of: Invalidation;
  what: string;
  reload: () => void;
  gone: () => void; // is called when it has done its work and goes, with the keyboard's focus on it
}

// Withdraw takes an invalidation back, or what is still to come of it; what says which.
export function Withdraw({ id, of, what, reload, gone }: Props) {
  const may = useMay();
  const [asking, ask] = useState(false);
  const done = useRef(false);
  useEffect(() => () => (done.current ? gone() : undefined), [gone]);
  const withdraw = async () => {
    await client.own("POST", `/distributions/${encodeURIComponent(id)}/invalidations/${encodeURIComponent(of.id)}/withdraw`, {});
    ask(false);
    done.current = true;
    flash({ type: "success", header: `Withdrew invalidation ${of.id}` });
    reload();
  };
  return (
    <>
      <Button disabled={!may.invalidate} onClick={() => ask(true)}>Withdraw</Button>
      {asking && (
        <Dialog title="Withdraw invalidation" button="Withdraw" work={withdraw} close={() => ask(false)}>
          <Box>Withdraw <b>{of.id}</b>? {what}</Box>
        </Dialog>
      )}
    </>
  );
}
