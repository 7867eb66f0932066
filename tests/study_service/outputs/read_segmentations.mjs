// Reads DICOM segmentations with dcmqi, compiled for ITK-Wasm: node read_segmentations.mjs FILE...
// Prints a line of JSON for each, and writes its voxels to FILE.raw: int16, (slices, rows, columns, segments).
import { writeFileSync } from "node:fs";
import { readOverlappingSegmentationNode } from "@itk-wasm/dicom";

let warnings = [];
console.log = () => {}; // what dcmqi reports of its progress
console.warn = console.error = (line) => warnings.push(line);
for (const path of process.argv.slice(2)) {
  warnings = [];
  const { segImage, metaInfo } = await readOverlappingSegmentationNode(path);
  const { data, size, spacing, origin, direction, imageType } = segImage;
  writeFileSync(`${path}.raw`, data);
  const image = { size, spacing, origin, direction: Object.values(direction), components: imageType.components };
  process.stdout.write(`${JSON.stringify({ image, segments: metaInfo.segmentAttributes.flat(), warnings })}\n`);
}
