/** JSON values for the eye: short ones in a line, long ones clipped, files by their names. */
import type { FilePart } from './wire';

export const SHORT_ARGS = 90;
const SHORT_VALUE = 60;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Read a file from the JSON of an output. */
export function fileOf(value: unknown): FilePart | null {
  const isFile = isObject(value) && value.type === 'file' && typeof value.media_type === 'string';
  return isFile ? (value as unknown as FilePart) : null;
}

/** Count the bytes of base64. */
export function bytesOf(data: string): number {
  return Math.floor((data.replace(/=+$/, '').length * 3) / 4);
}

/** Put the name and the size of files into the place of their bytes. */
function withoutBytes(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutBytes);
  }
  if (!isObject(value)) {
    return value;
  }
  if (value.type === 'file' && typeof value.data === 'string') {
    const bytes = counted(bytesOf(value.data));
    return `[file: ${value.name ?? value.media_type}, ${bytes} bytes]`;
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutBytes(one)]));
}

/** Write arguments as they would stand in a call, short enough for a line. */
export function oneLine(args: Record<string, unknown>): string {
  const shown = Object.entries(args).map(([name, value]) =>
    name ? `${name}=${plain(value)}` : plain(value)
  );
  return clipped(shown.join(', '), SHORT_ARGS);
}

/** Write a JSON value over several lines, unless it is short; of files the names. */
export function pretty(value: unknown): string {
  const known = withoutBytes(value);
  const line = plain(known);
  return line.length <= SHORT_VALUE ? line : JSON.stringify(known, null, 2);
}

/** Write a JSON value in one line. */
export function plain(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(plain).join(', ')}]`;
  }
  if (isObject(value)) {
    const members = Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${plain(v)}`);
    return `{${members.join(', ')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** Indent a result that is a JSON object or array. */
export function readable(text: string): string {
  if (!/^[{[]/.test(text)) {
    return text;
  }
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Cut a text that is too long. */
export function clipped(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

/** Write a whole number: 12,345. */
export function counted(value: number): string {
  return value.toLocaleString('en-US');
}

/** Write a time of the day, in the reader's own time zone: 09:05. */
export function clock(at: number): string {
  const date = new Date(at * 1000);
  const [hours, minutes] = [date.getHours(), date.getMinutes()];
  return `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
}

/** Write a day and a time: 2030-01-31 09:05. */
export function day(at: number): string {
  const date = new Date(at * 1000);
  const [month, dayOf] = [date.getMonth() + 1, date.getDate()].map(n => String(n).padStart(2, '0'));
  return `${date.getFullYear()}-${month}-${dayOf} ${clock(at)}`;
}
