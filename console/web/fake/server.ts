// A Warmfront for development and tests: the same wire as the real one, an invented world behind it.

import { cloudfront } from "./cloudfront";
import { Gate } from "./gate";
import { type Request, type Response, Refusal, json } from "./http";
import { operations } from "./operations";
import { own } from "./own";
import { World } from "./world";

const writes = /^(POST|PUT|DELETE)$/;
const administration = /\/v1\/(users|access-keys)(\/|$)/;
const readsByPost = /\/(preview|explain|verify)$/;

export class Fake {
  gate = new Gate();
  world: World;
  down = false; // as behind a proxy whose server is gone
  slow = 0; // milliseconds that every answer takes

  constructor(distributions = 0) {
    this.world = new World(distributions);
  }

  // handles tells whether the fake answers this path; all others are the app's.
  static handles(path: string): boolean {
    return path.startsWith("/2020-05-31/") || path.startsWith("/warmfront/v1/");
  }

  async answer(request: Request): Promise<Response> {
    if (this.down) return { status: 503, headers: {}, body: "" };
    if (this.slow) await new Promise((r) => setTimeout(r, this.slow));
    try {
      return await this.dispatch(request);
    } catch (e) {
      if (e instanceof Refusal) return json(e.status, { code: e.code, message: e.message });
      throw e;
    }
  }

  private async dispatch(request: Request): Promise<Response> {
    if (request.url.pathname === "/warmfront/v1/session") return this.gate.session(request);
    const xml = request.url.pathname.startsWith("/2020-05-31/");
    let who;
    try {
      who = await this.gate.admit(request);
      if (who.role !== "administrator" && administration.test(request.url.pathname)) throw new Refusal(403, "AccessDenied", "Only administrators may.");
      if (who.role === "viewer" && writes.test(request.method) && !readsByPost.test(request.url.pathname)) {
        throw new Refusal(403, "AccessDenied", "A viewer may not do this.");
      }
    } catch (e) {
      if (!xml) throw e;
      return cloudfront(request, new Proxy({}, { get: () => () => { throw e; } }));
    }
    const by = { user: who.user, accessKey: who.accessKey, address: "127.0.0.1" };
    if (xml) return cloudfront(request, operations(this.world, by));
    if (request.url.pathname === "/warmfront/v1/events") return this.events();
    return own(this.world, by, request);
  }

  private events(): Response {
    return {
      status: 200,
      headers: { "content-type": "text/event-stream" },
      body: (write) => {
        write(": hello\n\n");
        const beat = setInterval(() => write(": beat\n\n"), 15_000);
        const stop = this.world.listen((c) => !this.down && write(`event: change\ndata: ${JSON.stringify(c)}\n\n`));
        return () => (clearInterval(beat), stop());
      },
    };
  }
}
