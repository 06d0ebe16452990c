// Generates the Go package cloudfront/wire from the schema that
// @aws-sdk/client-cloudfront carries as data. Run by `make generate`;
// `make test` fails when the committed result differs.
//
// Schema forms (see @smithy/core/schema):
//   [9, ns, name, {http: [method, uri, status]}, () => input, () => output]   operation
//   [3, ns, name, traits, memberNames, memberSchemas, requiredCount]          structure
//   [-3, ...same]                                                             error
//   [4, ...same]                                                              union
//   [1, ns, name, traits, itemSchema]                                         list
// A member's schema is `schema` or `[schema, traits]`; simple schemas are
// numbers: 0 string, 1 number, 2 boolean, 4..7 timestamp, 21/42 blob, 64|n list of n.
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const sdk = require("@aws-sdk/client-cloudfront");
const version = require("./package.json").dependencies["@aws-sdk/client-cloudfront"];
const out = join(dirname(fileURLToPath(import.meta.url)), "../../cloudfront/wire");

// The schema knows "number" only; these members are not integers.
const floats = new Set(["ContinuousDeploymentSingleWeightConfig.Weight", "ResponseHeadersPolicyServerTimingHeadersConfig.SamplingRate"]);

const schemas = Object.entries(sdk).filter(([k, v]) => k.endsWith("$") && Array.isArray(v)).map(([, v]) => v);
const byName = (a, b) => (a[2] < b[2] ? -1 : 1);
const operations = schemas.filter((s) => s[0] === 9).sort(byName);
const structs = schemas.filter((s) => (s[0] === 3 || s[0] === 4) && s[2] !== "__Unit").sort(byName);
const errors = schemas.filter((s) => s[0] === -3 && s[3].httpError).sort(byName);

const resolve = (s) => (typeof s === "function" ? s() : s);
// Traits come as an object or as a bit set (1 httpLabel, 16 httpPayload).
const traits = (t) => (typeof t === "number" ? { ...(t & 1 && { httpLabel: 1 }), ...(t & 16 && { httpPayload: 1 }) } : t ?? {});
// A member [schema, traits] against a bare schema: a bare one that is an array starts with a number and a namespace.
function member(m) {
  if (Array.isArray(m) && typeof m[1] !== "string") return { schema: resolve(m[0]), ...traits(m[1]) };
  return { schema: resolve(m) };
}
const exported = (n) => n[0].toUpperCase() + n.slice(1);

function scalar(schema, where) {
  switch (schema) {
    case 0: return "string";
    case 1: return floats.has(where) ? "float64" : "int64";
    case 2: return "bool";
    case 4: case 5: case 6: case 7: return "Timestamp";
    case 21: case 42: return "Blob";
  }
  if (Array.isArray(schema) && schema[0] === 0) return scalar(schema[4], where); // named simple type
  if (Array.isArray(schema) && (schema[0] === 3 || schema[0] === 4)) return schema[2];
  throw new Error(`unknown schema ${JSON.stringify(schema)} at ${where}`);
}

// goType gives [Go type, XML path of the member].
function goType(m, name, where) {
  const s = m.schema;
  const tag = m.xmlName ?? name;
  if (typeof s === "number" && s & 64) return [`[]${scalar(s & ~64, where)}`, `${tag}>member`];
  if (Array.isArray(s) && s[0] === 1) {
    const item = member(s[4]);
    return [`[]${scalar(item.schema, where)}`, m.xmlFlattened ? tag : `${tag}>${item.xmlName ?? "member"}`];
  }
  const t = scalar(s, where);
  return [t === "Blob" ? "Blob" : `*${t}`, tag];
}

function structure(s) {
  const [, , name, , names, members, required = 0] = s;
  const lines = names.map((n, i) => {
    const m = member(members[i]);
    const [type, path] = goType(m, n, `${name}.${n}`);
    const outside = m.httpLabel || m.httpQuery || m.httpHeader || m.httpPayload;
    const xml = outside ? "-" : `${path},omitempty`;
    const note = m.httpQuery ? ` // query ${m.httpQuery}` : m.httpHeader ? ` // header ${m.httpHeader}` : m.httpLabel ? " // path" : m.httpPayload ? " // payload" : i < required ? " // required" : "";
    return `\t${exported(n)} ${type} \`xml:"${xml}" json:"${n},omitempty"\`${note}`;
  });
  return `// ${name} is CloudFront's shape of that name.\ntype ${name} struct {\n${lines.join("\n")}\n}\n`;
}

function operation(op) {
  const [, , name, t, input, output] = op;
  const [method, uri, status] = t.http;
  const [path, query = ""] = uri.split("?");
  const side = (schema) => {
    const s = resolve(schema);
    if (!Array.isArray(s) || s[0] !== 3 || s[2] === "__Unit") return { root: "", member: "", type: "", query: [], ifMatch: "" };
    const ms = s[4].map((n, i) => [n, member(s[5][i]), i < (s[6] ?? 0)]);
    const payload = ms.find(([, m]) => m.httpPayload);
    const inBody = ms.some(([, m]) => !m.httpLabel && !m.httpQuery && !m.httpHeader && !m.httpPayload);
    const etag = ms.find(([, m]) => m.httpHeader === "If-Match");
    return {
      root: payload ? payload[1].xmlName ?? (Array.isArray(payload[1].schema) ? payload[1].schema[2] : payload[0]) : inBody ? s[2] : "",
      type: payload ? (Array.isArray(payload[1].schema) ? payload[1].schema[2] : "Blob") : inBody ? s[2] : "",
      query: ms.filter(([, m]) => m.httpQuery).map(([, m]) => m.httpQuery),
      ifMatch: etag ? (etag[2] ? "required" : "optional") : "",
    };
  };
  const i = side(input), o = side(output);
  const q = (l) => (l.length ? `[]string{${l.map((x) => JSON.stringify(x)).join(", ")}}` : "nil");
  return `\t{Name: ${JSON.stringify(name)}, Method: ${JSON.stringify(method)}, Path: ${JSON.stringify(path.replace("/2020-05-31", ""))}, FixedQuery: ${JSON.stringify(query)}, Status: ${status}, Request: ${JSON.stringify(i.root)}, Response: ${JSON.stringify(o.root)}, Query: ${q(i.query)}, IfMatch: ${JSON.stringify(i.ifMatch)}},`;
}

const head = (what) => `// Code generated by tools/wiregen from @aws-sdk/client-cloudfront ${version}. DO NOT EDIT.\n\npackage wire\n\n${what}`;
const required = structs
  .filter((s) => (s[6] ?? 0) > 0)
  .map((s) => `\t${JSON.stringify(s[2])}: {${s[4].slice(0, s[6]).map((n) => JSON.stringify(exported(n))).join(", ")}},`);
const enums = Object.entries(sdk).filter(([k, v]) => /^[A-Z]/.test(k) && v && typeof v === "object" && !Array.isArray(v)
  && Object.values(v).length > 0 && Object.values(v).every((x) => typeof x === "string")).sort(([a], [b]) => (a < b ? -1 : 1));

const files = {
  "types.gen.go": head(structs.map(structure).join("\n")),
  "operations.gen.go": head(`// Operations lists every operation of the API version, by name.\nvar Operations = []Operation{\n${operations.map(operation).join("\n")}\n}\n`),
  "errors.gen.go": head(`// ErrorStatus gives the HTTP status of each modelled error code.\nvar ErrorStatus = map[string]int{\n${errors.map((e) => `\t${JSON.stringify(e[2])}: ${e[3].httpError},`).join("\n")}\n}\n`),
  "required.gen.go": head(`// Required lists the required members of each structure that has some.\nvar Required = map[string][]string{\n${required.join("\n")}\n}\n`),
  "enums.gen.go": head(enums.map(([k, v]) => `// ${k}Values are the values that the model lists for ${k}.\nvar ${k}Values = []string{${Object.values(v).map((x) => JSON.stringify(x)).join(", ")}}\n`).join("\n")),
};
mkdirSync(out, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const path = join(out, name);
  const formatted = execFileSync("gofmt", { input: text, encoding: "utf8", maxBuffer: 1 << 26 });
  // What is as it should be is not touched: others may be building it.
  if (!existsSync(path) || readFileSync(path, "utf8") !== formatted) writeFileSync(path, formatted);
}
console.log(`wire: ${operations.length} operations, ${structs.length} structures, ${errors.length} errors, ${enums.length} enumerations`);
