import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { count, plural } from "../../format";
import { Problems } from "./Problems";
import type { Checked } from "./useChecked";

interface Props {
  text: string;
  change: (text: string) => void;
  checked: Checked;
  tried: boolean;
  aws: boolean;
  most: number; // paths of an invalidation
}

export function PathEditor({ text, change, checked, tried, aws, most }: Props) {
  const { lines, problems, warnings, twice } = checked;
  const tooMany = lines.length > most;
  const slashes = lines.filter((l) => !l.problem && l.item !== l.typed.trim()).length;
  const notes = [
    `${count(lines.length)} of ${count(most)} paths`,
    slashes > 0 && `a leading / is added to ${plural(slashes, "line")}`,
    twice > 0 && `${plural(twice, "line")} given twice`,
  ].filter(Boolean);

  const replace = (fixes: Map<number, string>) => {
    change(text.split("\n").map((line, i) => fixes.get(i + 1) ?? line).join("\n"));
  };
  return (
    <Container header={<Header variant="h2">Object paths</Header>}>
      <SpaceBetween size="m">
        <FormField
          stretch
          label="Add object paths"
          description="One path per line. * stands for any characters; #tag drops all objects that carry the tag."
          constraintText={notes.join(" · ")}
          errorText={errorText(checked, tooMany ? most : undefined, tried)}
        >
          <Textarea
            value={text}
            onChange={(e) => change(e.detail.value)}
            rows={12}
            autoFocus
            spellcheck={false}
            disableBrowserAutocorrect
            placeholder={"/images/*\n/*.css\n#edition:7"}
          />
        </FormField>
        <Box fontSize="body-s" color="text-body-secondary">Ctrl+Enter creates the invalidation.</Box>
        <Problems lines={problems} replace={replace} />
        {warnings.length > 0 && (
          <Alert type="warning" header={`${plural(warnings.length, "line")} with a literal *`}>
            {warnings[0]?.warning} {warnings.length === 1 ? `Line ${warnings[0]?.number}.` : `Lines ${numbers(warnings.map((w) => w.number))}.`}
          </Alert>
        )}
        <Language aws={aws} />
      </SpaceBetween>
    </Container>
  );
}

function errorText({ lines, problems }: Checked, beyond: number | undefined, tried: boolean): string | undefined {
  if (beyond !== undefined) return `At most ${count(beyond)} paths at once. Use a wildcard, or several invalidations.`;
  if (tried && lines.length === 0) return "Add at least one path or tag.";
  if (tried && problems.length > 0) return `${plural(problems.length, "line")} cannot be used as typed.`;
  return undefined;
}

function numbers(all: number[]): string {
  return all.length > 8 ? `${all.slice(0, 8).join(", ")}, …` : all.join(", ");
}

function Language({ aws }: { aws: boolean }) {
  const rows: [string, string][] = [
    ["/images/a.png", "this object, in all its variants"],
    ["/images/*", "everything below /images/"],
    ["/a.jpg*", "a.jpg with every query string"],
    aws ? ["/*.css", "the object named *.css: here only a * at the end is a wildcard"] : ["/*.css", "all style sheets, anywhere"],
    ["#edition:7", "all objects with this cache tag"],
    ["/*", "everything of this distribution"],
  ];
  return (
    <ExpandableSection headerText="What can be written here" variant="footer">
      {rows.map(([item, says]) => (
        <div key={item}>
          <Box variant="code">{item}</Box> {says}
        </div>
      ))}
    </ExpandableSection>
  );
}
