import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";
import { useSearchParams } from "react-router";
import { type Row, knownDistributions } from "../distributions";
import { useLoad } from "../use";
import { Await } from "./Await";
import { Empty } from "./Empty";

// OfDistribution is a page about one distribution, which is chosen on it and kept in its address.
export function OfDistribution({ title, children }: { title: string; children: (id: string) => ReactNode }) {
  const [params, setParams] = useSearchParams();
  const list = useLoad(knownDistributions, []);
  const choose = (id: string) => {
    const next = new URLSearchParams(params);
    next.set("distribution", id);
    setParams(next, { replace: true });
  };
  return (
    <SpaceBetween size="l">
      <Header variant="h1">{title}</Header>
      <Await of={list} what="distributions">
        {(rows) => {
          const chosen = rows.find((r) => r.id === params.get("distribution")) ?? rows.at(-1);
          if (!chosen) return <Empty title="No distributions">There is nothing to show before there is one.</Empty>;
          return (
            <SpaceBetween size="l">
              <FormField label="Distribution">
                <Select
                  options={rows.map(option)}
                  selectedOption={option(chosen)}
                  triggerVariant="option"
                  filteringType="auto"
                  virtualScroll
                  onChange={(e) => choose(e.detail.selectedOption.value ?? "")}
                />
              </FormField>
              {children(chosen.id)}
            </SpaceBetween>
          );
        }}
      </Await>
    </SpaceBetween>
  );
}

function option(r: Row) {
  return { value: r.id, label: r.id, description: r.description || r.domain };
}
