interface OptionsProps<Value extends string> {
  values: readonly Value[];
  text(value: NoInfer<Value>): string;
}

/** Of a select. */
export function Options<Value extends string>({ values, text }: OptionsProps<Value>) {
  return values.map((value) => (
    <option key={value} value={value}>
      {text(value)}
    </option>
  ));
}
