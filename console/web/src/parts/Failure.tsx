import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import { Unreachable, explain, title } from "../errors";

interface Props {
  error: unknown;
  header?: string;
  retry?: (() => void) | undefined;
  again?: boolean; // it is asked for again by itself
  unsure?: string; // what to do when nobody has answered, so that it may have been done or not
}

// Failure says what went wrong, and offers to try again where that may help.
export function Failure({ error, header, retry, again, unsure = "It may have been done all the same: look before you try again." }: Props) {
  if (!error) return null;
  const nobody = error instanceof Unreachable;
  const trying = nobody && again;
  const says = nobody && !error.told ? `${explain(error)} ${unsure}` : explain(error);
  return (
    <Alert
      type={nobody ? "warning" : "error"}
      header={header ?? title(error)}
      action={retry && <Button onClick={retry}>{trying ? "Try now" : "Reload"}</Button>}
    >
      {trying ? "The console keeps trying by itself." : says}
    </Alert>
  );
}
