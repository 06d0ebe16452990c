import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import RadioGroup from "@cloudscape-design/components/radio-group";
import type { Mode } from "../../own";

// ModeField chooses what edges do with what is matched; preset is what the distribution does by itself.
export function ModeField({ mode, preset, change }: { mode: Mode; preset: Mode; change: (m: Mode) => void }) {
  const name = (m: Mode, text: string) => (m === preset ? `${text} (this distribution's default)` : text);
  return (
    <Container>
      <FormField label="What is matched">
        <RadioGroup
          value={mode}
          onChange={(e) => change(e.detail.value as Mode)}
          items={[
            { value: "remove", label: name("remove", "Remove"), description: "Nothing older is shown once it is Completed. The next viewer waits for the origin." },
            {
              value: "stale",
              label: name("stale", "Mark stale"),
              description: "Nobody waits: each object is shown until its first revalidation, which begins when it is asked for.",
            },
          ]}
        />
      </FormField>
    </Container>
  );
}
