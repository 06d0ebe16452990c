import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { fakeServer } from "./fake/plugin";

// The console is served under `default-src 'self'`, which has no data: URLs: the fonts that Cloudscape
// carries inside its style sheet become files, and a browser then fetches only the subsets it needs.
function fontsAsFiles(): Plugin {
  const embedded = /url\(["']?data:font\/woff2;base64,([A-Za-z0-9+/=]+)["']?\)/g;
  return {
    name: "fonts-as-files",
    apply: "build",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "asset" || !file.fileName.endsWith(".css")) continue;
        file.source = String(file.source).replace(embedded, (_, base64: string) => {
          const font = this.emitFile({ type: "asset", name: "open-sans.woff2", source: Buffer.from(base64, "base64") });
          return `url(/${this.getFileName(font)})`;
        });
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), fontsAsFiles(), fakeServer()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    manifest: ".manifest.json", // for the size budget; a dot: not for serving
    emptyOutDir: false, // the binary's source keeps a placeholder there
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
  },
});
