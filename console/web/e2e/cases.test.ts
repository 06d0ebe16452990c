// What goes wrong, and what is large: in the fake world, which can be made to fail when it is asked to.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Seat } from "./browser";
import { type FakeWorld, fakeWorld } from "./worlds";

let world: FakeWorld;
let seat: Seat;

afterEach(async () => {
  await seat?.leave();
  await world?.stop();
});

describe("what goes wrong", () => {
  beforeEach(async () => {
    world = await fakeWorld();
    seat = await Seat.take(world, "case");
  });

  test("a wrong password, and too many of them", async () => {
    const { page } = seat;
    await seat.open("/");
    await seat.signIn("wrong");
    await page.getByText("User or password is wrong.").waitFor();
    await seat.shot("wrong-password");
    expect(await seat.barriers()).toEqual([]);
    for (let i = 0; i < 5; i++) await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Too many attempts. Try again in 30 seconds.").waitFor();
  });

  test("an expired session leads to the sign-in page and back", async () => {
    const { page } = seat;
    const where = `/distributions/${world.distribution}/invalidations`;
    await seat.open(where);
    await seat.signIn();
    await page.getByRole("heading", { name: /^Invalidations/ }).waitFor();
    world.fake.gate.expire();
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await seat.signIn();
    await page.getByRole("heading", { name: /^Invalidations/ }).waitFor();
    expect(page.url()).toContain(where);
  });

  test("credentials are renewed before they end, unnoticed", async () => {
    const { page } = seat;
    world.fake.gate.lifetime = 3 * 60_000 + 2000; // two seconds before they are renewed
    await seat.open("/edges");
    await seat.signIn();
    await page.getByRole("heading", { name: /^Edge locations/ }).waitFor();
    await expect.poll(() => world.fake.gate.renewals).toBeGreaterThanOrEqual(2);
    expect(await page.getByRole("heading", { name: "Sign in" }).count()).toBe(0);
  });

  test("a journal that is doubted is the reason why nothing is completed at once", async () => {
    const { page } = seat;
    const now = Date.now();
    world.fake.world.doubt = { since: new Date(now).toISOString(), until: new Date(now + 32_000).toISOString(), unheard: 22, edges: ["NRT57-P3", "SIN2-P4"] };
    world.fake.world.stopped.add("NRT57-P3");
    await seat.open(`/distributions/${world.distribution}/invalidations/create?path=/index.html`);
    await seat.signIn();
    await page.getByRole("button", { name: "Create invalidation" }).click();
    await page.getByText("Invalidations are completed by time alone").waitFor();
    await page.getByText("NRT57-P3, SIN2-P4 and 20 more").waitFor();
    await seat.shot("doubt-receipt", true);
    await seat.open("/edges");
    await page.getByText("Invalidations are completed by time alone").waitFor();
    await page.getByText("Does not answer", { exact: true }).waitFor();
    // All columns fit into the window.
    await page.setViewportSize({ width: 1400, height: 900 });
    const beyond = await page.locator("table").evaluateAll((all) => all.filter((t) => t.getBoundingClientRect().right > innerWidth).length);
    expect(beyond).toBe(0);
    await seat.shot("doubt-edges", true);
    expect(await seat.barriers()).toEqual([]);
    world.fake.world.doubt = { since: new Date(now).toISOString(), until: new Date(now + 32_000).toISOString(), unheard: 0, edges: [] };
    await page.getByText("All edges have been heard. This ends").waitFor();
    world.fake.world.doubt = null;
    await page.getByText("Invalidations are completed by time alone").waitFor({ state: "detached" });
  });

  test("the API goes away while an invalidation is in progress, and comes back", async () => {
    const { page } = seat;
    world.fake.world.stopped.add("NRT57-P3");
    await seat.open(`/distributions/${world.distribution}/invalidations/create?path=/index.html`);
    await seat.signIn();
    await page.getByText("/index.html").nth(1).waitFor();
    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Applied by 2 of 3").first().waitFor();
    await page.getByText(/^Lagging: /).waitFor();
    await seat.shot("an-edge-is-stopped");
    expect(await seat.barriers()).toEqual([]);
    world.fake.down = true;
    await page.getByText("Warmfront does not answer").first().waitFor();
    await seat.shot("api-down");
    await expect.poll(() => page.getByText("NRT57-P3").count()).toBeGreaterThan(0); // what was known stays
    world.fake.world.stopped.clear();
    await new Promise((r) => setTimeout(r, 400));
    world.fake.down = false;
    await page.getByText("Applied by 3 of 3").first().waitFor();
    await page.getByText("Completed", { exact: true }).first().waitFor();
    await expect.poll(() => page.getByText("Warmfront does not answer").count()).toBe(0);
  });

  test("the API is away from the beginning", async () => {
    const { page } = seat;
    world.fake.down = true;
    await seat.open("/distributions");
    await page.getByText("Warmfront does not answer").first().waitFor();
    world.fake.down = false;
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });

  test("a viewer sees, and changes nothing", async () => {
    const { page } = seat;
    await seat.open(`/distributions/${world.distribution}/invalidations`);
    await seat.signIn(world.password, "vera");
    await page.getByRole("heading", { name: /^Invalidations/ }).waitFor();
    await expect.poll(() => page.getByRole("button", { name: "Create invalidation" }).first().isDisabled()).toBe(true);
    expect(await page.getByRole("link", { name: "Access keys" }).count()).toBe(0);
    await seat.open("/users");
    await page.getByText("Not allowed").waitFor();
    await seat.shot("not-allowed");
  });

  test("the number of paths is bounded by the quota in force", async () => {
    const { page } = seat;
    world.fake.world.maxItems = 4;
    await seat.open(`/distributions/${world.distribution}/invalidations/create?path=/a&path=/b`);
    await seat.signIn();
    await page.getByText("2 of 4 paths").waitFor();
    await page.getByLabel("Add object paths").fill("/a\n/b\n/c\n/d\n/e");
    await page.getByText("5 of 4 paths").waitFor();
    await page.getByText("At most 4 paths at once.").waitFor();
    await page.getByRole("button", { name: "Create invalidation" }).click();
    await page.getByLabel("Add object paths").fill("/a\n/b\n/c\n/d");
    await page.getByText("4 of 4 paths").waitFor();
    await page.getByText("At most 4 paths at once.").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Create invalidation" }).click();
    await page.getByText("Successfully created invalidation").waitFor();
  });

  test("who changes the page is at its heading", async () => {
    const { page } = seat;
    // What has the focus, and what the page calls itself.
    const at = () => page.evaluate(() => `${document.activeElement?.tagName} ${document.activeElement?.textContent?.trim().slice(0, 40)} | ${document.title.split(" · ")[0]}`);
    const follow = async (name: string) => {
      await page.getByRole("link", { name, exact: true }).first().focus();
      await page.keyboard.press("Enter");
    };
    await seat.open("/edges");
    await page.getByLabel("User", { exact: true }).waitFor();
    await expect.poll(at).toContain("INPUT"); // a page that has a place for the focus keeps it
    await seat.signIn();
    for (const [link, heading] of [["Distributions", "Distributions"], ["Monitoring", "Monitoring"], ["Popular objects", "Popular objects"], ["Users", "Users"], ["Access keys", "Access keys"], ["Audit trail", "Audit trail"], ["Edge locations", "Edge locations"]] as const) {
      await follow(link);
      await expect.poll(at).toMatch(new RegExp(`^H1 ${heading}.* \\| ${heading}$`));
    }
    await follow("Distributions");
    await page.getByRole("link", { name: world.distribution }).waitFor();
    await follow(world.distribution);
    await expect.poll(at).toMatch(new RegExp(`^H1 ${world.distribution}.* \\| ${world.distribution}$`));
    await seat.shot("focus-heading");
    // The tabs of a page are one page: who walks through them stays on them.
    await page.getByRole("tab", { name: "General" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/origins");
    await page.getByRole("heading", { name: /^Origins/ }).waitFor();
    expect(await at()).toContain("Origins");
    expect(await at()).not.toContain("H1");
    await page.getByRole("tab", { name: "Invalidations" }).click();
    await page.getByRole("button", { name: "Create invalidation" }).first().focus();
    await page.keyboard.press("Enter");
    await expect.poll(at).toContain("TEXTAREA");
    await page.keyboard.type("/focus/*");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Successfully created invalidation").waitFor();
    await expect.poll(at).toMatch(/^H1 .* \| I/);
    await page.goBack();
    await expect.poll(at).toContain("TEXTAREA");
    await page.goBack();
    await expect.poll(at).toMatch(/^H1/);
  });

  test("what is not there", async () => {
    const { page } = seat;
    await seat.open("/distributions/E0000000000000");
    await seat.signIn();
    await page.getByText("There is no such distribution").waitFor();
    await seat.shot("no-such-distribution");
    await seat.open("/nonsense");
    await page.getByText("There is no such page").waitFor();
    expect(await seat.barriers()).toEqual([]);
    await seat.open(`/distributions/${world.distribution}/nonsense`);
    await page.getByText("There is no such page").waitFor();
  });
});

describe("what is large", () => {
  test("10,000 distributions", async () => {
    world = await fakeWorld(10_000);
    seat = await Seat.take(world, "case");
    const { page } = seat;
    await seat.open("/distributions");
    await seat.signIn();
    await page.getByText("(10,003)").waitFor();
    await page.getByPlaceholder("Search all distributions").fill("customer 4242");
    await page.getByText("1 match").first().waitFor();
    await seat.shot("many-distributions");
    await page.keyboard.press("Alt+s");
    await page.keyboard.type("origin-77.example.com");
    await page.getByRole("option", { name: /Customer 77/ }).waitFor();
  });

  test("3,000 paths pasted at once, and typing goes on", async () => {
    world = await fakeWorld();
    seat = await Seat.take(world, "case");
    const { page } = seat;
    await seat.open(`/distributions/${world.distribution}/invalidations/create`);
    await seat.signIn();
    const paths = page.getByLabel("Add object paths");
    await paths.focus();
    const text = Array.from({ length: 2990 }, (_, i) => `/images/stations/${i}/picture-of-the-day-${i * 7}.png`);
    await seat.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.evaluate((t) => navigator.clipboard.writeText(t), [...text, ...Array<string>(10).fill("/a b")].join("\n"));
    await page.keyboard.press("Control+V");
    await page.getByText("3,000 of 3,000 paths").waitFor();
    await page.getByText("10 lines cannot be used as typed").waitFor();
    // It is not only there but usable: what is typed behind it arrives, letter by letter.
    await paths.pressSequentially("x".repeat(40));
    await page.waitForFunction((end) => document.querySelector("textarea")?.value.endsWith(end) ?? false, "/a b" + "x".repeat(40));
    await page.getByRole("button", { name: /^Fix / }).click();
    await page.getByText("cannot be used as typed").waitFor({ state: "detached" });
    await seat.shot("3000-paths");
    await paths.press("Control+Enter");
    await page.getByText("Successfully created invalidation").waitFor();
    await page.getByText("Applied by 3 of 3").first().waitFor();
  });
});

describe("what is long", () => {
  test("a path of thousands of characters leaves room for what is said of it", async () => {
    world = await fakeWorld();
    seat = await Seat.take(world, "case");
    const { page } = seat;
    await seat.open(`/distributions/${world.distribution}/invalidations/create`);
    await seat.signIn();
    const fits = () =>
      page.locator("table").evaluateAll((all) => all.every((t) => t.getBoundingClientRect().right <= (t.closest("[class*=container]") ?? t).getBoundingClientRect().right + 1));
    await page.getByLabel("Add object paths").fill(`/images/*\n/${"x".repeat(3900)}`);
    await page.getByText(/^\/x+…$/).waitFor();
    expect(await fits()).toBe(true);
    await seat.shot("long-path");
    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Applied by 3 of 3").first().waitFor();
    expect(await fits()).toBe(true);
    await seat.shot("long-path-receipt", true);
  });
});

describe("a large fleet", () => {
  test("300 edge locations", async () => {
    world = await fakeWorld();
    seat = await Seat.take(world, "case");
    const { page } = seat;
    const fleet = world.fake.world;
    fleet.edges = Array.from({ length: 300 }, (_, i) => {
      const edge = `E${String(i).padStart(3, "0")}`;
      return { edge, location: edge, url: "http://127.0.0.1:8081", delay: 50 };
    });
    fleet.stopped.add("E250");
    await seat.open(`/distributions/${world.distribution}/invalidations/create?path=/images/*`);
    await seat.signIn();
    await page.getByText("Of 300 edge locations, those with the most copies:").waitFor();
    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Applied by 299 of 300 edge locations").first().waitFor();
    const receipt = page.getByRole("table", { name: "Receipt" });
    await receipt.getByText("E250", { exact: true }).waitFor(); // who is waited for is seen
    expect(await receipt.getByRole("row").count()).toBe(26);
    await seat.shot("300-edges");
    expect(await seat.barriers()).toEqual([]);
    fleet.stopped.clear();
    await page.getByText("Applied by 300 of 300 edge locations").first().waitFor();
    await page.getByLabel("Search edge locations").fill("e29");
    await expect.poll(() => receipt.getByRole("row").count()).toBe(11);
    // The journal has no lines of so many: those that remember it themselves tell.
    for (let i = 0; i < 300; i++) if (i % 100 !== 0) fleet.forgetful.add(`E${String(i).padStart(3, "0")}`);
    await page.reload();
    await page.getByText("Applied by 300 of 300 edge locations").first().waitFor();
    await page.getByText("What 297 of them did is not known any more.").first().waitFor();
    await seat.shot("300-edges-forgotten");
  });
});

describe("a telephone", () => {
  test("the walk fits on it", async () => {
    world = await fakeWorld();
    seat = await Seat.take(world, "phone", { width: 390, height: 844, dark: true });
    const { page } = seat;
    await seat.open("/distributions");
    await seat.shot("01-sign-in");
    await seat.signIn();
    await page.getByRole("link", { name: world.distribution }).waitFor();
    await seat.shot("02-distributions");
    await seat.open(`/distributions/${world.distribution}`);
    await page.getByText(world.domain).first().waitFor();
    await seat.shot("03-distribution");
    await seat.open(`/distributions/${world.distribution}/invalidations/create?path=/images/*`);
    await page.getByText("/images/hero.svg").first().waitFor();
    await seat.shot("04-create", true);
    expect(await seat.barriers()).toEqual([]);
    await page.getByLabel("Add object paths").press("Control+Enter");
    await page.getByText("Applied by 3 of 3").first().waitFor();
    await seat.shot("05-invalidation", true);
    expect(await seat.barriers()).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(wide).toBe(false);
  });
});
