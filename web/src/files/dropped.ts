/** Files that were dropped or chosen, folders included. */
import type { NamedFile } from "../queue/items.ts";

const NATURAL_ORDER = new Intl.Collator(undefined, { numeric: true });

/** Must be called in the event's handler: the browser empties the DataTransfer afterwards. */
export async function droppedFiles(transfer: DataTransfer): Promise<NamedFile[]> {
  const plain = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return plain.map((file) => ({ name: file.name, file }));
  return (await Promise.all(entries.map(filesOf))).flat();
}

export function chosenFiles(files: Iterable<File>): NamedFile[] {
  const named = [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
  return named.some(({ file }) => file.webkitRelativePath) ? named.toSorted(byName) : named;
}

/** What cannot be read, for example without permission, is listed without content, so that the list shows it. */
async function filesOf(entry: FileSystemEntry): Promise<NamedFile[]> {
  const name = entry.fullPath.replace(/^\//, "");
  try {
    if (entry.isFile) return [{ name, file: await fileOf(entry as FileSystemFileEntry) }];
    const children = await childrenOf(entry as FileSystemDirectoryEntry);
    return (await Promise.all(children.map(filesOf))).flat().toSorted(byName);
  } catch {
    return [{ name, file: new File([], entry.name) }];
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader returns its entries in portions; an empty one is the last. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return children;
    children.push(...portion);
  }
}

function byName(one: NamedFile, other: NamedFile): number {
  return NATURAL_ORDER.compare(one.name, other.name);
}
