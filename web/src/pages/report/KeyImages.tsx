import type { StudyResult } from "../../api.ts";
import { Field, useForm } from "../../components/form.tsx";
import { useTranslator } from "../../i18n/LanguageProvider.tsx";
import { candidateSlices, KEY_SLICES_MAX, toggled } from "../../studies/reportOptions.ts";
import { SliceImage } from "../studies/SliceImage.tsx";

interface KeyImagesProps {
  result: StudyResult;
  /** In the order of the report. */
  chosen: readonly number[];
  onChange(chosen: readonly number[]): void;
}

/** The slices that the report shows, chosen by hand. */
export function KeyImages({ result, chosen, onChange }: KeyImagesProps) {
  const translator = useTranslator();
  return (
    <section aria-labelledby="key-images">
      <h2 id="key-images">{translator.text("keyImages")}</h2>
      <p className="quiet">{translator.text("keyImagesHint", { count: chosen.length, maximum: KEY_SLICES_MAX })}</p>
      <ul className="slices">
        {candidateSlices(result, chosen).map((index) => (
          <li key={index}>
            <SliceButton result={result} index={index} chosen={chosen} onChange={onChange} />
          </li>
        ))}
      </ul>
      <AddSlice slices={result.volume.slices} chosen={chosen} onChange={onChange} />
    </section>
  );
}

function SliceButton({ result, index, chosen, onChange }: KeyImagesProps & { index: number }) {
  const translator = useTranslator();
  const place = chosen.indexOf(index);
  const lesions = result.lesions.filter(({ first_slice, last_slice }) => first_slice <= index && index <= last_slice);
  const full = place < 0 && chosen.length >= KEY_SLICES_MAX;
  const last = place >= 0 && chosen.length === 1;
  return (
    <button type="button" aria-pressed={place >= 0} disabled={full || last} onClick={() => onChange(toggled(chosen, index))}>
      <SliceImage studyId={result.study_id} version={result.version} index={index} side={96} />
      {[translator.text("sliceNumber", { number: index + 1 }), ...lesions.map(({ id }) => id)].join(" · ")}
    </button>
  );
}

interface AddSliceProps extends Pick<KeyImagesProps, "chosen" | "onChange"> {
  slices: number;
}

function AddSlice({ slices, chosen, onChange }: AddSliceProps) {
  const translator = useTranslator();
  const { onSubmit } = useForm(async (field) => {
    const index = Number(field("slice")) - 1;
    if (!chosen.includes(index)) onChange(toggled(chosen, index));
  });
  const full = chosen.length >= KEY_SLICES_MAX;
  return (
    <form onSubmit={onSubmit} className="tools">
      <Field name="slice" type="number" label={translator.text("sliceToAdd", { count: slices })} min={1} max={slices} required disabled={full} />
      <button disabled={full}>{translator.text("addSlice")}</button>
    </form>
  );
}
