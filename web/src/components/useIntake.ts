import { useCallback } from "react";
import { useLocation, useNavigate } from "react-router";
import { contentOf } from "../files/content.ts";
import type { NamedFile } from "../queue/items.ts";
import { useSession } from "../session/SessionProvider.tsx";

const IMAGES_PAGE = "/upload";
const STUDIES_PAGE = "/studies";

/** What became of files: the number of images that were listed, or one study that is being sent. */
export interface Intake {
  kind: "study" | "images";
  count: number;
}

/**
 * Takes files that were dropped or chosen: a study is sent, and single images are listed. Opens the page that shows them.
 *
 * DICOM files without a folder are single images on the page of images, and a study elsewhere. What is neither is refused
 * with its reason by the list of images there, and by the service elsewhere. Returns undefined for no files.
 */
export function useIntake(): (listing: Promise<NamedFile[]>) => Promise<Intake | undefined> {
  const { queue, sender } = useSession();
  const { pathname } = useLocation();
  const navigate = useNavigate();
  return useCallback(
    async (listing) => {
      const sorted = listing.then(async (files) => {
        const content = await contentOf(files);
        const isStudy = content === "study" || (content !== "images" && pathname !== IMAGES_PAGE);
        return { files, isStudy };
      });
      // At once: both forget what is still being listed when the session ends.
      sender.sendListed(sorted.then(({ files, isStudy }) => (isStudy ? files : [])));
      void queue.addListed(sorted.then(({ files, isStudy }) => (isStudy ? [] : files)));
      const { files, isStudy } = await sorted;
      if (files.length === 0) return undefined;
      await navigate(isStudy ? STUDIES_PAGE : IMAGES_PAGE);
      return { kind: isStudy ? "study" : "images", count: files.length };
    },
    [queue, sender, pathname, navigate],
  );
}
