/** What an output holds: a run, or several that plain code began. */
import type { RunDocument } from './wire';

/** The documents that a document brings along, itself the first. */
export function documentsOf(document: RunDocument): RunDocument[] {
  const more: unknown[] = Array.isArray(document.more) ? document.more : [];
  const told = more.filter(each => typeof each === 'object' && each !== null);
  return [document, ...(told as RunDocument[])];
}
