/** The part of daikon that is used; it comes without types. */
declare module "daikon" {
  interface Image {
    decompress(): void;
    getRawData(): ArrayBuffer;
  }
  const daikon: { Series: { parseImage(data: DataView): Image | null } };
  export default daikon;
}
