// Prints what the FHIR validator of npm finds in the resource of a file: node validate.mjs FILE
import { readFileSync } from "node:fs";
import fhir from "fhir";

const { Fhir } = fhir;
const result = new Fhir().validate(readFileSync(process.argv[2], "utf8"), { errorOnUnexpected: true });
console.log(JSON.stringify(result.messages.map(({ location, resourceId, severity, message }) => ({ location, resourceId, severity, message }))));
