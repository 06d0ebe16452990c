// The walk of an operator, step by step, with a picture of each: in the fake world, and with WARMFRONT
// set to the binary's path in the real one.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Seat } from "./browser";
import { type World, worlds } from "./worlds";

describe.each(worlds())("the walk in the %s world", (name, start) => {
  let world: World;
  let seat: Seat;

  beforeAll(async () => {
    world = await start();
    seat = await Seat.take(world, name);
  });
  afterAll(async () => {
    await seat?.leave();
    await world?.stop();
  });

  test("sign in", async () => {
    const { page } = seat;
    await seat.open(`/distributions/${world.distribution}`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await seat.shot("01-sign-in");
    expect(await seat.barriers()).toEqual([]);
    await seat.signIn();
    await page.getByRole("heading", { name: world.distribution }).waitFor(); // the way back
  });

  test("distributions", async () => {
    const { page } = seat;
    await page.getByRole("link", { name: "Distributions" }).first().click();
    await page.getByRole("heading", { name: /^Distributions/ }).waitFor();
    await page.getByRole("link", { name: world.distribution }).waitFor();
    await seat.shot("02-distributions");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("link", { name: world.distribution }).click();
  });

  test("the distribution's tabs", async () => {
    const { page } = seat;
    await page.getByText(world.domain).first().waitFor();
    await seat.shot("03-general");
    for (const tab of ["Origins", "Behaviors", "Error pages", "Tags"]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByRole("heading", { name: tab }).waitFor();
      await seat.shot(`04-${tab.toLowerCase().replace(" ", "-")}`);
      expect(await seat.barriers()).toEqual([]);
    }
  });

  test("look at a URL before", async () => {
    const { page } = seat;
    await world.visit();
    await page.getByRole("tab", { name: "Verify" }).click();
    await page.getByLabel("Path", { exact: true }).fill("/images/hero.svg");
    const ask = page.getByRole("button", { name: "Request through every edge" });
    await ask.click();
    await page.getByText(/^(Miss|Hit) from cloudfront/).nth(2).waitFor();
    await ask.click();
    await page.getByText("Hit from cloudfront").nth(2).waitFor();
    await seat.shot("05-before");
    expect(await seat.barriers()).toEqual([]);
    await world.change(); // at the origin: edges still have what they have
  });

  test("type what to invalidate, see what it would drop", async () => {
    const { page } = seat;
    await page.getByRole("tab", { name: "Invalidations" }).click();
    await seat.shot("06-invalidations");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Create invalidation" }).first().click();
    const paths = page.getByLabel("Add object paths");
    await paths.fill("images/*\n/*.css\n/a b.html\n#edition:1");
    await page.getByText("1 line cannot be used as typed").waitFor();
    await page.getByText("a leading / is added to 1 line").waitFor();
    await page.getByText("Cached copies").waitFor();
    await seat.shot("07-typing");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Fix 1 line" }).click();
    expect(await paths.inputValue()).toContain("/a%20b.html");
    await paths.fill("/images/*\n/*.css");
    await page.getByText("/images/hero.svg").first().waitFor();
    await seat.shot("08-preview");
    await paths.press("Control+Enter");
  });

  test("In progress turns to Completed without reloading", async () => {
    const { page } = seat;
    await page.getByText("Successfully created invalidation").waitFor();
    await page.getByRole("heading", { name: "Receipt" }).waitFor();
    await seat.shot("09-in-progress");
    await page.getByText("Completed", { exact: true }).first().waitFor();
    await page.getByText("Applied by 3 of 3 edge locations").first().waitFor();
    await seat.shot("10-completed", true);
    expect(await seat.barriers()).toEqual([]);
  });

  test("prove it", async () => {
    const { page } = seat;
    await page.getByLabel("Path", { exact: true }).fill("/images/hero.svg");
    await page.getByRole("button", { name: "Request through every edge" }).click();
    await page.getByText("Miss from cloudfront").nth(2).waitFor();
    await expect.poll(() => page.getByText("(changed)").count()).toBe(3);
    await expect.poll(() => page.getByText(/of this invalidation$/).count()).toBe(3);
    await page.getByRole("button", { name: "Explain this URL" }).click();
    await page.getByText("of this one").first().waitFor();
    await seat.shot("11-verified", true);
    expect(await seat.barriers()).toEqual([]);
  });

  test("copy to new", async () => {
    const { page } = seat;
    await page.getByRole("button", { name: "Copy to new" }).click();
    await expect.poll(() => page.getByLabel("Add object paths").inputValue()).toBe("/images/*\n/*.css");
  });

  test("for later, and withdrawn", async () => {
    const { page } = seat;
    await page.getByRole("button", { name: "Why, from when on, and how fast" }).click();
    await page.getByLabel("Comment").fill("Tomorrow's edition");
    await page.getByLabel("At a time").click();
    // The day after tomorrow: by UTC's date, tomorrow has already begun where the browser is.
    await page.getByLabel("Date").fill(new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "/"));
    await seat.shot("12-schedule", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Create invalidation (Ctrl+Enter)" }).click();
    await page.getByText("Nothing has been dropped yet.").waitFor();
    await page.getByText("Tomorrow's edition").waitFor();
    await page.getByRole("link", { name: "Invalidations" }).first().click();
    await page.getByRole("row", { name: /Scheduled *[A-Z][a-z]{2} \d+, 20/ }).getByRole("link").first().click(); // the list says when
    await page.getByText("Nothing has been dropped yet.").waitFor();
    await page.getByRole("button", { name: "Withdraw" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
    await page.getByText("Withdrawn", { exact: true }).first().waitFor();
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Copy to new"); // the keyboard is not lost with the button
    await seat.shot("13-withdrawn", true);
    expect(await seat.barriers()).toEqual([]);
  });

  test("location by location, and the rest withdrawn", async () => {
    const { page } = seat;
    await page.getByRole("button", { name: "Copy to new" }).click();
    await page.getByRole("button", { name: "Why, from when on, and how fast" }).click();
    await page.getByLabel("Pace", { exact: true }).fill("20");
    await page.getByLabel("One edge location after the other").click();
    await page.getByLabel("Pause").fill("3600");
    await seat.shot("14-pace", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Create invalidation (Ctrl+Enter)" }).click();
    await page.getByText("Its turn has not come everywhere.").waitFor();
    await page.getByText("Applied by 1 of 3 edge locations").waitFor();
    await expect.poll(() => page.getByText("Its turn has not come", { exact: true }).count()).toBe(2);
    await seat.shot("15-turns", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Withdraw" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Withdraw" }).click();
    await page.getByText("Withdrawn", { exact: true }).first().waitFor();
    await page.getByText("Applied by 1 of 3 edge locations").first().waitFor();
  });

  test("marked stale", async () => {
    const { page } = seat;
    await page.getByRole("button", { name: "Copy to new" }).click();
    // With the paths comes how gently, not when.
    expect(await page.getByLabel("Pace", { exact: true }).inputValue()).toBe("20");
    await page.getByLabel("One edge location after the other").uncheck();
    await page.getByLabel("Mark stale").click();
    await page.getByText("would mark stale now").waitFor();
    await seat.shot("16-stale", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Create invalidation (Ctrl+Enter)" }).click();
    await page.getByText("Is marked stale: shown until its first revalidation").waitFor();
    await page.getByText(/Applied by 3 of 3 edge locations; .* marked stale\./).waitFor();
    expect(await seat.barriers()).toEqual([]);
  });

  test("nothing was refused or fetched from elsewhere", () => {
    expect(seat.complaints).toEqual([]);
  });
});
