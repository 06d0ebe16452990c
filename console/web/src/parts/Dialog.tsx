import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Modal from "@cloudscape-design/components/modal";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { FormEvent, ReactNode } from "react";
import { useSession, useWork } from "../use";
import { Failure } from "./Failure";

interface Props {
  title: string;
  button: string;
  work: () => Promise<void>; // what the button does; an error keeps the dialog open
  close: () => void;
  ready?: boolean;
  children: ReactNode;
}

// Dialog asks for something or about something, does it, and says why it could not.
export function Dialog({ title, button, work, close, ready = true, children }: Props) {
  const { busy, error, run } = useWork();
  const submit = () => ready && !busy && run(work);
  return (
    <Modal
      visible={Boolean(useSession())}
      header={title}
      onDismiss={(e) => e.detail.reason !== "overlay" && close()} // a click beside it does not throw away what was typed
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={close}>Cancel</Button>
            <Button variant="primary" loading={busy} disabled={!ready} onClick={submit}>{button}</Button>
          </SpaceBetween>
        </Box>
      }
    >
      <form onSubmit={(e: FormEvent) => (e.preventDefault(), submit())}>
        <SpaceBetween size="m">
          <Failure error={error} />
          {children}
        </SpaceBetween>
        <button type="submit" hidden aria-hidden="true" tabIndex={-1} />
      </form>
    </Modal>
  );
}
