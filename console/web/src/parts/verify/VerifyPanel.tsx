import Button from "@cloudscape-design/components/button";
import Autosuggest from "@cloudscape-design/components/autosuggest";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { type FormEvent, useState } from "react";
import { client } from "../../client";
import { useWork } from "../../use";
import type { Explanation as Explained, Invalidation, VerifiedEdge } from "../../own";
import { Failure } from "../Failure";
import { Explanation } from "./Explanation";
import { Runs } from "./Runs";
import { type Run, remember, remembered, target } from "./runs";

interface Props {
  id: string; // the distribution
  suggestions: string[];
  invalidation?: Invalidation; // the one that is to be proved
}

// VerifyPanel requests a URL through every edge, keeps the answers to compare with later ones, and
// explains how the edges see the URL.
export function VerifyPanel({ id, suggestions, invalidation }: Props) {
  const [path, setPath] = useState(suggestions[0] ?? remembered(id).at(-1)?.path ?? "/");
  const [runs, setRuns] = useState<Run[]>(() => remembered(id));
  const [explained, setExplained] = useState<Explained>();
  const { busy, error, run } = useWork();
  const [task, setTask] = useState("");

  const wanted = target(path);
  const explain = () => {
    setTask("explain");
    run(async () => setExplained(await client.own<Explained>("POST", "/explain", { distributionId: id, path: wanted.path })));
  };
  const verify = () => {
    setTask("verify");
    run(async () => {
      const at = Date.now();
      const { edges } = await client.own<{ edges: VerifiedEdge[] }>("POST", `/distributions/${encodeURIComponent(id)}/verify`, wanted);
      const { wouldMatch } = await client.own<Explained>("POST", "/explain", { distributionId: id, path: wanted.path });
      const dropped = wouldMatch.find((m) => m.invalidationId === invalidation?.id) ?? wouldMatch[0];
      setRuns(remember(id, { at, path: wanted.path, edges, dropped }));
    });
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    verify();
  };
  return (
    <Container
      header={
        <Header variant="h2" description="Request a URL through every edge location, before and after, and see what each one answers.">
          Verify
        </Header>
      }
    >
      <SpaceBetween size="l">
        <form onSubmit={submit}>
          <FormField stretch label="Path" description="What follows the host name, the query string included. The edges are asked by HTTPS where the behavior wants it, or with https:// in front.">
            <SpaceBetween size="s" direction="horizontal">
              <div style={{ inlineSize: "min(28rem, 70vw)" }}>
                <Autosuggest
                  value={path}
                  onChange={(e) => setPath(e.detail.value)}
                  options={[...new Set([...suggestions, ...runs.map((r) => r.path)])].map((value) => ({ value }))}
                  enteredTextLabel={(v) => `Use ${v}`}
                  ariaLabel="Path"
                  placeholder="/index.html"
                />
              </div>
              <Button formAction="submit" loading={busy && task === "verify"}>Request through every edge</Button>
              <Button formAction="none" loading={busy && task === "explain"} onClick={explain}>Explain this URL</Button>
            </SpaceBetween>
          </FormField>
        </form>
        <Failure error={error} unsure="Try again in a moment." />
        <Runs runs={runs.filter((r) => r.path === wanted.path)} invalidation={invalidation} />
        {explained && <Explanation of={explained} invalidation={invalidation?.id} />}
      </SpaceBetween>
    </Container>
  );
}
