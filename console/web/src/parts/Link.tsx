import CloudscapeLink, { type LinkProps } from "@cloudscape-design/components/link";
import { useFollow } from "../use";

// Link is a link inside the app.
export function Link(props: LinkProps) {
  return <CloudscapeLink {...props} onFollow={useFollow()} />;
}
