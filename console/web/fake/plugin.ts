// The fake inside Vite: `npm run dev` and the preview of a build answer the APIs themselves. With
// WARMFRONT_URL set they pass them on to a real Warmfront instead.

import { type IncomingMessage, type ServerResponse, request as passOn } from "node:http";
import type { Connect, Plugin } from "vite";
import { Fake } from "./server";

// policy is what the binary sends with every page.
export const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export function fakeServer(fake = new Fake()): Plugin {
  const real = process.env["WARMFRONT_URL"];
  const serve: Connect.NextHandleFunction = (req, res, next) => {
    if (!Fake.handles(req.url ?? "")) return next();
    if (real) return forward(real, req, res);
    answer(fake, req, res).catch(next);
  };
  return {
    name: "fake-server",
    configureServer(server) {
      server.middlewares.use(serve);
    },
    configurePreviewServer(server) {
      server.middlewares.use((_, res, next) => (res.setHeader("content-security-policy", policy), next()));
      server.middlewares.use(serve);
    },
  };
}

async function answer(fake: Fake, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const headers = Object.fromEntries(Object.entries(req.headers).map(([k, v]) => [k, String(v)]));
  const response = await fake.answer({
    method: req.method ?? "GET",
    url: new URL(req.url ?? "/", `http://${headers["host"]}`),
    headers,
    body: Buffer.concat(chunks).toString(),
  });
  res.writeHead(response.status, response.headers);
  if (typeof response.body === "string") {
    res.end(response.body);
    return;
  }
  res.on("close", response.body((chunk) => res.write(chunk)));
}

function forward(real: string, req: IncomingMessage, res: ServerResponse): void {
  const out = passOn(new URL(req.url ?? "/", real), { method: req.method, headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  out.on("error", () => res.writeHead(502).end());
  req.pipe(out);
}
