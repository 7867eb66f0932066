/** The result of one image or of one frame. */
import { useCallback } from "react";
import { Link, useParams } from "react-router";
import { HeparProblem, isProblem, type Analysis } from "../api.ts";
import { ErrorBox } from "../components/ErrorBox.tsx";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useResource } from "../components/useResource.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { fetchAnnotated } from "../queue/details.ts";
import type { QueueItem } from "../queue/items.ts";
import { useQueueItems } from "../queue/UploadQueue.ts";
import { detectionOf, imageOf } from "../results.ts";
import { useSession } from "../session/SessionProvider.tsx";
import { Findings } from "./result/Findings.tsx";
import { FrameNavigation } from "./result/FrameNavigation.tsx";
import { ImagePanel } from "./result/ImagePanel.tsx";
import { ResultActions } from "./result/ResultActions.tsx";
import { usePicture } from "./result/usePicture.ts";

export default function ResultPage() {
  const { id } = useParams();
  const { queue } = useSession();
  const items = useQueueItems(queue);
  const item = items.find((known) => known.id === id);
  if (item?.analysis === undefined) return <NoResult />;
  const series = items.filter((known) => known.frame !== undefined && known.frame.seriesId === item.frame?.seriesId);
  return <Result key={item.id} item={item} analysis={item.analysis} series={series} />;
}

function NoResult() {
  const translator = useTranslator();
  usePageTitle(translator.text("results"));
  return (
    <section>
      <h1>{translator.text("results")}</h1>
      <p>{translator.text("noResult")}</p>
      <Link to="/upload">{translator.text("backToList")}</Link>
    </section>
  );
}

interface ResultProps {
  item: QueueItem;
  analysis: Analysis;
  /** All frames of the file; empty for a single image. */
  series: readonly QueueItem[];
}

function Result({ item, analysis, series }: ResultProps) {
  const translator = useTranslator();
  const { name, frame } = item;
  const title = frame ? translator.text("frameName", { name, number: frame.index + 1, count: frame.count }) : name;
  usePageTitle(title);
  return (
    <section className="result">
      <h1>{title}</h1>
      <p className="notice">{translator.text("notice")}</p>
      {frame ? <FrameNavigation current={item} series={series} /> : null}
      <div className="columns">
        <ImageColumn item={item} analysis={analysis} />
        <div className="findings">
          {isProblem(analysis.classification) ? (
            <ErrorBox error={new HeparProblem(analysis.classification)} />
          ) : (
            <Findings classification={analysis.classification} analysis={analysis} />
          )}
          {isProblem(analysis.detection) ? <ErrorBox error={new HeparProblem(analysis.detection)} /> : null}
          <ResultActions item={item} title={title} analysis={analysis} />
        </div>
      </div>
    </section>
  );
}

/** The interactive viewer, or the server's rendering if this browser cannot decode the file. */
function ImageColumn({ item, analysis }: { item: QueueItem; analysis: Analysis }) {
  const translator = useTranslator();
  const { picture, loading } = usePicture(item);
  if (loading) return <p role="status">{translator.text("loading")}</p>;
  const image = imageOf(analysis);
  const readAlike = image === undefined || (picture?.width === image.width && picture.height === image.height);
  if (picture !== undefined && readAlike) return <ImagePanel item={item} picture={picture} analysis={analysis} />;
  return detectionOf(analysis) ? <Rendering item={item} /> : <p>{translator.text("noPreview")}</p>;
}

/** By the server. */
function Rendering({ item }: { item: QueueItem }) {
  const translator = useTranslator();
  const { tokens } = useSession();
  const { data, error } = useResource(
    useCallback(async () => ({ png: await fetchAnnotated(item, tokens, new AbortController().signal) }), [item, tokens]),
  );
  if (error !== undefined) return <ErrorBox error={error} />;
  if (data === undefined) return <p role="status">{translator.text("loading")}</p>;
  if (data.png === undefined) return <p>{translator.text("noPreview")}</p>;
  return <img className="annotated" src={`data:image/png;base64,${data.png}`} alt={item.name} />;
}
