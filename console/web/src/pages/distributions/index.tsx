import { useCollection } from "@cloudscape-design/collection-hooks";
import Button from "@cloudscape-design/components/button";
import CollectionPreferences from "@cloudscape-design/components/collection-preferences";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import Grid from "@cloudscape-design/components/grid";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { usePage, distributionsCrumb } from "../../app/page";
import { type Row, listDistributions } from "../../distributions";
import { count, plural } from "../../format";
import { Empty } from "../../parts/Empty";
import { LoadFailure } from "../../parts/LoadFailure";
import { usePreferences } from "../../parts/usePreferences";
import { useLoad, useMay } from "../../use";
import { type Act, ActDialog } from "./ActDialog";
import { columns, shown } from "./columns";

const statuses = [
  { value: "", label: "All distributions" },
  { value: "enabled", label: "Enabled" },
  { value: "disabled", label: "Disabled" },
];

export default function Distributions() {
  usePage(distributionsCrumb);
  const navigate = useNavigate();
  const may = useMay();
  const [params, setParams] = useSearchParams();
  const [act, setAct] = useState<Act>();
  const [preferences, setPreferences] = usePreferences("distributions", { pageSize: 20, contentDisplay: shown });
  const list = useLoad(listDistributions, [], {
    on: (c) => c.kind === "distribution",
    every: (rows) => (rows.some((r) => r.deploying) ? Math.max(5000, rows.length * 10) : undefined),
  });

  const status = params.get("status") ?? "";
  const rows = (list.data ?? []).filter((r) => status === "" || r.enabled === (status === "enabled"));
  const create = (
    <Button variant="primary" disabled={!may.administer} onClick={() => navigate("/distributions/create")}>
      Create distribution
    </Button>
  );
  const { items, filterProps, filteredItemsCount, paginationProps, collectionProps, actions } = useCollection(rows, {
    filtering: {
      fields: ["id", "description", "domain", "aliases", "origins"],
      defaultFilteringText: params.get("find") ?? "",
      empty: !list.error && <Empty title="No distributions" action={create}>A distribution says which content is cached, and how.</Empty>,
      noMatch: <Empty title="No matches" action={<Button onClick={() => actions.setFiltering("")}>Clear filter</Button>} />,
    },
    pagination: { pageSize: preferences.pageSize ?? 20 },
    sorting: { defaultState: { sortingColumn: columns.at(-1)!, isDescending: true } },
    selection: { trackBy: "id", keepSelection: true },
  });
  const chosen = collectionProps.selectedItems?.[0] as Row | undefined;
  const current = list.data?.find((r) => r.id === chosen?.id);

  return (
    <SpaceBetween size="l">
      <LoadFailure of={list} />
      <Table
        {...collectionProps}
        variant="full-page"
        stickyHeader
        wrapLines
        enableKeyboardNavigation
        selectionType="single"
        items={items}
        columnDefinitions={columns}
        loading={list.loading && !list.data}
        loadingText="Loading distributions"
        ariaLabels={{
          tableLabel: "Distributions",
          selectionGroupLabel: "Distribution",
          itemSelectionLabel: (_, r) => `Select ${r.id}`,
        }}
        header={
          <Header
            variant="awsui-h1-sticky"
            counter={list.data && `(${count(list.data.length)})`}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel="Refresh" loading={list.loading && Boolean(list.data)} onClick={list.reload} />
                <Button disabled={!may.administer || !current || current.enabled} onClick={() => setAct({ kind: "enable", row: current! })}>
                  Enable
                </Button>
                <Button disabled={!may.administer || !current?.enabled} onClick={() => setAct({ kind: "disable", row: current! })}>
                  Disable
                </Button>
                <Button
                  disabled={!may.administer || !current || current.enabled || current.deploying}
                  disabledReason={current?.enabled ? "Disable the distribution first." : undefined}
                  onClick={() => setAct({ kind: "delete", row: current! })}
                >
                  Delete
                </Button>
                {create}
              </SpaceBetween>
            }
          >
            Distributions
          </Header>
        }
        filter={
          <Grid gridDefinition={[{ colspan: { default: 12, s: 8 } }, { colspan: { default: 12, s: 4 } }]}>
            <TextFilter
              {...filterProps}
              filteringPlaceholder="Search all distributions"
              filteringAriaLabel="Search all distributions"
              countText={plural(filteredItemsCount ?? 0, "match", "matches")}
            />
            <Select
              ariaLabel="Filter by status"
              options={statuses}
              selectedOption={statuses.find((s) => s.value === status) ?? statuses[0]!}
              onChange={(e) => setParams(e.detail.selectedOption.value ? { status: e.detail.selectedOption.value } : {}, { replace: true })}
            />
          </Grid>
        }
        pagination={<Pagination {...paginationProps} />}
        columnDisplay={preferences.contentDisplay ?? shown}
        preferences={
          <CollectionPreferences
            preferences={preferences}
            onConfirm={(e) => setPreferences(e.detail)}
            pageSizePreference={{ options: [10, 20, 50, 100].map((value) => ({ value, label: `${value} distributions` })) }}
            contentDisplayPreference={{ options: columns.map((c) => ({ id: c.id ?? "", label: String(c.header), alwaysVisible: c.id === "id" })) }}
          />
        }
      />
      <ActDialog act={act} close={() => setAct(undefined)} done={list.reload} />
    </SpaceBetween>
  );
}
