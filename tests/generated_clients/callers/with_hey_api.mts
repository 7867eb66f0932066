/** What hey-api generated, put to use: prints the report that test_generated_clients.py expects. */
import { readFile } from "node:fs/promises";
import { client } from "./generated/hey-api/client.gen.ts";
import { analysisBatch, classify, createToken, models, signUp } from "./generated/hey-api/sdk.gen.ts";

const [baseUrl, email, password, image, broken] = process.argv.slice(2) as [string, string, string, string, string];

async function picture(path: string): Promise<File> {
  return new File([await readFile(path)], "slice.png", { type: "image/png" });
}

client.setConfig({ baseUrl });
const account = await signUp({ body: { email, password }, throwOnError: true });
const token = await createToken({ body: { username: email, password }, throwOnError: true });
client.setConfig({ auth: token.data.access_token });
const answer = await classify({
  body: { image: await picture(image) },
  query: { vote: "majority_vote", classifiers: ["classify_tiny"], explain: true },
  headers: { "X-Hepar-Timeout-Ms": 30_000 },
  throwOnError: true,
});
const batch = await analysisBatch({ body: { image: [await picture(image), await picture(broken)] }, throwOnError: true });
if (typeof batch.data === "string") throw new Error("events instead of JSON");
const refused = await classify({ body: { image: await picture(broken) } });
if (refused.error === undefined) throw new Error("the broken image was accepted");
const known = await models({ throwOnError: true });

console.log(
  JSON.stringify({
    account: account.data.email,
    label: answer.data.label,
    method: answer.data.method,
    probabilities: answer.data.probabilities,
    overlay_png: answer.data.explanation?.overlay_png,
    batch: batch.data.items.map(({ detection }) => (detection.kind === "problem" ? detection.type : detection.boxes.length)),
    problem: [refused.error.status, refused.error.type],
    models: known.data.models.map((model) => model.card.name),
  }),
);
