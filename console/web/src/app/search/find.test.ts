import { expect, test } from "vitest";
import type { Row } from "../../distributions";
import { type Catalog, find, looksLikeInvalidation } from "./find";

const row = (id: string, more: Partial<Row> = {}): Row => ({
  id,
  description: "",
  domain: `${id.toLowerCase()}.localhost`,
  aliases: [],
  origins: [],
  enabled: true,
  deploying: false,
  modified: undefined,
  ...more,
});

const catalog: Catalog = {
  distributions: [
    row("E1AAAAAAAAAAAA", { description: "Shop" }),
    row("E2BBBBBBBBBBBB", { aliases: ["www.shop.example"] }),
    row("E3CCCCCCCCCCCC", { origins: ["origin.example.net"] }),
    ...Array.from({ length: 50 }, (_, i) => row(`E9${i}`, { description: "Customer" })),
  ],
  invalidations: [{ id: "I2J0I21PCUYOIK", distribution: "E1AAAAAAAAAAAA", at: "" }],
};

const ids = (text: string) => find(text, catalog).distributions.map((h) => h.text);

test("distributions are found by id, domain, alias, description and origin, the best first", () => {
  expect(ids("e2bbbbbbbbbbbb")).toEqual(["E2BBBBBBBBBBBB"]);
  expect(ids("e3cccccccccccc.localhost")).toEqual(["E3CCCCCCCCCCCC"]);
  expect(ids("shop")).toEqual(["E1AAAAAAAAAAAA", "E2BBBBBBBBBBBB"]);
  expect(ids("example.net")).toEqual(["E3CCCCCCCCCCCC"]);
  expect(ids("customer")).toHaveLength(8);
});

test("pages are found by other words too", () => {
  expect(find("hit ratio", catalog).pages[0]?.href).toBe("/monitoring");
  expect(find("cloudfront", catalog).pages[0]?.href).toBe("/distributions");
  expect(find("", catalog).pages.length).toBeGreaterThan(3);
});

test("invalidations are found by a part of their id", () => {
  expect(find("i2j0", catalog).invalidations[0]?.href).toBe("/distributions/E1AAAAAAAAAAAA/invalidations/I2J0I21PCUYOIK");
  expect(looksLikeInvalidation(" I2J0I21PCUYOIK ")).toBe(true);
  expect(looksLikeInvalidation("Images")).toBe(false);
});
