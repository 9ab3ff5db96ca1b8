declare const __VERSION__: string | undefined;

/** Version of the product: set by scripts/build.mjs from package.json; `0.0.0-source` when run from the sources. */
export const version: string = typeof __VERSION__ === 'undefined' ? '0.0.0-source' : __VERSION__;
