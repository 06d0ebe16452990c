import type { DistributionConfig } from "@aws-sdk/client-cloudfront";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router";
import { toWrong } from "../../app/arrival";
import { flash } from "../../app/flash";
import { distributionCrumb, distributionsCrumb, usePage } from "../../app/page";
import { type Found, getDistribution, updateDistribution } from "../../distributions";
import { code } from "../../errors";
import { useLoad, useWork } from "../../use";
import { Await } from "../Await";
import { Failure } from "../Failure";

interface Props {
  title: string;
  tab: string; // of the distribution's page, where the way back leads
  children: (found: Found, save: (config: DistributionConfig, done: string) => void, frame: Frame) => ReactNode;
}

// Frame is drawn around the fields, with what happens on Save.
export type Frame = (fields: ReactNode, submit: () => void, button?: string) => ReactNode;

// EditPage is a page that changes a part of a distribution's configuration. It saves against the version
// that it has read: if somebody else was faster, nothing of theirs is lost.
export function EditPage({ title, tab, children }: Props) {
  const { id = "" } = useParams();
  const navigate = useNavigate();
  const back = `/distributions/${id}${tab && `/${tab}`}`;
  usePage(distributionsCrumb, distributionCrumb(id), { text: title, href: "" });
  const found = useLoad((signal) => getDistribution(id, signal), [id], { still: true });
  const { busy, error, run, clear } = useWork();

  const save = (config: DistributionConfig, done: string) =>
    run(async () => {
      await updateDistribution(id, found.data?.etag ?? "", config);
      flash({ type: "success", header: done, content: "Edges are hearing of it." });
      void navigate(back);
    });
  const reload = () => (clear(), found.reload());
  const frame: Frame = (fields, submit, button = "Save changes") => (
    <form onSubmit={(e: FormEvent) => (e.preventDefault(), submit(), toWrong())}>
      <Form
        header={<Header variant="h1" description={id}>{title}</Header>}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <Button formAction="none" variant="link" onClick={() => navigate(back)}>Cancel</Button>
            <Button variant="primary" loading={busy}>{button}</Button>
          </SpaceBetween>
        }
      >
        <SpaceBetween size="l">
          <Failure error={error} retry={outdated(error) ? reload : undefined} unsure="Save it again: if it has been saved, you are told that somebody has changed it." />
          <Container>{fields}</Container>
        </SpaceBetween>
      </Form>
    </form>
  );
  return (
    <Await of={found} what="the distribution">
      {(d) => <div key={d.etag}>{children(d, save, frame)}</div>}
    </Await>
  );
}

// outdated tells that what was edited is not the newest: only reading it again helps.
function outdated(e: unknown): boolean {
  return ["PreconditionFailed", "InvalidIfMatchVersion"].includes(code(e));
}
