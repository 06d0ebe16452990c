import Box from "@cloudscape-design/components/box";

// Path is a path or a tag, which may be thousands of characters without a blank: it breaks anywhere, and beyond most it is cut.
export function Path({ text, most = Infinity }: { text: string; most?: number }) {
  return (
    <span style={{ overflowWrap: "anywhere" }} title={text.length > most ? text : undefined}>
      <Box variant="code">{short(text, most)}</Box>
    </span>
  );
}

export function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
