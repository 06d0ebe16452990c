import StatusIndicator from "@cloudscape-design/components/status-indicator";

// InvalidationStatus and the others say a status in CloudFront's console's words.
export function InvalidationStatus({ status }: { status: string }) {
  return status === "Completed" ? (
    <StatusIndicator type="success">Completed</StatusIndicator>
  ) : (
    <StatusIndicator type="in-progress">In progress</StatusIndicator>
  );
}

export function EnabledStatus({ enabled }: { enabled: boolean }) {
  return enabled ? <StatusIndicator>Enabled</StatusIndicator> : <StatusIndicator type="stopped">Disabled</StatusIndicator>;
}
