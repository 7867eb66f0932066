import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// No inline script or style may come out of it: the gateway's Content-Security-Policy allows neither.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false },
  resolve: { dedupe: ["openapi-fetch"], preserveSymlinks: true },
  server: { fs: { allow: [".."] } },
});
