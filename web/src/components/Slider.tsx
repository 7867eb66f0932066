import { useTranslator } from "../i18n/LanguageProvider.tsx";

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange(value: number): void;
}

export function Slider({ label, value, min, max, step, onChange }: SliderProps) {
  const written = useTranslator().number(value, step < 1 ? 2 : 0);
  return (
    <label>
      {label}
      <input
        type="range"
        value={value}
        min={min}
        max={max}
        step={step}
        aria-valuetext={written}
        onChange={(event) => onChange(Number(event.target.value))}
      />
      <span aria-hidden="true">{written}</span>
    </label>
  );
}
