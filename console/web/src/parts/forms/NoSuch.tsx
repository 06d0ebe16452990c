import Alert from "@cloudscape-design/components/alert";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useParams } from "react-router";
import { Link } from "../Link";

// NoSuch stands in the place of a form for a part that the distribution has not, or not any more.
export function NoSuch({ one, named }: { one: string; named: string }) {
  const { id = "" } = useParams();
  return (
    <SpaceBetween size="l">
      <Header variant="h1" description={id}>{`Edit ${one}`}</Header>
      <Alert type="error" header={`There is no such ${one}`}>
        The distribution has no {one} {named}. Somebody may have deleted it: go to <Link href={`/distributions/${id}`}>{id}</Link>.
      </Alert>
    </SpaceBetween>
  );
}
