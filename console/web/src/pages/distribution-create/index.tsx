import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Wizard from "@cloudscape-design/components/wizard";
import { useState } from "react";
import { useNavigate } from "react-router";
import { toWrong } from "../../app/arrival";
import { flash } from "../../app/flash";
import { distributionsCrumb, usePage } from "../../app/page";
import { type BehaviorDraft, type OriginDraft, behaviorDraft, checkOrigin, originDraft } from "../../drafts";
import { Failure } from "../../parts/Failure";
import { BehaviorFields } from "../../parts/forms/BehaviorFields";
import { OriginFields } from "../../parts/forms/OriginFields";
import { listPolicies } from "../../policies";
import { useLoad, useWork } from "../../use";
import { NameFields } from "./NameFields";
import { Review } from "./Review";
import { type NameDraft, createDistribution } from "./create";

export default function CreateDistribution() {
  usePage(distributionsCrumb, { text: "Create distribution", href: "" });
  const navigate = useNavigate();
  const [step, setStep] = useState(0);
  const [tried, setTried] = useState(false);
  const [name, setName] = useState<NameDraft>({ name: "", comment: "", aliases: "", root: "index.html" });
  const [origin, setOrigin] = useState<OriginDraft>(originDraft);
  const [behavior, setBehavior] = useState<BehaviorDraft>(behaviorDraft);
  const [reference] = useState(() => `console-${Date.now()}-${Math.floor(Math.random() * 1e6)}`);
  const policies = useLoad(listPolicies, []);
  const { busy, error, run } = useWork();

  const wrongName = name.name.trim() ? undefined : "Give it a name that you will find it by.";
  const wrongOrigin = checkOrigin(origin);
  const valid = [!wrongName, Object.keys(wrongOrigin).length === 0, true, true];
  const go = (to: number) => {
    // Forward only over steps that are in order; back always.
    const stop = valid.findIndex((ok, i) => !ok && i < to);
    setTried(stop >= 0);
    setStep(stop >= 0 ? stop : to);
    if (stop >= 0) toWrong();
  };
  const submit = () =>
    run(async () => {
      const id = await createDistribution({ name, origin, behavior, reference });
      flash({ type: "success", header: `Successfully created distribution ${id}`, content: "Edges are hearing of it." });
      void navigate(`/distributions/${id}`);
    });

  return (
    <Wizard
      activeStepIndex={step}
      onNavigate={(e) => go(e.detail.requestedStepIndex)}
      onCancel={() => navigate("/distributions")}
      onSubmit={submit}
      isLoadingNextStep={busy}
      submitButtonText="Create distribution"
      i18nStrings={{ stepNumberLabel: (n) => `Step ${n}`, collapsedStepsLabel: (n, all) => `Step ${n} of ${all}`, navigationAriaLabel: "Steps" }}
      steps={[
        { title: "Get started", content: <NameFields draft={name} change={(part) => setName((d) => ({ ...d, ...part }))} wrong={tried ? wrongName : undefined} /> },
        {
          title: "Specify origin",
          content: (
            <Container header={<Header variant="h2">Origin</Header>}>
              <OriginFields draft={origin} change={(part) => setOrigin((d) => ({ ...d, ...part }))} wrong={tried ? wrongOrigin : {}} />
            </Container>
          ),
        },
        {
          title: "Specify cache behavior",
          content: (
            <Container header={<Header variant="h2" description="For all paths. Others can be added later.">Default behavior</Header>}>
              <BehaviorFields draft={behavior} change={(part) => setBehavior((d) => ({ ...d, ...part }))} wrong={{}} policies={policies.data} isDefault />
            </Container>
          ),
        },
        {
          title: "Review and create",
          content: (
            <SpaceBetween size="l">
              <Failure error={error} header="The distribution was not created" unsure="Create it again: it stays one distribution." />
              <Review name={name} origin={origin} behavior={behavior} policies={policies.data} edit={setStep} />
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}
