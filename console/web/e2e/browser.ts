// A browser, its pictures, and what must never be seen in it.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContext, type Locator, type Page, chromium } from "playwright-core";
import type { World } from "./worlds";

const screens = path.join(import.meta.dirname, "../../../build/screens");

const documents = path.join(import.meta.dirname, "../../../docs");

const quiet = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

export class Seat {
  // complaints are what the browser's console and the network had to say: refused by the content
  // security policy, errors of scripts, requests to other hosts.
  complaints: string[] = [];

  private constructor(
    private browser: Browser,
    readonly context: BrowserContext,
    readonly page: Page,
    private world: World,
    private name: string,
  ) {
    page.on("console", (m) => {
      if (m.type() === "error" && !/status of (4\d\d|503)/.test(m.text())) this.complaints.push(m.text());
    });
    page.on("pageerror", (e) => this.complaints.push(String(e)));
    page.on("request", (r) => {
      if (!r.url().startsWith(world.url) && !r.url().startsWith("data:")) this.complaints.push(`another host: ${r.url()}`);
    });
  }

  static async take(world: World, name: string, options: { width?: number; height?: number; dark?: boolean } = {}): Promise<Seat> {
    await mkdir(screens, { recursive: true });
    const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: quiet, timeout: 120_000 });
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1366, height: options.height ?? 900 },
      colorScheme: options.dark ? "dark" : "light",
      reducedMotion: "reduce",
      timezoneId: "Europe/Zurich",
    });
    context.setDefaultTimeout(60_000);
    return new Seat(browser, context, await context.newPage(), world, name);
  }

  async open(where: string): Promise<void> {
    await this.page.goto(this.world.url + where);
  }

  async signIn(password = this.world.password, user = this.world.user): Promise<void> {
    await this.page.getByLabel("User", { exact: true }).fill(user);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  // shot keeps a picture of the step.
  async shot(step: string, fullPage = false): Promise<void> {
    const size = this.page.viewportSize()!;
    if (fullPage) {
      // A window as high as the page: what sticks to the window's edges is then where it belongs.
      const height = await this.page.evaluate(() => document.documentElement.scrollHeight);
      await this.page.setViewportSize({ ...size, height: Math.max(height, size.height) });
    }
    await this.page.screenshot({ path: path.join(screens, `${this.name}-${step}.png`) });
    if (fullPage) await this.page.setViewportSize(size);
  }

  // picture keeps a picture of the window, or of a part of the page, for the documents.
  async picture(name: string, of: Locator | Page = this.page): Promise<void> {
    await of.screenshot({ path: path.join(documents, `${name}.png`) });
  }

  // barriers returns what axe finds serious.
  async barriers(): Promise<string[]> {
    // Evaluated through the debugger, not added to the page, whose policy would refuse it.
    await this.page.evaluate(axe.source);
    const { violations } = await this.page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run: (o: object) => Promise<{ violations: Finding[] }> } };
      return axe.run({ resultTypes: ["violations"] });
    });
    return violations
      .filter((v) => v.impact === "serious" || v.impact === "critical")
      .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`);
  }

  async leave(): Promise<void> {
    await this.browser.close();
  }
}

interface Finding {
  id: string;
  impact: string;
  help: string;
  nodes: { html: string }[];
}
