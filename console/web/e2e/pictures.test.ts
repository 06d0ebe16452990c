// The README's pictures, from the real binary: WARMFRONT=… npm run pictures writes them to docs/.

import { expect, test } from "vitest";
import { Seat } from "./browser";
import { realWorld } from "./worlds";

test.skipIf(!process.env["PICTURES"])("pictures for the README", async () => {
  const world = await realWorld(process.env["WARMFRONT"] ?? "");
  const seat = await Seat.take(world, "pictures", { width: 1180, height: 700 });
  const { page } = seat;
  try {
    await seat.open(`/distributions/${world.distribution}/verify`);
    await seat.signIn();
    await page.getByRole("button", { name: "Close navigation" }).click();
    for (let i = 0; i < 20; i++) await world.visit();
    await page.getByLabel("Path", { exact: true }).fill("/images/hero.svg");
    await page.getByRole("button", { name: "Request through every edge" }).click();
    await page.getByText("Hit from cloudfront").nth(2).waitFor();
    await world.change();

    await page.getByRole("tab", { name: "Invalidations" }).click();
    await page.getByRole("button", { name: "Create invalidation" }).first().click();
    await page.getByLabel("Add object paths").fill("/images/*\n/*.css");
    await page.getByText("/css/site.css").waitFor();
    await expect.poll(() => page.getByText("Counting").count()).toBe(0);
    await seat.picture("console-create");

    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Applied by 3 of 3").first().waitFor();
    await expect.poll(() => page.getByText("so far").count()).toBe(0);
    await page.getByRole("button", { name: "Dismiss" }).click();
    await seat.picture("console-receipt");

    await page.setViewportSize({ width: 1180, height: 1500 });
    await page.getByLabel("Path", { exact: true }).fill("/images/hero.svg");
    await page.getByRole("button", { name: "Request through every edge" }).click();
    await page.getByText("(changed)").nth(2).waitFor();
    await seat.picture("console-verify", page.locator("form").locator("xpath=ancestor::div[.//h2[contains(., 'Verify')]][1]"));
  } finally {
    await seat.leave();
    await world.stop();
  }
});
