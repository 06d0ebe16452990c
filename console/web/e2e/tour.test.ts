// Around the walk: search, the life of a distribution, the pages for the operator; in both worlds.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Seat } from "./browser";
import { type World, worlds } from "./worlds";

describe.each(worlds())("the tour of the %s world", (name, start) => {
  let world: World;
  let seat: Seat;

  beforeAll(async () => {
    world = await start();
    seat = await Seat.take(world, `${name}-tour`);
    await seat.open("/distributions");
    await seat.signIn();
    await seat.page.getByRole("link", { name: world.distribution }).waitFor();
  });
  afterAll(async () => {
    await seat?.leave();
    await world?.stop();
  });

  test("search by keyboard", async () => {
    const { page } = seat;
    await page.keyboard.press("Alt+s");
    await page.keyboard.type("demonstration");
    await page.getByRole("option", { name: world.distribution }).waitFor();
    await seat.shot("01-search");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: "General" }).waitFor();
    expect(page.url()).toContain(`/distributions/${world.distribution}`);
    await page.keyboard.press("Alt+s");
    await page.keyboard.type("edge");
    await page.getByRole("option", { name: "Edge locations" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Edge locations/ }).waitFor();
  });

  test("all columns of the distributions in a window", async () => {
    const { page } = seat;
    const size = page.viewportSize()!;
    await page.setViewportSize({ width: 1400, height: 900 });
    await seat.open("/distributions");
    await page.getByRole("link", { name: world.distribution }).waitFor();
    const beyond = () => page.locator("table").evaluateAll((all) => all.filter((t) => t.scrollWidth > t.parentElement!.clientWidth || t.getBoundingClientRect().right > innerWidth).length);
    await expect.poll(beyond).toBe(0);
    await page.setViewportSize(size);
  });

  test("edge locations", async () => {
    const { page } = seat;
    await seat.open("/edges");
    await page.getByText("Ready").nth(2).waitFor();
    await seat.shot("02-edges");
    expect(await seat.barriers()).toEqual([]);
  });

  test("create a distribution", async () => {
    const { page } = seat;
    await seat.open("/distributions");
    await page.getByRole("button", { name: "Create distribution" }).click();
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Give it a name that you will find it by.").waitFor();
    await page.getByLabel("Distribution name").fill("Shop");
    await page.getByLabel("Description").fill("The shop’s pages");
    await seat.shot("03-create-1");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("Origin domain").fill("https://shop.example.com/");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Only the host name").waitFor();
    await page.getByLabel("Origin domain").fill("shop.example.com");
    await seat.shot("03-create-2");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("CachingOptimized").waitFor();
    await seat.shot("03-create-3", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Next" }).click();
    await seat.shot("03-create-4", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Create distribution" }).click();
    await page.getByText("Successfully created distribution").waitFor();
    await page.getByRole("tab", { name: "General" }).waitFor();
    await page.getByText("The shop’s pages").first().waitFor();
  });

  test("edit its settings", async () => {
    const { page } = seat;
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByLabel(/^Alternate domain names/).fill("shop.example.org\nwww.shop.example.org");
    await page.getByLabel(/^Cache tag header/).fill("x-cache-tags");
    await seat.shot("04-settings", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Saved the settings").waitFor();
    await page.getByText("shop.example.org, www.shop.example.org").waitFor();
  });

  test("behaviors", async () => {
    const { page } = seat;
    await page.getByRole("tab", { name: "Behaviors" }).click();
    for (const pattern of ["/cart/*", "/images/*"]) {
      await page.getByRole("button", { name: "Create behavior" }).click();
      await page.getByLabel("Path pattern").fill(pattern);
      if (pattern === "/cart/*") {
        await page.getByLabel("Cache policy").click();
        await page.getByRole("option", { name: /^CachingDisabled/ }).click();
      }
      await seat.shot("05-behavior", true);
      await page.locator("form").getByRole("button", { name: "Create behavior" }).click();
      await page.getByText(`Created behavior ${pattern}`).waitFor();
    }
    await page.getByRole("radio", { name: "Select /images/*" }).check();
    await page.getByRole("button", { name: "Move up" }).click();
    await page.getByText("Moved behavior /images/*").waitFor();
    await seat.shot("06-behaviors");
    expect(await seat.barriers()).toEqual([]);
  });

  test("origins and error pages", async () => {
    const { page } = seat;
    await page.getByRole("tab", { name: "Origins" }).click();
    await page.getByRole("button", { name: "Create origin", exact: true }).click();
    await page.getByLabel("Origin domain").fill("images.example.com");
    await page.locator("form").getByRole("button", { name: "Create origin" }).click();
    await page.getByText("Created origin images.example.com").waitFor();
    await seat.shot("07-origins");
    await page.getByRole("tab", { name: "Error pages" }).click();
    await page.getByRole("button", { name: "Create custom error response" }).first().click();
    await page.getByText("Error caching minimum TTL").waitFor();
    await seat.shot("08-error-page");
    expect(await seat.barriers()).toEqual([]);
    await page.locator("form").getByRole("button", { name: "Create custom error response" }).click();
    await page.getByText("Created custom error response 400").waitFor();
  });

  test("an origin group", async () => {
    const { page } = seat;
    const form = page.locator("form");
    const choose = async (label: string, option: string) => {
      await page.getByLabel(label).click();
      await page.getByRole("option", { name: option, exact: true }).click();
    };
    await page.getByRole("tab", { name: "Origins" }).click();
    await page.getByRole("button", { name: "Create origin group" }).first().click();
    await form.getByRole("button", { name: "Create origin group" }).click();
    await page.getByText("Give the group a name.").waitFor();
    await page.getByLabel("Name").fill("shop or images");
    await choose("Primary origin", "shop.example.com");
    await choose("Secondary origin", "images.example.com");
    await page.getByRole("checkbox", { name: "404 Not Found" }).check();
    await page.getByRole("checkbox", { name: /^502/ }).uncheck();
    await seat.shot("10-origin-group", true);
    expect(await seat.barriers()).toEqual([]);
    await form.getByRole("button", { name: "Create origin group" }).click();
    await page.getByText("Created origin group shop or images").waitFor();
    await page.getByText("404, 500, 503, 504", { exact: true }).waitFor();
    await seat.shot("11-origin-groups", true);

    await page.getByRole("tab", { name: "Behaviors" }).click();
    await page.getByRole("radio", { name: "Select /images/*" }).check();
    await page.getByRole("button", { name: "Edit" }).click();
    await choose("Origin or origin group", "shop or images");
    await page.getByRole("radio", { name: /PUT/ }).check();
    await form.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("With an origin group only GET, HEAD and OPTIONS can be allowed.").waitFor();
    await page.getByRole("radio", { name: "GET, HEAD", exact: true }).check();
    await form.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Saved behavior /images/*").waitFor();

    await page.getByRole("tab", { name: "Origins" }).click();
    const select = (what: string) => page.getByRole("radio", { name: `Select ${what}` }).check();
    await select("shop or images");
    await page.getByRole("button", { name: "Edit" }).last().click();
    await page.getByRole("checkbox", { name: "404 Not Found" }).uncheck();
    await form.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Saved origin group shop or images").waitFor();
    await page.getByText("500, 503, 504", { exact: true }).waitFor();

    // It can be deleted when no behavior names it any more.
    await select("shop or images");
    await expect.poll(() => page.getByRole("button", { name: "Delete" }).last().getAttribute("aria-disabled")).toBe("true");
    await page.getByRole("tab", { name: "Behaviors" }).click();
    await page.getByRole("radio", { name: "Select /images/*" }).check();
    await page.getByRole("button", { name: "Edit" }).click();
    await choose("Origin or origin group", "shop.example.com");
    await form.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Saved behavior /images/*").last().waitFor();
    await page.getByRole("tab", { name: "Origins" }).click();
    await select("shop or images");
    await page.getByRole("button", { name: "Delete" }).last().click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Deleted origin group shop or images").waitFor();
    await page.getByText("No origin groups").waitFor();
  });

  test("somebody else changes it meanwhile", async () => {
    const { page } = seat;
    await page.getByRole("tab", { name: "General" }).click();
    // The tab before has buttons of that name, too, and goes when this one is drawn.
    await page.getByRole("tabpanel", { name: "General" }).getByRole("button", { name: "Edit" }).click();
    await page.getByLabel("Description").fill("Mine");
    const other = await seat.context.newPage();
    await other.goto(page.url());
    await other.getByLabel("Description").fill("Theirs");
    await other.getByRole("button", { name: "Save changes" }).click();
    await other.getByText("Saved the settings").waitFor();
    await other.close();
    await page.getByRole("button", { name: "Save changes" }).click();
    await page.getByText("Changed by somebody else").waitFor();
    await seat.shot("09-conflict");
    await page.getByRole("button", { name: "Reload" }).click();
    await expect.poll(() => page.getByLabel("Description").inputValue()).toBe("Theirs");
  });

  test("disable and delete it", async () => {
    const { page } = seat;
    await seat.open("/distributions");
    await page.getByRole("row", { name: /Theirs/ }).getByRole("radio").check();
    await page.getByRole("button", { name: "Disable", exact: true }).click();
    await seat.shot("10-disable");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Disable distribution" }).click();
    await page.getByText("Disabled distribution").waitFor();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Delete distribution" }).click();
    await page.getByText("Deleted distribution").waitFor();
    await expect.poll(() => page.getByRole("row", { name: /Theirs/ }).count()).toBe(0);
  });

  test("monitoring and popular objects", async () => {
    const { page } = seat;
    for (let i = 0; i < 5; i++) await world.visit();
    await seat.open(`/distributions/${world.distribution}/monitoring`);
    await page.getByRole("heading", { name: "Origin latency" }).waitFor();
    await page.getByText("/images/hero.svg").first().waitFor();
    // A step of the figures is ten seconds.
    await expect.poll(() => page.evaluate(() => document.body.innerText.includes("Hit ratio\n–"))).toBe(false);
    await seat.shot("11-monitoring", true);
    expect(await seat.barriers()).toEqual([]);
    await seat.open("/popular-objects");
    await page.getByText("/images/hero.svg").first().waitFor();
    await seat.shot("12-popular");
    expect(await seat.barriers()).toEqual([]);
    expect(await page.getByRole("heading", { name: /^Popular objects/ }).count()).toBe(1);
    await seat.open("/monitoring");
    await page.getByRole("heading", { name: "Traffic" }).waitFor();
    expect(await page.getByRole("heading", { name: "Monitoring" }).count()).toBe(1);
  });

  test("users and keys", async () => {
    const { page } = seat;
    await seat.open("/users");
    await page.getByRole("button", { name: "Create user" }).click();
    await page.getByLabel("User name").fill("otto");
    await page.getByLabel("Password").fill("a long password");
    await seat.shot("13-user");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Create user" }).click();
    await page.getByText("Created user otto").waitFor();
    await seat.shot("14-users");
    await seat.open("/access-keys");
    await page.getByRole("button", { name: "Create access key" }).click();
    await page.getByLabel("User").last().fill("ci");
    await page.getByRole("dialog").getByRole("button", { name: "Create access key" }).click();
    await page.getByText("The secret is shown only now").waitFor();
    await seat.shot("15-key");
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: "Done" }).click();
    await expect.poll(() => page.getByRole("row", { name: /\bci\b/ }).count()).toBeGreaterThan(0);
    await seat.shot("16-keys");
  });

  test("the audit trail", async () => {
    const { page } = seat;
    await seat.open("/audit");
    await page.getByText("UpdateDistribution").first().waitFor();
    await seat.shot("17-audit");
    expect(await seat.barriers()).toEqual([]);
  });

  test("dark, and out", async () => {
    const { page } = seat;
    await seat.open(`/distributions/${world.distribution}/monitoring`);
    await page.getByRole("heading", { name: "Origin latency" }).waitFor();
    await page.getByRole("button", { name: world.user }).click();
    await page.getByText("Dark mode").click();
    await seat.shot("18-dark", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByRole("button", { name: world.user }).click();
    await page.getByText("Sign out").click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await seat.shot("19-signed-out");
    expect(await seat.barriers()).toEqual([]);
  });

  test("nothing was refused or fetched from elsewhere", () => {
    expect(seat.complaints).toEqual([]);
  });
});
