/** Replaces a module that is left out of the build: see vite.config.ts. */
export default null;
