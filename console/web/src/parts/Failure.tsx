import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import { Unreachable, explain, title } from "../errors";

// Failure says what went wrong, and offers to try again where that may help.
export function Failure({ error, retry, header }: { error: unknown; retry?: () => void; header?: string }) {
  if (!error) return null;
  const trying = error instanceof Unreachable;
  return (
    <Alert
      type={trying ? "warning" : "error"}
      header={header ?? title(error)}
      action={retry && <Button onClick={retry}>{trying ? "Try now" : "Reload"}</Button>}
    >
      {trying ? "The console keeps trying by itself." : explain(error)}
    </Alert>
  );
}
