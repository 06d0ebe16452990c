import { expect, test } from "vitest";
import { nowhere, typedOf, whereOf } from "./WhereEditor";

test("no conditions", () => {
  expect(whereOf(nowhere)).toBeNull();
  expect(whereOf({ ...nowhere, status: " , ", time: "12:00" })).toBeNull();
  expect(typedOf(null)).toBe(nowhere);
});

test("conditions, and back", () => {
  const typed = { status: "404, 5xx", contentType: "image/*, text/css", host: "www.example.com", date: "2026-05-01", time: "12:30" };
  const where = whereOf(typed);
  expect(where).toEqual({
    status: ["404", "5xx"],
    contentType: ["image/*", "text/css"],
    host: ["www.example.com"],
    storedBefore: new Date("2026-05-01T12:30").toISOString(),
  });
  expect(typedOf(where!)).toEqual(typed);
  expect(typedOf({ ...where!, storedBefore: new Date("2026-05-01T12:29:00.001").toISOString() })).toEqual(typed);
});

test("what cannot be meant", () => {
  for (const status of ["4", "600", "4x", "40x", "404;"]) expect(whereOf({ ...nowhere, status })).toBeUndefined();
  for (const contentType of ["image", "*/*", "image/p*", "a/b/c"]) expect(whereOf({ ...nowhere, contentType })).toBeUndefined();
  for (const host of ["*.example.com", "https://a", "a:80"]) expect(whereOf({ ...nowhere, host })).toBeUndefined();
  expect(whereOf({ ...nowhere, status: "404 ".repeat(17) })).toBeUndefined();
});
