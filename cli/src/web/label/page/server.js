// The label page's requests to the server.

import { ask } from "./ask.js";

export { Refused } from "./ask.js";
export const state = (annotator) => ask(`api/state?annotator=${encodeURIComponent(annotator)}`);
export const next = (annotator) => ask("api/next", { annotator });
export const undo = (annotator) => ask("api/undo", { annotator });
export const answer = (annotator, pair, answer) => ask("api/answer", { annotator, pair, answer, watched: true });
