// What must not be lost: what was typed, when the session ends, when somebody else is faster, when nobody answers, when a form is refused.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Seat } from "./browser";
import { type FakeWorld, fakeWorld } from "./worlds";

let world: FakeWorld;
let seat: Seat;

beforeEach(async () => {
  world = await fakeWorld();
  seat = await Seat.take(world, "lost");
});
afterEach(async () => {
  await seat?.leave();
  await world?.stop();
});

// typing opens Create invalidation and types something.
async function typing(text: string): Promise<void> {
  await seat.open(`/distributions/${world.distribution}/invalidations/create`);
  await seat.signIn();
  await seat.page.getByLabel("Add object paths").fill(text);
}

describe("when the session ends", () => {
  beforeEach(async () => {
    await typing("/typed/*\n/and/kept.html");
    world.fake.gate.expire();
    await seat.page.getByLabel("Add object paths").press("Control+Enter");
    await seat.page.getByRole("heading", { name: "Sign in" }).waitFor();
  });

  test("who signs in again goes on typing", async () => {
    const { page } = seat;
    await page.getByText("Your session has ended. What you have typed is kept").waitFor();
    expect(await page.title()).toBe("Sign in · Warmfront");
    expect(await page.getByLabel("Add object paths").isVisible()).toBe(false);
    await seat.shot("session-ended");
    expect(await seat.barriers()).toEqual([]);
    await seat.signIn();
    await page.getByLabel("Add object paths").waitFor();
    expect(await page.getByLabel("Add object paths").inputValue()).toBe("/typed/*\n/and/kept.html");
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
    expect(await page.title()).toContain("Create invalidation");
    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Successfully created invalidation").waitFor();
    await page.getByText("Applied by 3 of 3").first().waitFor();
  });

  test("somebody else does not see it", async () => {
    const { page } = seat;
    await seat.signIn(world.password, "vera");
    await page.getByLabel("Add object paths").waitFor();
    expect(await page.getByLabel("Add object paths").inputValue()).toBe("");
  });
});

test("a dialog that is open when the session ends is there again after it", async () => {
  const { page } = seat;
  await seat.open("/users");
  await seat.signIn();
  await page.getByRole("button", { name: "Create user" }).click();
  await page.getByLabel("User name").fill("anna");
  await page.getByLabel("Password").fill("long enough");
  await page.mouse.click(5, 5); // beside it
  world.fake.gate.expire();
  await page.getByRole("dialog").getByRole("button", { name: "Create user" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await page.getByRole("dialog").isVisible()).toBe(false);
  await page.getByLabel("User", { exact: true }).fill(world.user);
  await page.locator("input[name=password]").fill(world.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("dialog").waitFor();
  expect(await page.getByLabel("User name").inputValue()).toBe("anna");
  await page.getByRole("dialog").getByRole("button", { name: "Create user" }).click();
  await page.getByText("Created user anna").waitFor();
});

test("what somebody else has changed meanwhile takes nothing away from who types", async () => {
  const { page } = seat;
  await seat.open(`/distributions/${world.distribution}/edit`);
  await seat.signIn();
  await page.getByLabel(/^Description/).fill("typed and not saved");
  const stored = world.fake.world.distributions.get(world.distribution)!;
  world.fake.world.update(stored, { ...stored.config, Comment: "of somebody else" }, { user: "anna", accessKey: "", address: "" });
  world.fake.gate.expire(); // after which all pages ask again for what they show
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await seat.signIn();
  await page.getByLabel(/^Description/).waitFor();
  expect(await page.getByLabel(/^Description/).inputValue()).toBe("typed and not saved");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Changed by somebody else").waitFor();
  expect(await page.getByLabel(/^Description/).inputValue()).toBe("typed and not saved");
  await page.getByRole("button", { name: "Reload" }).click();
  await expect.poll(() => page.getByLabel(/^Description/).inputValue()).toBe("of somebody else");
});

test("a tag that somebody else sets meanwhile stays", async () => {
  const { page } = seat;
  await seat.open(`/distributions/${world.distribution}/tags`);
  await seat.signIn();
  await page.getByRole("button", { name: "Manage tags" }).click();
  await page.getByRole("button", { name: "Add new tag" }).click();
  await page.getByRole("combobox", { name: /Key/ }).last().fill("mine");
  const stored = world.fake.world.distributions.get(world.distribution)!;
  stored.tags["theirs"] = "1";
  world.fake.world.update(stored, stored.config, { user: "anna", accessKey: "", address: "" });
  await expect.poll(() => page.getByText("Deploying").count()).toBe(0);
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved tags").waitFor();
  expect(Object.keys(stored.tags)).toEqual(expect.arrayContaining(["theirs", "mine"]));
});

test("who gets no answer is told what to do, and has what was typed", async () => {
  const { page } = seat;
  await typing("/typed/*");
  world.fake.down = true;
  await page.getByRole("button", { name: "Create invalidation" }).click();
  await page.getByText("Warmfront does not answer. Create it again: it stays one invalidation.").waitFor();
  await page.getByText("keeps trying by itself").waitFor(); // of the preview, which is asked for again
  world.fake.down = false;
  await page.getByText("There is no preview").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Create invalidation" }).click();
  await page.getByText("Successfully created invalidation").waitFor();
});

test("a form that is refused shows where", async () => {
  const { page } = seat;
  await typing("/typed/*");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("placeholder") ?? "");
  await page.getByRole("button", { name: "Why, from when on, and how fast" }).click();
  await page.getByLabel("At a time").click();
  await page.getByRole("button", { name: "Why, from when on, and how fast" }).click(); // and out of sight
  await page.getByRole("button", { name: "Create invalidation" }).click();
  await page.getByText("This is needed.").waitFor();
  await expect.poll(focused).toBe("YYYY/MM/DD");
  await page.getByLabel("At once").click();
  await page.getByLabel("Add object paths").fill("");
  await page.getByRole("button", { name: "Create invalidation" }).click();
  await page.getByText("Add at least one path or tag.").waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
  expect(await seat.barriers()).toEqual([]);
});

test("older invalidations are shown", async () => {
  const { page } = seat;
  const stored = world.fake.world.distributions.get(world.distribution)!;
  const by = { user: "ci", accessKey: "", address: "" };
  for (let i = 0; i < 250; i++) world.fake.world.invalidate(stored, [`/release/${i}/*`], `r${i}`, by, 60_000 * (250 - i));
  await seat.open(`/distributions/${world.distribution}/invalidations`);
  await seat.signIn();
  await page.getByText("The last 100.").waitFor();
  await page.getByPlaceholder("Search invalidations").fill("seed-0-is-nowhere");
  await page.getByText("No matches among the last 100").waitFor();
  await page.getByRole("button", { name: "Clear filter" }).first().click();
  await page.getByRole("button", { name: "Show older" }).click();
  await page.getByText("The last 200.").waitFor();
  await page.getByRole("button", { name: "Show older" }).click();
  await page.getByText("(252)").waitFor();
  expect(await page.getByRole("button", { name: "Show older" }).count()).toBe(0);
});

test("a part that is not there is not made by editing it", async () => {
  const { page } = seat;
  await seat.open(`/distributions/${world.distribution}/origins/nowhere/edit`);
  await seat.signIn();
  await page.getByText("There is no such origin").waitFor();
  await seat.open(`/distributions/${world.distribution}/behaviors/99/edit`);
  await page.getByText("There is no such behavior").waitFor();
  expect(await page.getByRole("button", { name: /^Create/ }).count()).toBe(0);
  expect(await seat.barriers()).toEqual([]);
});
