/** The part of daikon that codecs.ts uses; the package has no types. */
declare module "daikon" {
  interface Image {
    decompress(): void;
    getRawData(): ArrayBuffer;
  }
  const daikon: { Series: { parseImage(data: DataView): Image | null } };
  export default daikon;
}
