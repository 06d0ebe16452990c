import type { DistributionConfig, HttpVersion, PriceClass } from "@aws-sdk/client-cloudfront";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import Toggle from "@cloudscape-design/components/toggle";
import { useState } from "react";
import { certificateDraft, certificateOf, certificateProblem } from "../../certificates";
import { EditPage, type Frame } from "../../parts/forms/EditPage";
import { Certificate } from "./Certificate";

const classes = [
  { value: "PriceClass_All", label: "Use all edge locations (best performance)" },
  { value: "PriceClass_200", label: "Price class 200" },
  { value: "PriceClass_100", label: "Price class 100" },
];

const versions = [
  { value: "http2", label: "HTTP/2" },
  { value: "http2and3", label: "HTTP/2 and HTTP/3" },
  { value: "http3", label: "HTTP/3, without HTTP/2" },
  { value: "http1.1", label: "HTTP/1.1 only" },
];

export default function Settings() {
  return (
    <EditPage title="Edit settings" tab="">
      {({ config }, save, frame) => <Fields config={config} save={save} frame={frame} />}
    </EditPage>
  );
}

interface Props {
  config: DistributionConfig;
  save: (config: DistributionConfig, done: string) => void;
  frame: Frame;
}

function Fields({ config, save, frame }: Props) {
  const [draft, setDraft] = useState({
    comment: config.Comment ?? "",
    aliases: (config.Aliases?.Items ?? []).join("\n"),
    root: config.DefaultRootObject ?? "",
    price: config.PriceClass ?? "PriceClass_All",
    version: config.HttpVersion ?? "http2",
    ipv6: config.IsIPV6Enabled ?? false,
    tagHeader: config.CacheTagConfig?.HeaderName ?? "",
  });
  const [certificate, setCertificate] = useState(() => certificateDraft(config.ViewerCertificate));
  const [tried, setTried] = useState(false);
  const change = (part: Partial<typeof draft>) => setDraft((d) => ({ ...d, ...part }));
  const wrongRoot = draft.root.startsWith("/") ? "Without a slash in front, as in index.html." : undefined;
  const wrongComment = draft.comment.length > 128 ? "At most 128 characters." : undefined;
  const wrongCertificate = certificateProblem(certificate);

  const submit = () => {
    setTried(true);
    if (wrongRoot || wrongComment || wrongCertificate) return;
    const shown = certificateOf(certificate, config.ViewerCertificate);
    const names = draft.aliases.split(/[\s,]+/).filter(Boolean);
    const { CacheTagConfig: _tag, ...rest } = config;
    save(
      {
        ...rest,
        Comment: draft.comment,
        Aliases: { Quantity: names.length, ...(names.length > 0 && { Items: names }) },
        DefaultRootObject: draft.root.trim(),
        PriceClass: draft.price as PriceClass,
        HttpVersion: draft.version as HttpVersion,
        IsIPV6Enabled: draft.ipv6,
        ...(shown && { ViewerCertificate: shown }),
        ...(draft.tagHeader.trim() && { CacheTagConfig: { HeaderName: draft.tagHeader.trim() } }),
      },
      "Saved the settings",
    );
  };
  return frame(
    <SpaceBetween size="l">
      <FormField label={<>Description <i>- optional</i></>} errorText={tried && wrongComment}>
        <Input value={draft.comment} onChange={(e) => change({ comment: e.detail.value })} />
      </FormField>
      <FormField label={<>Alternate domain names (CNAME) <i>- optional</i></>} description="One per line. Requests for these names are answered by this distribution.">
        <Textarea value={draft.aliases} rows={3} spellcheck={false} placeholder="www.example.com" onChange={(e) => change({ aliases: e.detail.value })} />
      </FormField>
      <FormField label={<>Default root object <i>- optional</i></>} description="The object that answers a request for /." errorText={tried && wrongRoot}>
        <Input value={draft.root} placeholder="index.html" onChange={(e) => change({ root: e.detail.value })} />
      </FormField>
      <FormField
        label={<>Cache tag header <i>- optional</i></>}
        description="The header in which the origin gives each object’s tags. Objects can then be invalidated by #tag. Left empty, there are no tags."
      >
        <Input value={draft.tagHeader} placeholder="x-amz-meta-cache-tag" onChange={(e) => change({ tagHeader: e.detail.value })} />
      </FormField>
      <Certificate draft={certificate} change={(part) => setCertificate((c) => ({ ...c, ...part }))} wrong={tried ? wrongCertificate : undefined} />
      <FormField label="Supported HTTP versions" description="HTTP/2 and HTTP/3 are spoken over HTTPS. HTTP/3 needs UDP; answers tell viewers where it is. HTTP/1.1 is always spoken.">
        <RadioGroup items={versions} value={draft.version.toLowerCase()} onChange={(e) => change({ version: e.detail.value as HttpVersion })} />
      </FormField>
      <FormField label="Price class" description="Kept for your tools; every edge location of a Warmfront is its operator’s own.">
        <Select
          options={classes}
          selectedOption={classes.find((c) => c.value === draft.price) ?? classes[0]!}
          onChange={(e) => change({ price: e.detail.selectedOption.value as PriceClass })}
        />
      </FormField>
      <Toggle checked={draft.ipv6} onChange={(e) => change({ ipv6: e.detail.checked })}>IPv6</Toggle>
    </SpaceBetween>,
    submit,
  );
}
