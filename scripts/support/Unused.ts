/** Nobody imports this file, and that is its purpose: `npm run check` fails unless knip finds it. */
export const unused = true
