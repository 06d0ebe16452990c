// What a distribution says of its certificate and of the TLS that viewers must speak.

import type { MinimumProtocolVersion, ViewerCertificate } from "@aws-sdk/client-cloudfront";

export interface CertificateDraft {
  name: string; // an ARN of ACM or an id of IAM; empty: the default certificate
  security: string;
}

// securities are the security policies, newest first.
export const securities = ["TLSv1.3_2025", "TLSv1.2_2025", "TLSv1.2_2021", "TLSv1.2_2019", "TLSv1.2_2018", "TLSv1.1_2016", "TLSv1_2016", "TLSv1"];

const unnamed = "TLSv1"; // of the default certificate, whatever is sent
const usual = "TLSv1.2_2021";

export function certificateDraft(c: ViewerCertificate | undefined): CertificateDraft {
  const name = c?.ACMCertificateArn || c?.IAMCertificateId || "";
  return { name, security: name ? (c?.MinimumProtocolVersion ?? unnamed) : usual };
}

export function certificateProblem({ name }: CertificateDraft): string | undefined {
  const text = name.trim();
  if (text.includes(":") && !/^arn:.*:acm:/.test(text)) return "The ARN of a certificate of ACM, as in arn:aws:acm:us-east-1:…, or the id of one of IAM.";
  return undefined;
}

// certificateOf is what is sent: what was there, as long as nothing has changed.
export function certificateOf(draft: CertificateDraft, before: ViewerCertificate | undefined): ViewerCertificate | undefined {
  const name = draft.name.trim();
  const was = certificateDraft(before);
  if (name === was.name && (name === "" || draft.security === was.security)) return before;
  if (name === "") return { CloudFrontDefaultCertificate: true };
  return {
    CloudFrontDefaultCertificate: false,
    ...(name.startsWith("arn:") ? { ACMCertificateArn: name } : { IAMCertificateId: name }),
    SSLSupportMethod: "sni-only",
    MinimumProtocolVersion: draft.security as MinimumProtocolVersion,
  };
}
