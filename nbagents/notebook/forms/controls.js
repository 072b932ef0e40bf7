// What the user fills in, one control a field.

import { visible } from "./visible.js";

const FEW = 6; // Options that are shown all at once.

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function words(option, field) {
  if (option === null) return "none";
  return typeof option === "boolean" ? visible(field.labels[option ? 0 : 1]) : visible(String(option));
}

/* Controls: each has a node, and knows its value, whether it is empty, and how to be focused. */

const INPUTS = {
  text: { type: "text" },
  password: { type: "password" },
  number: { type: "number", step: "any" },
  integer: { type: "number", step: "1" },
  date: { type: "date" },
  datetime: { type: "datetime-local" },
  time: { type: "time" },
};

function lineControl(field, id) {
  const input = h("input", {
    ...INPUTS[field.kind],
    id,
    min: field.minimum,
    max: field.maximum,
    autocomplete: "off",
    spellcheck: field.kind === "text" ? "true" : "false",
  });
  let start = field.default ?? "";
  if (field.kind === "datetime") start = String(start).slice(0, 16);
  if (field.kind !== "password") input.value = start;
  return {
    node: input,
    main: input,
    get: () => input.value,
    set: (value) => (input.value = value),
    empty: () => input.value === "" && !input.validity.badInput,
    problem: () => (input.validity.badInput ? "This cannot be read." : ""),
  };
}

function longControl(field, id) {
  const json = field.kind === "json";
  const area = h("textarea", { id, rows: json ? 3 : 4, class: json ? "nb-code" : "nb-long", spellcheck: json ? "false" : "true" });
  const start = field.default ?? "";
  area.value = json && start !== "" ? JSON.stringify(start, null, 2) : start;
  if (field.kind === "lines") area.value = [start].flat().join("\n");
  return {
    node: area,
    main: area,
    get: () => area.value,
    set: (value) => (area.value = value),
    empty: () => area.value === "",
    problem: () => {
      if (!json || area.value === "") return "";
      try {
        JSON.parse(area.value);
        return "";
      } catch (error) {
        return `Not valid JSON: ${error.message}`;
      }
    },
  };
}

function optionsControl(field, id) {
  const many = field.kind === "choices";
  const options = field.kind === "yesno" ? (field.nullable ? [true, false, null] : [true, false]) : field.options;
  const known = options.map((option) => JSON.stringify(option));
  const start = many ? (field.default ?? []).map((one) => JSON.stringify(one)) : [JSON.stringify(field.default)];
  const chosen = (index) => start.includes(known[index]) && (field.default !== null || !field.required);
  const inputs = options.map((_, index) =>
    h("input", { type: many ? "checkbox" : "radio", name: id, id: `${id}-${index}`, checked: chosen(index) }),
  );
  const node = h(
    "div",
    { class: "nb-options" },
    ...inputs.map((input, index) => h("label", { class: "nb-option" }, input, h("span", {}, words(options[index], field)))),
  );
  const picked = () => options.filter((_, index) => inputs[index].checked);
  return {
    node,
    main: inputs[0],
    group: true,
    get: () => (many ? picked() : picked()[0]),
    set: (value) => {
      const wanted = (many ? value : [value]).map((one) => JSON.stringify(one));
      inputs.forEach((input, index) => (input.checked = wanted.includes(known[index])));
    },
    empty: () => !many && picked().length === 0,
    problem: () => "",
  };
}

function selectControl(field, id) {
  const start = field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(field.default));
  const select = h(
    "select",
    { id },
    h("option", { value: "" }, "Choose…"),
    ...field.options.map((option, index) => h("option", { value: index }, words(option, field))),
  );
  select.value = start < 0 ? "" : String(start);
  return {
    node: select,
    main: select,
    get: () => (select.value === "" ? undefined : field.options[Number(select.value)]),
    set: (value) => (select.value = String(field.options.indexOf(value))),
    empty: () => select.value === "",
    problem: () => "",
  };
}

function fileControl(field, id, largest) {
  const several = field.kind === "files";
  const input = h("input", { type: "file", id, multiple: several });
  let kept = [];
  const list = h("div", { class: "nb-files" });
  // The browser itself names a single file that was chosen here.
  const show = (named) =>
    list.replaceChildren(...kept.map((file) => h("div", {}, named ? `${file.name} · ${size(file.size)}` : size(file.size))));
  input.addEventListener("change", () => {
    kept = [...input.files];
    show(several);
  });
  return {
    node: h("div", {}, input, list),
    main: input,
    get: () => kept,
    set: (value) => {
      kept = value;
      show(true);
    },
    empty: () => kept.length === 0,
    problem: () => {
      const heavy = kept.find((file) => file.size > largest);
      return heavy ? `${heavy.name} is too large (${size(heavy.size)}): a form takes files up to ${size(largest)}.` : "";
    },
    several,
    file: true,
  };
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1).replace(/\.0$/, "")} MB`;
}

function controlFor(field, id, largest) {
  if (field.kind in INPUTS) return lineControl(field, id);
  if (["long", "lines", "json"].includes(field.kind)) return longControl(field, id);
  if (field.kind === "file" || field.kind === "files") return fileControl(field, id, largest);
  if (field.kind === "choice" && field.options.length > FEW) return selectControl(field, id);
  return optionsControl(field, id);
}

/* Show what of a text that can be edited cannot be seen. */
function unseenIn(input, id) {
  const note = h("div", { class: "nb-help nb-unseen", id });
  const show = () => {
    const seen = visible(input.value);
    note.hidden = seen === input.value;
    note.textContent = note.hidden ? "" : `With hidden characters: ${seen}`;
  };
  input.addEventListener("input", show);
  show();
  return note;
}

function row(field, control, id) {
  const blank = [null, ""].includes(field.default) && field.kind !== "yesno";
  const optional = blank && (!field.required || field.nullable);
  const label = [h("span", {}, visible(field.label || ""))];
  if (optional && field.label) label.push(h("span", { class: "nb-optional" }, " optional"));
  const told = [field.help, field.kind === "lines" ? "One per line." : ""].filter(Boolean).join(" ");
  const help = told ? h("div", { class: "nb-help", id: `${id}-help` }, visible(told)) : null;
  const wrong = h("div", { class: "nb-wrong", id: `${id}-wrong`, hidden: true });
  const unseen = "value" in control.main && control.main.type !== "password" && !control.file && !control.group;
  const marks = unseen ? unseenIn(control.main, `${id}-unseen`) : null;
  const described = [told && `${id}-help`, unseen && `${id}-unseen`, `${id}-wrong`].filter(Boolean).join(" ");
  control.wrong = wrong;
  if (control.group) {
    return h("fieldset", { class: "nb-row", "aria-describedby": described }, h("legend", { class: field.label ? "" : "nb-hidden" }, ...(field.label ? label : ["Answer"])), control.node, help, wrong);
  }
  control.main.setAttribute("aria-describedby", described);
  const short = ["number", "integer", "date", "datetime", "time"].includes(field.kind);
  return h("div", { class: short ? "nb-row nb-short" : "nb-row" }, h("label", { for: id, class: field.label ? "" : "nb-hidden" }, ...(field.label ? label : ["Answer"])), control.node, help, marks, wrong);
}

export { controlFor, h, row, words };
