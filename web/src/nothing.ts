/** Stands in for a module that is left out: see vite.config.ts. */
export default null;
