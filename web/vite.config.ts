import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The build must not contain inline scripts or styles: the gateway's Content-Security-Policy forbids them.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false, chunkSizeWarningLimit: 1000 },
  resolve: {
    dedupe: ["openapi-fetch"],
    preserveSymlinks: true,
    // daikon's JPEG-LS decoder uses eval, which the policy forbids. For such files, the server's rendering is shown.
    alias: [{ find: /.*charLS-DynamicMemory-browser\.js$/, replacement: new URL("src/emptyModule.ts", import.meta.url).pathname }],
  },
  server: { fs: { allow: [".."] } },
});
