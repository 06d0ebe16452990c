import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";

// Empty is what a table says that has no rows.
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Box textAlign="center" color="inherit" margin={{ vertical: "s" }}>
      <SpaceBetween size="s">
        <div>
          <b>{title}</b>
          {children && <Box variant="p" color="inherit">{children}</Box>}
        </div>
        {action}
      </SpaceBetween>
    </Box>
  );
}
