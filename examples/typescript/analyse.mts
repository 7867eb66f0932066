/** Sign in, send one image, print the result. Runs without a build step on Node.js 22.18 or newer. */
import { readFile } from "node:fs/promises";
import { createHepar, dataOrThrow, imageForm, isProblem } from "../../clients/typescript/src/index.ts";

const { HEPAR_URL = "http://127.0.0.1:8080", HEPAR_EMAIL = "", HEPAR_PASSWORD = "" } = process.env;
const file = process.argv[2] ?? "samples/metastasis.png";

let token: string | undefined;
const hepar = createHepar(HEPAR_URL, { current: () => token });

const accessToken = dataOrThrow(
  await hepar.POST("/v1/token", {
    body: { grant_type: "password", username: HEPAR_EMAIL, password: HEPAR_PASSWORD },
    bodySerializer: (form) => new URLSearchParams(form as Record<string, string>),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  }),
);
token = accessToken.access_token;

const image = new Blob([await readFile(file)]);
const analysis = dataOrThrow(
  await hepar.POST("/v1/analyses", {
    params: { query: { explain: true } },
    body: imageForm(image) as never,
    bodySerializer: (form) => form,
  }),
);

const { classification, detection } = analysis;
if (isProblem(classification)) console.log(`no classification: ${classification.detail}`);
else {
  const { outcome, label, probability, agreeing_models, voting_models } = classification;
  console.log(`${label ?? outcome}, probability ${probability?.toFixed(2)}, ${agreeing_models} of ${voting_models} models agree`);
}
if (!isProblem(detection)) {
  for (const box of detection.boxes) console.log(`box ${box.x_min} ${box.y_min} ${box.x_max} ${box.y_max} ${box.label} ${box.score}`);
}
console.log(analysis.notice);
