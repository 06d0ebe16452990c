import Button from "@cloudscape-design/components/button";
import Grid from "@cloudscape-design/components/grid";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { toWrong } from "../../app/arrival";
import { flash } from "../../app/flash";
import { distributionCrumb, distributionsCrumb, usePage } from "../../app/page";
import { client } from "../../client";
import { awsWildcards, createInvalidation, getDistribution, invalidationMode } from "../../distributions";
import type { About, Invalidation, Mode, Receipt } from "../../own";
import { Await } from "../../parts/Await";
import { Failure } from "../../parts/Failure";
import { lines } from "../../paths";
import { useLoad, useWork } from "../../use";
import { ModeField } from "./ModeField";
import { typedPaceOf } from "./PaceFields";
import { PathEditor } from "./PathEditor";
import { PreviewPanel } from "./PreviewPanel";
import { TermsEditor, noTerms, termsOf } from "./TermsEditor";
import { WhereEditor, typedOf, whereOf } from "./WhereEditor";
import { useChecked } from "./useChecked";

export default function CreateInvalidation() {
  const { id = "" } = useParams();
  const [params] = useSearchParams();
  const copy = params.get("copy");
  usePage(
    distributionsCrumb,
    distributionCrumb(id),
    { text: "Invalidations", href: `/distributions/${id}/invalidations` },
    { text: "Create invalidation", href: "" },
  );
  const start = useLoad(
    async (signal) => {
      const [found, was, about] = await Promise.all([
        getDistribution(id, signal),
        copy ? invalidation(id, copy, signal) : null,
        client.own<About>("GET", "/about", undefined, signal),
      ]);
      const items = was?.items ?? params.getAll("path");
      return { aws: awsWildcards(found.tags), preset: invalidationMode(found.tags), items, was, most: about.quotas.pathsPerInvalidation, name: found.tags["Name"] || found.config.Comment };
    },
    [id, copy],
  );
  return (
    <Await of={start} what="the distribution">
      {({ items, ...rest }) => <Form key={copy} id={id} initial={items.join("\n")} {...rest} />}
    </Await>
  );
}

async function invalidation(id: string, inv: string, signal: AbortSignal): Promise<Invalidation> {
  const path = `/distributions/${encodeURIComponent(id)}/invalidations/${encodeURIComponent(inv)}/receipt`;
  return (await client.own<Receipt>("GET", path, undefined, signal)).invalidation;
}

interface Props {
  id: string;
  name: string | undefined;
  aws: boolean;
  preset: Mode;
  initial: string;
  most: number; // paths of an invalidation
  was: Invalidation | null; // what is copied: what it does and how gently, not when and why
}

function Form({ id, name, aws, preset, initial, most, was }: Props) {
  const navigate = useNavigate();
  const [text, setText] = useState(initial);
  const [narrowed, setNarrowed] = useState(typedOf(was?.where ?? null));
  const [typed, setTyped] = useState(was?.pace ? { ...noTerms, pace: typedPaceOf(was.pace) } : noTerms);
  const [mode, setMode] = useState(was?.mode ?? preset);
  const [tried, setTried] = useState(false);
  const [reference, setReference] = useState(newReference);
  const checked = useChecked(text, aws);
  const { busy, error, run } = useWork();

  const change = (next: string) => {
    setText(next);
    setTried(false);
    setReference(newReference); // other paths are another invalidation
  };
  const changeTerms = (next: typeof typed) => {
    setTyped(next);
    setReference(newReference); // and another time as well
  };
  const changeWhere = (next: typeof narrowed) => {
    setNarrowed(next);
    setReference(newReference);
  };
  const only = whereOf(narrowed);
  const submit = () => {
    const now = lines(text, aws);
    setTried(true);
    const terms = termsOf(typed);
    if (terms && mode !== preset) terms.mode = mode;
    if (busy) return;
    if (now.length === 0 || now.length > most || now.some((l) => l.problem) || !terms || only === undefined) return toWrong();
    if (only) terms.where = only;
    run(async () => {
      const made = await createInvalidation(id, now.map((l) => l.item), reference, terms);
      flash({ type: "success", header: `Successfully created invalidation ${made}` });
      void navigate(`/distributions/${id}/invalidations/${made}`);
    });
  };
  return (
    <div
      onKeyDown={(e) => {
        if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
        e.preventDefault();
        submit();
      }}
    >
      <SpaceBetween size="l">
        <Header variant="h1" description={name ? `${name} · ${id}` : id}>Create invalidation</Header>
        <Failure error={error} header="The invalidation was not created" unsure="Create it again: it stays one invalidation." />
        <Grid gridDefinition={[{ colspan: { default: 12, s: 6 } }, { colspan: { default: 12, s: 6 } }]}>
          <SpaceBetween size="l">
            <PathEditor text={text} change={change} checked={checked} tried={tried} aws={aws} most={most} />
            <ModeField
              mode={mode}
              preset={preset}
              change={(m) => {
                setMode(m);
                setReference(newReference);
              }}
            />
            <WhereEditor typed={narrowed} change={changeWhere} tried={tried} />
            <TermsEditor typed={typed} change={changeTerms} tried={tried} />
            <SpaceBetween direction="horizontal" size="xs" alignItems="center">
              <Button variant="link" onClick={() => navigate(`/distributions/${id}/invalidations`)}>Cancel</Button>
              <Button variant="primary" loading={busy} onClick={submit} ariaLabel="Create invalidation (Ctrl+Enter)">
                Create invalidation
              </Button>
            </SpaceBetween>
          </SpaceBetween>
          <PreviewPanel id={id} mode={mode} items={only === undefined ? [] : checked.sendable} where={only ?? null} most={most} />
        </Grid>
      </SpaceBetween>
    </div>
  );
}

function newReference(): string {
  return `console-${Date.now()}-${Math.floor(Math.random() * 1e6)}`;
}
