// The little of HTTP that the fake's parts share.

export interface Request {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string;
}

export interface Response {
  status: number;
  headers: Record<string, string>;
  body: string | ((write: (chunk: string) => void) => () => void); // a stream returns how to stop it
}

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Response {
  return { status, headers: { "content-type": "application/json", ...headers }, body: value === undefined ? "" : JSON.stringify(value) };
}
