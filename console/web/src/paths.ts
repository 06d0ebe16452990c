// The language of invalidation items, checked as a person types: the same grammar, reasons and hints
// as the Go package invalidation, which has the last word.

export const maxPath = 4000;
export const maxTag = 256;

export interface Problem {
  reason: string;
  what: string;
  hint: string;
  fix?: string; // the line as it was probably meant
}

export interface Line {
  number: number; // in the text area, from 1
  typed: string;
  item: string; // what will be sent
  problem?: Problem;
  warning?: string;
}

// typed returns the line that a person meant: no blanks around it, the leading slash added, which
// consoles let one leave out.
export function typed(line: string): string {
  const text = line.trim();
  if (text === "" || text.startsWith("/") || text.startsWith("#") || isWindows(text) || isURL(text)) return text;
  return "/" + text;
}

// lines reads the text area: blank lines are left out.
export function lines(text: string, awsWildcards: boolean): Line[] {
  const all: Line[] = [];
  text.split("\n").forEach((raw, i) => {
    const item = typed(raw);
    if (item === "") return;
    const problem = check(item);
    const line: Line = { number: i + 1, typed: raw, item };
    if (problem) line.problem = problem;
    else if (awsWildcards && hasLiteralAsterisk(item)) line.warning = literalAsterisk;
    all.push(line);
  });
  return all;
}

export const literalAsterisk =
  "Under the tag warmfront:wildcards=aws a * that is not the last character is a literal asterisk, as with CloudFront. This line matches nothing else.";

export function hasLiteralAsterisk(item: string): boolean {
  if (item.startsWith("#")) return false;
  const i = item.indexOf("*");
  return i >= 0 && i < item.length - 1;
}

// check returns why the item is refused, or nothing.
export function check(item: string): Problem | undefined {
  if (item === "") return { reason: "empty", what: "the item is empty", hint: "Give a path such as /images/*, or a tag such as #news." };
  return item.startsWith("#") ? checkTag(item) : checkPath(item);
}

function checkTag(item: string): Problem | undefined {
  const tag = item.slice(1);
  if (tag === "") return { reason: "tag-empty", what: "there is no tag after #", hint: "Write the tag right after #, as in #news." };
  const { length } = new TextEncoder().encode(tag);
  if (length > maxTag) {
    return { reason: "tag-too-long", what: `the tag has more than ${maxTag} characters`, hint: "Objects do not carry tags as long as this; shorten it." };
  }
  if (/^[\x21-\x7e]*,/.test(tag)) {
    return {
      reason: "tag-comma",
      what: "the tag contains a comma",
      hint: "A comma parts tags: give each tag as an item of its own.",
      fix: tag.split(",").map((t) => "#" + t.trim().replace(/^#/, "")).join("\n"),
    };
  }
  if (/[^\x21-\x7e]/.test(tag)) {
    return {
      reason: "tag-character",
      what: "the tag contains a blank, a control character or one that is not ASCII",
      hint: "Use the tag as the origin sends it: only ASCII letters, digits and signs, without blanks.",
    };
  }
  return undefined;
}

// unsafeButSent are the characters that an item must not contain raw while viewers' requests may.
const unsafeButSent = '"<>[\\]^`{|}';

function checkPath(item: string): Problem | undefined {
  if (!item.startsWith("/")) {
    if (isWindows(item)) {
      return {
        reason: "windows-path",
        what: "this is a path of a Windows machine",
        hint: "A shell rewrote the path. Give only what follows the host name, beginning with /.",
      };
    }
    return {
      reason: "full-url",
      what: "this is a whole URL",
      hint: "Give only what follows the host name, beginning with /.",
      fix: item.replace(/^[a-z]+:\/\/[^/?#]*/i, "").replace(/^(?!\/)/, "/"),
    };
  }
  if (new TextEncoder().encode(item).length > maxPath) {
    return { reason: "too-long", what: `the path has more than ${maxPath} characters`, hint: "Shorten the path and end it with *." };
  }
  return checkCharacters(item);
}

function checkCharacters(item: string): Problem | undefined {
  for (let i = 0; i < item.length; i++) {
    const c = item[i]!;
    if (c === "~" || /^%7e/i.test(item.slice(i, i + 3))) {
      return { reason: "tilde", what: "a path with ~ or %7E cannot be invalidated", hint: "Put * in the place of the tilde, or end the path with * before it." };
    }
    if (c === "%" && !/^%[0-9a-f]{2}/i.test(item.slice(i))) {
      return {
        reason: "bad-escape",
        what: "a percent sign is not followed by two hexadecimal digits",
        hint: "Write %25 for a percent sign.",
        fix: item.replace(/%(?![0-9a-f]{2})/gi, "%25"),
      };
    }
    if (c === "#") {
      return {
        reason: "fragment",
        what: "the path contains #",
        hint: "Leave out # and what follows, or write %23 if it is a part of the path; give a tag as an item of its own.",
        fix: item.slice(0, i).trimEnd(),
      };
    }
    if (c <= " " || c >= "\x7f" || unsafeButSent.includes(c)) {
      const char = String.fromCodePoint(item.codePointAt(i)!);
      return {
        reason: c > "\x7f" ? "not-ascii" : "unsafe-character",
        what: "the path contains a character that must be percent-encoded",
        hint: `Write "${char}" as ${escape(char)}.`,
        fix: encodeUnsafe(item),
      };
    }
  }
  return undefined;
}

function encodeUnsafe(item: string): string {
  return Array.from(item, (c) => (c <= " " || c >= "\x7f" || unsafeButSent.includes(c) ? escape(c) : c)).join("");
}

function escape(char: string): string {
  return Array.from(new TextEncoder().encode(char), (b) => "%" + b.toString(16).toUpperCase().padStart(2, "0")).join("");
}

function isWindows(line: string): boolean {
  return /^[a-z]:[/\\]/i.test(line);
}

function isURL(line: string): boolean {
  return /^[a-z]+:\/\//i.test(line);
}
