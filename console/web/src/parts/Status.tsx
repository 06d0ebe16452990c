import StatusIndicator from "@cloudscape-design/components/status-indicator";

// InvalidationStatus and the others say a status in CloudFront's console's words.
export function InvalidationStatus({ status }: { status: string }) {
  switch (status) {
    case "Completed":
      return <StatusIndicator type="success">Completed</StatusIndicator>;
    case "Scheduled":
      return <StatusIndicator type="pending">Scheduled</StatusIndicator>;
    case "Withdrawn":
      return <StatusIndicator type="stopped">Withdrawn</StatusIndicator>;
  }
  return <StatusIndicator type="in-progress">In progress</StatusIndicator>;
}

export function EnabledStatus({ enabled }: { enabled: boolean }) {
  return enabled ? <StatusIndicator>Enabled</StatusIndicator> : <StatusIndicator type="stopped">Disabled</StatusIndicator>;
}
