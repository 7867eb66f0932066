/** Queue, disks, and the models in service with their versions. */
import { useCallback } from "react";
import { dataOrThrow, type HeparClient, type Schemas, type ServedModel } from "../../api.ts";
import { ErrorBox } from "../../components/ErrorBox.tsx";
import { useInterval } from "../../components/useInterval.ts";
import { useResource } from "../../components/useResource.ts";
import { WideTable } from "../../components/WideTable.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { useSession } from "../../session/SessionProvider.tsx";

const REFRESH_MS = 10_000;
const GIGABYTE = 1e9;
/** As the alerts of Prometheus: below a tenth of free space, an operator should act. */
const LOW_SHARE = 0.1;

export function SystemPage() {
  const { hepar } = useSession();
  const system = useResource(useCallback(async () => dataOrThrow(await hepar.GET("/v1/system")), [hepar]));
  const models = useResource(useCallback(() => servedModels(hepar), [hepar]));
  useInterval(() => void Promise.all([system.reload(), models.reload()]), REFRESH_MS);
  return (
    <>
      <ErrorBox error={system.error} />
      {system.data ? <System system={system.data} /> : null}
      <ErrorBox error={models.error} />
      {models.data ? <Models models={models.data} /> : null}
    </>
  );
}

async function servedModels(hepar: HeparClient): Promise<readonly ServedModel[]> {
  return dataOrThrow(await hepar.GET("/v1/models", { params: {} })).models;
}

function System({ system: { queue, disks, software_version, database, object_storage } }: { system: Schemas["SystemState"] }) {
  const translator = useTranslator();
  const facts = [
    ["waitingStudies", queue.waiting],
    ["runningStudies", queue.running],
    ["oldestWait", queue.oldest_wait_s === null ? translator.text("none") : translator.text("minutes", { count: Math.ceil(queue.oldest_wait_s / 60) })],
    ["finishedLastDay", queue.finished_last_day],
    ["failedLastDay", queue.failed_last_day],
  ] as const;
  return (
    <>
      <h2>{translator.text("studyQueue")}</h2>
      <dl className="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{translator.text(label)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h2>{translator.text("storage")}</h2>
      {disks.map((disk) => (
        <Disk key={disk.purpose} disk={disk} />
      ))}
      <p className="quiet">{`Hepar ${software_version} · ${translator.term(database)} · ${translator.term(`storage_${object_storage}`)}`}</p>
    </>
  );
}

function Disk({ disk: { purpose, total_bytes, free_bytes } }: { disk: Schemas["Disk"] }) {
  const translator = useTranslator();
  const share = total_bytes > 0 ? free_bytes / total_bytes : 0;
  const label = translator.term(`disk_${purpose}`);
  return (
    <p className={share < LOW_SHARE ? "warning" : ""}>
      <meter min={0} max={1} high={1 - LOW_SHARE} optimum={0} value={1 - share} aria-label={label} /> {label}:{" "}
      {translator.text("freeSpace", { free: Math.round(free_bytes / GIGABYTE), total: Math.round(total_bytes / GIGABYTE), percent: translator.percent(share) })}
    </p>
  );
}

function Models({ models }: { models: readonly ServedModel[] }) {
  const translator = useTranslator();
  return (
    <>
      <h2>{translator.text("models")}</h2>
      <WideTable label={translator.text("models")} columns={["model", "task", "versionsInService", "status"]}>
        {models.map(({ card, serving, versions }) => (
          <tr key={card.name}>
            <th scope="row">
              <span className="nowrap">{card.name}</span>
            </th>
            <td>{translator.term(card.task)}</td>
            <td>
              <Versions versions={versions} />
            </td>
            <td className={serving ? "" : "warning"}>{translator.text(serving ? "available" : "unavailable")}</td>
          </tr>
        ))}
      </WideTable>
    </>
  );
}

/** With their shares of the requests. */
function Versions({ versions }: { versions: ServedModel["versions"] | undefined }) {
  const translator = useTranslator();
  if (!versions) return translator.text("newestVersion");
  const weights = Object.entries(versions.serving);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  const serving = weights.map(([version, weight]) => (weights.length > 1 ? `${version} (${translator.percent(weight / total)})` : version));
  const shadow = versions.shadow?.length ? [translator.text("shadowVersions", { versions: versions.shadow.join(", ") })] : [];
  return [...serving, ...shadow].join(", ");
}
