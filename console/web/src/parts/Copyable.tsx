import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";

// Copyable is a text with a button that copies it.
export function Copyable({ text, what }: { text: string; what: string }) {
  return (
    <CopyToClipboard
      variant="inline"
      textToCopy={text}
      copyButtonAriaLabel={`Copy ${what}`}
      copySuccessText="Copied"
      copyErrorText="Could not copy"
    />
  );
}
