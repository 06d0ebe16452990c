import { describe, expect, test } from "vitest";
import { check, hasLiteralAsterisk, lines, maxPath, maxTag, typed } from "./paths";

describe("typed", () => {
  test.each([
    ["", ""],
    ["  ", ""],
    ["*", "/*"],
    [" images/*\r", "/images/*"],
    ["/images/*", "/images/*"],
    ["?q", "/?q"],
    [" #Tag ", "#Tag"],
    ["C:/x", "C:/x"],
    ["http://a.test/b*", "http://a.test/b*"],
  ])("%j means %j", (line, want) => expect(typed(line)).toBe(want));
});

describe("check", () => {
  test.each([
    "/", "/a.png", "/a.png?v=2", "/a.png?v=2&w=?", "/caf%C3%A9", "/a%2Ab", "/a%5Bb", "/A!$&'()+,-.:;=@_", "//", "/../x",
    "/*", "/images/*", "/*.css", "/a/*/b*.js", "/**", "#tag", "#Product:Shoes*?~#%",
    "/" + "a".repeat(maxPath - 1), "#" + "x".repeat(maxTag),
  ])("takes %.40j", (item) => expect(check(item)).toBeUndefined());

  test.each([
    ["", "empty", "/images/*"],
    ["C:/Program Files/Git/images/*", "windows-path", "host name"],
    ["d:\\images", "windows-path", ""],
    ["https://example.com/images/*", "full-url", "follows the host name"],
    ["/" + "a".repeat(maxPath), "too-long", "end it with *"],
    ["/~user/*", "tilde", ""],
    ["/%7Euser/*", "tilde", ""],
    ["/%7euser/*", "tilde", ""],
    ["/a b", "unsafe-character", 'Write " " as %20.'],
    ["/a\u0000", "unsafe-character", "%00"],
    ["/a\x7f", "unsafe-character", "%7F"],
    ['/a"', "unsafe-character", "%22"],
    ["/a?ids[]=1", "unsafe-character", '"[" as %5B'],
    ["/a\\b", "unsafe-character", "%5C"],
    ["/a|b", "unsafe-character", "%7C"],
    ["/{x}", "unsafe-character", "%7B"],
    ["/^`", "unsafe-character", "%5E"],
    ["/café", "not-ascii", '"é" as %C3%A9'],
    ["/a#b", "fragment", "write %23"],
    ["/100%", "bad-escape", "Write %25"],
    ["/a%4", "bad-escape", ""],
    ["/a%zz", "bad-escape", ""],
    ["#", "tag-empty", ""],
    ["#" + "x".repeat(maxTag + 1), "tag-too-long", ""],
    ["# a", "tag-character", ""],
    ["#é", "tag-character", ""],
    ["#a,b", "tag-comma", "item of its own"],
  ])("refuses %.40j: %s", (item, reason, hint) => {
    const problem = check(item);
    expect(problem?.reason).toBe(reason);
    expect(problem?.hint).toContain(hint);
  });

  test.each([
    ["https://example.com/images/*", "/images/*"],
    ["https://example.com", "/"],
    ["https://example.com?x", "/?x"],
    ["/a b/ü", "/a%20b/%C3%BC"],
    ["/100%", "/100%25"],
    ["/a#b", "/a"],
    ["#a, b", "#a\n#b"],
  ])("mends %j", (item, fix) => {
    expect(check(item)?.fix).toBe(fix);
    for (const line of fix.split("\n")) expect(check(line)).toBeUndefined();
  });
});

describe("lines", () => {
  test("numbers them as they stand, leaves out blank ones", () => {
    const [first, second] = lines("images/*\n\n  /a b", false);
    expect(first).toEqual({ number: 1, typed: "images/*", item: "/images/*" });
    expect(second?.number).toBe(3);
    expect(second?.problem?.reason).toBe("unsafe-character");
  });

  test("points out a literal asterisk where there are any", () => {
    expect(lines("/*.css", true)[0]?.warning).toContain("literal");
    expect(lines("/*.css", false)[0]?.warning).toBeUndefined();
    expect(lines("/a*", true)[0]?.warning).toBeUndefined();
    expect(hasLiteralAsterisk("#a*b")).toBe(false);
  });
});
