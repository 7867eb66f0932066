/** What orval generated, put to use: prints the report that test_generated_clients.py expects. */
import { readFile } from "node:fs/promises";
import { analysisBatch, classify, createToken, models, signUp } from "./generated/orval/hepar.ts";

const [, email, password, image, broken] = process.argv.slice(2) as [string, string, string, string, string];

async function picture(path: string): Promise<File> {
  return new File([await readFile(path)], "slice.png", { type: "image/png" });
}

const account = await signUp({ email, password });
if (account.status !== 201) throw new Error(account.data.detail);
const token = await createToken({ username: email, password });
if (token.status !== 200) throw new Error(token.data.detail);
const headers = { Authorization: `Bearer ${token.data.access_token}` };
const answer = await classify(
  { image: await picture(image) },
  { vote: "majority_vote", classifiers: ["classify_tiny"], explain: true },
  { headers: { ...headers, "X-Hepar-Timeout-Ms": "30000" } },
);
if (answer.status !== 200) throw new Error(answer.data.detail);
const batch = await analysisBatch({ image: [await picture(image), await picture(broken)] }, undefined, { headers });
if (batch.status !== 200 || typeof batch.data === "string") throw new Error("no batch");
const refused = await classify({ image: await picture(broken) }, undefined, { headers });
if (refused.status === 200) throw new Error("the broken image was accepted");
const known = await models({ headers });
if (known.status !== 200) throw new Error(known.data.detail);

console.log(
  JSON.stringify({
    account: account.data.email,
    label: answer.data.label,
    method: answer.data.method,
    probabilities: answer.data.probabilities,
    overlay_png: answer.data.explanation?.overlay_png,
    batch: batch.data.items.map(({ detection }) => (detection.kind === "problem" ? detection.type : detection.boxes.length)),
    problem: [refused.data.status, refused.data.type],
    models: known.data.models.map((model) => model.card.name),
  }),
);
