import { expect, test } from "vitest";
import { certificateDraft, certificateOf, certificateProblem } from "./certificates";

const arn = "arn:aws:acm:us-east-1:000000000000:certificate/1";
const acm = { CloudFrontDefaultCertificate: false, ACMCertificateArn: arn, SSLSupportMethod: "sni-only", MinimumProtocolVersion: "TLSv1.2_2021" } as const;
const standard = { CloudFrontDefaultCertificate: true, MinimumProtocolVersion: "TLSv1", CertificateSource: "cloudfront" } as const;

test("what is not changed is sent as it came", () => {
  const old = { ...acm, Certificate: arn, CertificateSource: "acm" } as const;
  for (const c of [undefined, standard, acm, old]) expect(certificateOf(certificateDraft(c), c)).toBe(c);
});

test("a certificate brings its policy, and takes it away", () => {
  expect(certificateOf({ name: ` ${arn} `, security: "TLSv1.2_2021" }, standard)).toEqual(acm);
  expect(certificateOf({ name: arn, security: "TLSv1.3_2025" }, acm)).toEqual({ ...acm, MinimumProtocolVersion: "TLSv1.3_2025" });
  expect(certificateOf({ name: "ASCA1", security: "TLSv1" }, undefined)).toEqual({
    CloudFrontDefaultCertificate: false, IAMCertificateId: "ASCA1", SSLSupportMethod: "sni-only", MinimumProtocolVersion: "TLSv1",
  });
  expect(certificateOf({ name: "", security: "TLSv1.3_2025" }, acm)).toEqual({ CloudFrontDefaultCertificate: true });
});

test("names that are none are said", () => {
  for (const name of ["", arn, "ASCA1"]) expect(certificateProblem({ name, security: "" })).toBeUndefined();
  for (const name of ["arn:aws:iam::1:x", "https://a.test"]) expect(certificateProblem({ name, security: "" })).toContain("arn:aws:acm");
});
