/** The gateway's API: the TypeScript client and the types that the pages use. */
import type { paths, Schemas } from "../../clients/typescript/src/index.ts";

export type Account = Schemas["Account"];
export type AuditEvent = NonNullable<NonNullable<paths["/v1/audit"]["get"]["parameters"]["query"]>["event"]>[number];
export type Analysis = Schemas["Analysis"];
export type Box = Detection["boxes"][number];
export type Classification = Schemas["Classification"];
export type Curves = Schemas["Curves"];
export type Destination = Schemas["Destination"];
export type Detection = Schemas["Detection"];
export type FieldError = Schemas["FieldError"];
export type CorrectionForm = Schemas["CorrectionForm"];
export type Finding = Schemas["Finding"];
export type FindingList = Schemas["FindingList"];
export type NewFinding = Schemas["NewFinding"];
export type SliceOutline = Schemas["SliceOutline"];
export type Lesion = Schemas["Lesion"];
export type Send = Schemas["Send"];
export type ServedModel = Schemas["ServedModel"];
export type Study = Schemas["Study"];
export type StudyModelAnswers = Schemas["StudyModelAnswers"];
export type StudyResult = Schemas["StudyResult"];
export type VolumeFacts = Schemas["VolumeFacts"];
export type {
  HeparClient,
  Problem,
  Schemas,
  TokenSource,
} from "../../clients/typescript/src/index.ts";
export {
  createHepar,
  dataOrThrow,
  HeparProblem,
  isProblem,
  throwOnError,
} from "../../clients/typescript/src/index.ts";
