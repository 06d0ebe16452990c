import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import type { ReactNode } from "react";
import type { Loaded } from "../use";
import { LoadFailure } from "./LoadFailure";

// Await shows what is loaded, or that it is loading, or why it could not be. What was loaded once
// stays visible under a later failure.
export function Await<T>({ of, what, children }: { of: Loaded<T>; what: string; children: (data: T) => ReactNode }) {
  if (of.data === undefined && of.error) return <LoadFailure of={of} />;
  if (of.data === undefined) {
    return (
      <Box textAlign="center" padding="xxl" color="text-body-secondary">
        <Spinner /> Loading {what}
      </Box>
    );
  }
  return (
    <SpaceBetween size="l">
      <LoadFailure of={of} />
      {children(of.data)}
    </SpaceBetween>
  );
}
