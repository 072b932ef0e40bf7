// Invisible characters as code points: the page's half of nbagents/untrusted.py.

const UNSEEN =
  "\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f" +
  "\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ud800-\\udfff\\ue000-\\uf8ff\\ufdd0-\\ufdef\\ufe00-\\ufe0f\\ufeff" +
  "\\uffa0\\ufff0-\\ufffb\\ufffe\\uffff\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}" +
  "\\u{e0000}-\\u{e0fff}\\u{f0000}-\\u{10ffff}";
const HIDDEN = new RegExp(`[${UNSEEN}]`, "gu");
const INEXACT = new RegExp(`[${UNSEEN}\\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]`, "gu");
// Arabic through Sinhala, Myanmar, Khmer, and Mongolian: scripts whose spelling uses joiners.
const JOINING = /[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af]/u;
const SYMBOL = /(?![\0-\x7f])[\p{So}\p{Sk}\p{Sm}]/u;
const IDEOGRAPH = /[\u3400-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/u;

/* Tell whether an invisible character belongs to the spelling of its neighbors. */
function belongs(char, before, after) {
  if ("\u200c\u200d".includes(char) && JOINING.test(before) && JOINING.test(after)) return true;
  if (char === "\u200d") return (before === "\ufe0f" || SYMBOL.test(before)) && SYMBOL.test(after);
  if ("\ufe0e\ufe0f".includes(char)) {
    const isKeycap = /[#*0-9]/.test(before) && after === "\u20e3";
    return isKeycap || SYMBOL.test(before) || /[\u203c\u2049\u3030\u2139]/.test(before);
  }
  return /[\u{e0100}-\u{e01ef}]/u.test(char) && IDEOGRAPH.test(before);
}

/* Replace each invisible or bidirectional character by its code point in quotes, as in U+202E. */
function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(HIDDEN, (char, at, whole) => {
    const before = [...whole.slice(Math.max(0, at - 2), at)].at(-1) ?? "";
    const after = [...whole.slice(at + char.length, at + char.length + 2)][0] ?? "";
    if (belongs(char, before, after)) return char;
    return `\u2039U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`;
  });
}

/* Escape each character of JSON text that is invisible or looks like another kind of space. */
function exact(json) {
  return json.replace(INEXACT, (char) =>
    [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}

export { exact, visible };
