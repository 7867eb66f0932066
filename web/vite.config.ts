import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// No inline script or style may come out of it: the gateway's Content-Security-Policy allows neither.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false, chunkSizeWarningLimit: 1000 },
  resolve: {
    dedupe: ["openapi-fetch"],
    preserveSymlinks: true,
    // daikon's JPEG-LS is compiled with eval, which the policy forbids: such files are shown by the server only.
    alias: [{ find: /.*charLS-DynamicMemory-browser\.js$/, replacement: new URL("src/nothing.ts", import.meta.url).pathname }],
  },
  server: { fs: { allow: [".."] } },
});
