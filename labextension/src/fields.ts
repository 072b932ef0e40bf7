/**
 * The fields of a form, from the JSON Schema of the answer, and the answer from their values.
 *
 * As `nbagents/notebook/forms/fields.py` does it for the forms in cells.
 */

export type Kind =
  | 'text'
  | 'long'
  | 'lines'
  | 'password'
  | 'number'
  | 'integer'
  | 'date'
  | 'datetime'
  | 'time'
  | 'yesno'
  | 'choice'
  | 'choices'
  | 'file'
  | 'files'
  | 'json';

/** One thing to fill in. */
export interface Field {
  /** The property of the answer; empty when the field is the whole answer. */
  name: string;
  label: string;
  kind: Kind;
  /** False when the answer may leave it out, and `default` counts. */
  required: boolean;
  /** True when nothing, as JSON `null`, is an answer. */
  nullable: boolean;
  default: unknown;
  options: unknown[];
  minimum: number | null;
  maximum: number | null;
  help: string;
  /** The words for true and false. */
  labels: [string, string];
}

/** A JSON Schema, of which only what is looked at is known. */
interface Schema {
  [key: string]: unknown;
  $ref?: string;
  $defs?: Record<string, Schema>;
  anyOf?: Schema[];
  const?: unknown;
  enum?: unknown[];
  format?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  title?: string;
  type?: string;
}

type Defs = Record<string, Schema>;

const MOST_BUTTONS = 6;
const STRINGS = new Map<string, Kind>([
  ['date', 'date'],
  ['date-time', 'datetime'],
  ['password', 'password'],
  ['textarea', 'long'],
  ['time', 'time']
]);

/** List what has to be filled in: one field a property of a model, else a single one. */
export function fieldsOf(schema: Schema): Field[] {
  const defs = schema.$defs ?? {};
  const root = resolved(schema, defs);
  if (!root.properties || isFile(root)) {
    return [field('', '', schema, defs, true)];
  }
  return Object.entries(root.properties).map(([name, inner]) =>
    field(name, inner.title ?? words(name), inner, defs, root.required?.includes(name) ?? false)
  );
}

/**
 * Find the field whose options are buttons that answer at once, if the form has such a one.
 *
 * It is the only one that has to be filled in, so that nothing else can be forgotten.
 */
export function decision(fields: Field[]): Field | null {
  const needed = fields.filter(one => one.required);
  const [only] = needed;
  if (needed.length !== 1 || only.nullable) {
    return null;
  }
  const few = only.kind === 'choice' && only.options.length <= MOST_BUTTONS;
  return few || only.kind === 'yesno' ? only : null;
}

/**
 * Make the answer from what stands in the fields, by their names.
 *
 * Numbers, dates and JSON are the texts that were typed; an empty one, or a value that is not
 * there, is left to the default. Throws `SyntaxError` for JSON that is none.
 */
export function assemble(fields: Field[], values: Record<string, unknown>): unknown {
  const given = fields.map(one => [one.name, valueOf(one, own(values, one.name))] as const);
  if (fields.length === 1 && fields[0].name === '') {
    return given[0][1] === undefined ? '' : given[0][1];
  }
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Say what is wrong, by the name of the field; what belongs to none is under `""`. */
export function explain(fields: Field[], message: string): Record<string, string> {
  const told = message.split(' does not fit. ').at(-1) ?? message;
  const problems = Object.create(null) as Record<string, string>;
  let last = '';
  for (const piece of told.split('; ')) {
    const colon = piece.indexOf(': ');
    const name = piece.slice(0, Math.max(colon, 0)).split('.')[0];
    if (colon >= 0 && fields.some(one => one.name === name)) {
      problems[name] = piece.slice(colon + 2);
      last = name;
    } else if (last in problems) {
      problems[last] += `; ${piece}`;
    } else {
      problems[''] = piece;
    }
  }
  return problems;
}

function field(name: string, label: string, schema: Schema, defs: Defs, required: boolean): Field {
  const [inner, nullable] = withoutNull(resolved(schema, defs), defs);
  const [found, options] = kindOf(inner, defs);
  // Some lines of it would become several.
  const isBroken = [schema.default ?? []].flat().some(line => String(line).includes('\n'));
  const kind = found === 'lines' && isBroken ? 'json' : found;
  let minimum = number(inner.minimum);
  let maximum = number(inner.maximum);
  if (kind === 'integer') {
    const above = number(inner.exclusiveMinimum);
    const below = number(inner.exclusiveMaximum);
    minimum ??= above === null ? null : above + 1;
    maximum ??= below === null ? null : below - 1;
  }
  return {
    name,
    label,
    kind,
    required,
    nullable,
    default: schema.default ?? null,
    options: nullable && kind === 'choice' ? [...options, null] : options,
    minimum,
    maximum,
    help: name ? String(schema.description ?? '') : '',
    labels: labelsOf(inner)
  };
}

function labelsOf(schema: Schema): [string, string] {
  const { labels } = schema;
  const [yes, no] = Array.isArray(labels) && labels.length === 2 ? (labels as unknown[]) : [];
  return typeof yes === 'string' && typeof no === 'string' ? [yes, no] : ['Yes', 'No'];
}

/** Choose how it is filled in, and among which options. */
function kindOf(schema: Schema, defs: Defs): [Kind, unknown[]] {
  const own = choicesOf(schema);
  if (own) {
    return ['choice', own];
  }
  const items = resolved(schema.items ?? {}, defs);
  const listed = choicesOf(items);
  switch (schema.type) {
    case 'boolean':
      return ['yesno', []];
    case 'integer':
    case 'number':
      return [schema.type, []];
    case 'string':
      return [STRINGS.get(schema.format ?? '') ?? 'text', []];
    case 'null':
      return ['choice', [null]];
    case 'object':
      return [isFile(schema) ? 'file' : 'json', []];
    case 'array':
      return listed ? ['choices', listed] : [kindOfList(schema, items), []];
    case undefined:
      return [kindOfUnion(schema, defs), []];
  }
  return ['json', []];
}

function kindOfList(schema: Schema, items: Schema): Kind {
  if (isFile(items)) {
    return 'files';
  }
  return items.type === 'string' && !('prefixItems' in schema) ? 'lines' : 'json';
}

function choicesOf(schema: Schema): unknown[] | null {
  return schema.enum ?? (Object.hasOwn(schema, 'const') ? [schema.const] : null);
}

/** Take a text where a text is an answer; for other mixtures JSON says which one is meant. */
function kindOfUnion(schema: Schema, defs: Defs): Kind {
  const said = Object.keys(schema).filter(
    key => !['default', 'description', 'title'].includes(key)
  );
  const types = (schema.anyOf ?? []).map(member => resolved(member, defs).type);
  return said.length === 0 || types.includes('string') ? 'text' : 'json';
}

function resolved(schema: Schema, defs: Defs): Schema {
  let found = schema;
  while (found.$ref !== undefined) {
    const { $ref, ...rest } = found;
    found = { ...own(defs, $ref.replace('#/$defs/', '')), ...rest };
  }
  return found;
}

function withoutNull(schema: Schema, defs: Defs): [Schema, boolean] {
  const members = schema.anyOf ?? [];
  const others = members.filter(member => member.type !== 'null');
  if (others.length === members.length) {
    return [schema, false];
  }
  return [others.length === 1 ? resolved(others[0], defs) : { ...schema, anyOf: others }, true];
}

/** Tell whether it is the schema of a file. */
function isFile(schema: Schema): boolean {
  const properties = schema.properties ?? {};
  return Object.hasOwn(properties, 'media_type') && own(properties, 'type')?.const === 'file';
}

/** Look up a name that may be any string, such as `constructor`. */
function own<T>(values: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function words(name: string): string {
  const text = name.replaceAll('_', ' ').trim();
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}

function valueOf(one: Field, value: unknown): unknown {
  if (value === undefined) {
    return one.nullable && one.required ? null : undefined;
  }
  if (one.kind === 'lines' && typeof value === 'string') {
    const lines = value
      .split('\n')
      .map(line => line.trim())
      .filter(line => line);
    return lines.length ? lines : nothing(one);
  }
  if (value === null || value === '') {
    return nothing(one);
  }
  if (one.kind === 'number' || one.kind === 'integer') {
    return typed(value);
  }
  return one.kind === 'json' ? JSON.parse(String(value)) : value;
}

/** Say what an empty field means; a secret that is there already is not shown in its field. */
function nothing(one: Field): unknown {
  if (one.kind === 'password' && !one.required) {
    return undefined;
  }
  if (one.nullable || one.options.includes(null)) {
    return null;
  }
  if (one.kind === 'lines') {
    return one.required || one.default !== null ? [] : undefined;
  }
  const text = ['text', 'long', 'password'].includes(one.kind);
  return text && (one.required || one.default !== null) ? '' : undefined;
}

/** Read a number; what is none, or too large for one here, stays a text, which is checked there. */
function typed(value: unknown): unknown {
  const found = Number(value);
  const exact = Number.isFinite(found) && (!Number.isInteger(found) || Number.isSafeInteger(found));
  return exact ? found : value;
}
