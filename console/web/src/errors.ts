// What can go wrong between the console and Warmfront, and how it is said.

// SignedOut: there is no session; the sign-in page is shown.
export class SignedOut extends Error {
  override name = "SignedOut";
  constructor() {
    super("Your session has ended. Sign in again.");
  }
}

// Unreachable: nobody answered, or only a proxy did. It is worth trying again.
export class Unreachable extends Error {
  override name = "Unreachable";
  readonly told: boolean; // Warmfront has said itself what it cannot do, and so whether it was done
  constructor(cause: unknown) {
    const told = cause instanceof Refused && cause.code !== unnamed;
    super(told ? cause.message : "Warmfront does not answer.", { cause });
    this.told = told;
  }
}

// Refused: Warmfront's own API answered with an error.
export class Refused extends Error {
  override name = "Refused";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter?: number, // seconds
  ) {
    super(message);
  }
}

const unnamed = "Error"; // the code of what is no error of ours, as of a proxy

// refusal reads the error that one of the two APIs answered with.
export async function refusal(response: Response): Promise<Refused> {
  const body = parsed(await response.text().catch(() => ""));
  const after = Number(response.headers.get("retry-after")) || undefined;
  return new Refused(response.status, body.code ?? unnamed, body.message ?? response.statusText, after);
}

function parsed(text: string): { code?: string | undefined; message?: string | undefined } {
  if (!text.startsWith("<")) {
    try {
      return JSON.parse(text) as { code?: string };
    } catch {
      return {};
    }
  }
  const inside = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  const plain = inside("Message")?.replace(/&(#34|quot|#39|apos|lt|gt|amp);/g, (_, e: string) => entities[e] ?? "");
  return { code: inside("Code"), message: plain };
}

const entities: Record<string, string> = { "#34": '"', quot: '"', "#39": "'", apos: "'", lt: "<", gt: ">", amp: "&" };

const staleCodes = ["InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "Unauthenticated", "RequestExpired"];

// isStaleKey tells that the server does not take the key, or not any more.
export function isStaleKey(e: unknown): boolean {
  return e instanceof Error && staleCodes.includes(e instanceof Refused ? e.code : e.name);
}

export function isAborted(e: unknown): boolean {
  return e instanceof Error && e.name === "AbortError";
}

// code is CloudFront's or our own API's name for the error.
export function code(e: unknown): string {
  if (e instanceof Refused) return e.code;
  return e instanceof Error ? e.name : "";
}

const said: Record<string, string> = {
  PreconditionFailed:
    "Somebody else has changed this distribution since you opened it. Reload to see the newest configuration, and make your change again.",
  InvalidIfMatchVersion: "The version that you edited is not known any more. Reload, and make your change again.",
  AccessDenied: "Your role does not allow this.",
  Throttling: "Too many requests at once. Wait a moment.",
  DistributionNotDisabled: "The distribution must be disabled, and every edge must have heard of it, before it can be deleted.",
};

// explain says an error in a sentence for people.
export function explain(e: unknown): string {
  const own = said[code(e)];
  const message = e instanceof Error ? e.message : String(e);
  if (!own) return message || code(e);
  return code(e) === "AccessDenied" && message ? `${own} ${message}` : own;
}

const titles: Record<string, string> = {
  Unreachable: "Warmfront does not answer",
  NoSuchDistribution: "There is no such distribution",
  NoSuchInvalidation: "There is no such invalidation",
  NotFound: "Not found",
  AccessDenied: "Not allowed",
  PreconditionFailed: "Changed by somebody else",
};

export function title(e: unknown): string {
  return titles[code(e)] ?? "That did not work";
}
