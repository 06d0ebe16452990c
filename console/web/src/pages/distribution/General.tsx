import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { useNavigate } from "react-router";
import { certificateDraft } from "../../certificates";
import { isolation, type Found, type Isolation } from "../../distributions";
import { Copyable } from "../../parts/Copyable";
import { EnabledStatus } from "../../parts/Status";
import { Time } from "../../parts/Time";
import { useMay } from "../../use";

const versions: Record<string, string> = {
  "http1.1": "HTTP/1.1, HTTP/1.0",
  http2: "HTTP/2, HTTP/1.1, HTTP/1.0",
  http3: "HTTP/3, HTTP/1.1, HTTP/1.0",
  http2and3: "HTTP/3, HTTP/2, HTTP/1.1, HTTP/1.0",
};

const classes: Record<string, string> = {
  PriceClass_All: "Use all edge locations (best performance)",
  PriceClass_200: "Price class 200",
  PriceClass_100: "Price class 100",
  None: "None",
};

const isolations: Record<Isolation, string> = {
  revalidate: "Revalidate each object with the origin",
  bypass: "Bypass the cache",
  fail: "Answer nothing",
  "serve-stale": "Serve what is cached, although it may have been invalidated",
};

export function General({ found: { distribution: d, config: c, tags } }: { found: Found }) {
  const navigate = useNavigate();
  const may = useMay();
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Details</Header>}>
        <KeyValuePairs
          columns={3}
          items={[
            { label: "Distribution domain name", value: <Copyable text={d.DomainName ?? ""} what="domain name" /> },
            { label: "ARN", value: <Copyable text={d.ARN ?? ""} what="ARN" /> },
            {
              label: "Last modified",
              value: d.Status === "Deployed" ? <Time at={d.LastModifiedTime} /> : <StatusIndicator type="in-progress">Deploying</StatusIndicator>,
            },
          ]}
        />
      </Container>
      <Container
        header={
          <Header variant="h2" actions={<Button disabled={!may.administer} onClick={() => navigate(`/distributions/${d.Id}/edit`)}>Edit</Button>}>
            Settings
          </Header>
        }
      >
        <KeyValuePairs
          columns={3}
          items={[
            { label: "Status", value: <EnabledStatus enabled={c.Enabled ?? false} /> },
            { label: "Description", value: c.Comment || "–" },
            { label: "Price class", value: classes[c.PriceClass ?? ""] ?? c.PriceClass ?? "–" },
            { label: "Alternate domain names", value: c.Aliases?.Items?.join(", ") || "–" },
            { label: "Supported HTTP versions", value: versions[(c.HttpVersion ?? "").toLowerCase()] ?? c.HttpVersion ?? "–" },
            { label: "Custom SSL certificate", value: certificateDraft(c.ViewerCertificate).name || "–" },
            { label: "Security policy", value: c.ViewerCertificate?.MinimumProtocolVersion ?? "TLSv1" },
            { label: "Default root object", value: c.DefaultRootObject || "–" },
            { label: "IPv6", value: c.IsIPV6Enabled ? "On" : "Off" },
            { label: "Cache tag header", value: c.CacheTagConfig?.HeaderName || "–" },
            { label: "Edges without contact to the control plane", value: isolations[isolation(tags)] },
            { label: "Invalidations in progress", value: d.InProgressInvalidationBatches ?? 0 },
          ]}
        />
      </Container>
    </SpaceBetween>
  );
}
