// The form of one question. All that it has to tell goes in custom messages; see widget.py.
// The panel of the labextension draws it too. It never takes the focus by itself: what the user
// types is meant for the place where the user works.
import { controlFor, h, row, words } from "./controls.js";
import { onPress, settle } from "./press.js";
import { visible } from "./visible.js";

const GONE = "The kernel was restarted: this question is gone. Run the cell again.";
const SILENT = "The kernel did not answer. What you typed is still here: send it again.";
const EMPTY = "This field is empty. Press Send again to leave it blank.";
const PINGS = [0, 250, 500, 1000, 2000];
const ANSWER_MS = 3000;
const CLOSED_MS = 1000;
const PIECE = 4_000_000; // Servers refuse messages of more than 10 MiB.

// What the views of one question share: a cell that is moved is drawn anew.
const questions = new Map();

function shared(id) {
  if (!questions.has(id)) questions.set(id, { views: 0, draft: new Map(), over: false, closing: null });
  return questions.get(id);
}

/* Files travel in pieces, ahead of the values. */

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function upload(model, file, name) {
  const text = await base64(file);
  for (let at = 0; at < text.length; at += PIECE) {
    model.send({ kind: "piece", file: name, text: text.slice(at, at + PIECE) });
  }
  return { name: file.name, media_type: file.type || "application/octet-stream", pieces: name };
}

/* The form. */

function toNotebook(node) {
  const cell = node.closest(".jp-Cell, .cell");
  document.activeElement?.blur();
  cell?.focus({ preventScroll: true });
}

function render({ model, el }) {
  const spec = model.get("spec");
  const share = shared(spec.id);
  share.views += 1;
  clearTimeout(share.closing);
  // The panel may draw the same question, with a copy of this module.
  const key = `nbagents-${Math.random().toString(36).slice(2)}`;
  const decided = spec.fields.find((field) => field.name === spec.decision) ?? null;
  const fields = spec.fields.filter((field) => field !== decided);
  const controls = fields.map((field, index) => {
    const control = controlFor(field, `${key}-${index}`, spec.largest_file);
    control.field = field;
    if (share.draft.has(field.name)) control.set(share.draft.get(field.name));
    return control;
  });

  const alert = h("div", { class: "nb-alert", role: "alert" });
  const status = h("span", { class: "nb-status", role: "status" });
  const news = h("div", { class: "nb-hidden", role: "status" });
  const forgetting = [];
  const buttons = buttonsFor(decided);
  const later = h("button", { type: "button", class: "nb-button nb-quiet", title: "Postpone the question; the run waits" }, "Later");
  const prompt = h("div", { class: "nb-prompt", id: `${key}-prompt` });
  prompt.innerHTML = spec.prompt; // Made safe by the kernel: Markdown without raw HTML.
  const rows = controls.map((control, index) => row(control.field, control, `${key}-${index}`));
  const body = h("fieldset", { class: "nb-body" }, ...rows);
  const legend = decided?.label ? h("div", { class: "nb-decide", id: `${key}-decide` }, visible(decided.label)) : null;
  const help = decided?.help ? h("div", { class: "nb-help" }, visible(decided.help)) : null;
  const actions = h("div", { class: "nb-actions", role: "group", "aria-labelledby": legend && `${key}-decide` }, ...buttons, later, status);
  const form = h(
    "form",
    { class: "nbagents-form", tabindex: "-1", novalidate: true, "data-lm-suppress-shortcuts": "true", role: "group", "aria-labelledby": `${key}-prompt` },
    h("div", { class: "nb-head" }, h("span", { class: "nb-dot", "aria-hidden": "true" }), h("span", {}, h("b", {}, spec.asker), " asks")),
    prompt,
    spec.reason ? h("div", { class: "nb-reason" }, spec.reason) : null,
    spec.details ? h("pre", { class: "nb-details", tabindex: "0", "aria-label": "Details" }, spec.details) : null,
    body,
    alert,
    legend,
    help,
    actions,
    news,
  );
  body.hidden = rows.length === 0;
  el.classList.add("nbagents-form-host");
  el.append(form);

  let acknowledged = false;
  let nonce = null;
  let timer = null;
  let allowEmpty = false;
  let general = []; // What is wrong with no field of its own.
  let ended = false;
  let focused = false; // Before its controls were disabled, which loses the focus.

  function busy(on) {
    body.disabled = on;
    for (const button of [...buttons, later]) button.disabled = on;
    form.setAttribute("aria-busy", String(on));
    status.textContent = on ? "Sending…" : "";
  }

  function complain(problems) {
    const wrong = controls.filter((control) => Object.hasOwn(problems, control.field.name));
    const labelled = wrong.filter((control) => control.field.label);
    for (const control of wrong) control.main.setAttribute("aria-invalid", "true");
    for (const control of labelled) {
      control.wrong.textContent = visible(problems[control.field.name]);
      control.wrong.hidden = false;
    }
    const shown = labelled.map((control) => control.field.name);
    general = Object.entries(problems).filter(([name]) => !shown.includes(name)).map(([, text]) => text);
    sum();
    (wrong[0] ?? controls[0])?.main.focus();
  }

  /* Say what is wrong in all, and which fields are still to be corrected. */
  function sum() {
    const left = controls.filter((control) => !control.wrong.hidden).map((control) => control.field.label);
    const named = left.length ? [`Please check: ${left.join(", ")}.`] : [];
    alert.textContent = visible([...general, ...named].join("\n"));
  }

  function forgive(control) {
    control.wrong.hidden = true;
    control.wrong.textContent = "";
    control.main.removeAttribute("aria-invalid");
  }

  function incomplete() {
    const problems = Object.create(null); // Any name may be that of a field.
    for (const control of controls) {
      const { field } = control;
      const typed = ["text", "long", "lines", "password"].includes(field.kind);
      const problem = control.problem();
      if (problem) problems[field.name] = problem;
      else if (control.empty() && field.required && !field.nullable) {
        if (!typed) problems[field.name] = control.group || field.kind === "choice" ? "Please choose." : "Please fill this in.";
        else if (!allowEmpty) problems[field.name] = EMPTY;
      }
    }
    if (Object.keys(problems).length === 0) return false;
    complain(problems);
    allowEmpty = Object.values(problems).every((text) => text === EMPTY);
    return true;
  }

  async function submit(choice) {
    if (body.disabled || share.over) return;
    general = [];
    alert.textContent = "";
    controls.forEach(forgive);
    if (incomplete()) return;
    focused = form.contains(document.activeElement);
    busy(true);
    const mine = `${key}-${Math.random()}`;
    nonce = mine;
    let bytes = 0;
    try {
      const values = Object.create(null);
      if (decided) values[decided.name] = choice;
      for (const control of controls) {
        let value = control.get();
        if (control.file) {
          const sent = [];
          for (const [index, file] of value.entries()) {
            bytes += file.size;
            sent.push(await upload(model, file, `${mine}-${control.field.name}-${index}`));
          }
          value = control.several ? sent : sent[0];
        }
        if (value !== undefined) values[control.field.name] = value;
      }
      model.send({ kind: "submit", nonce: mine, values });
    } catch (error) {
      busy(false);
      alert.textContent = `${SILENT} (${error.message})`;
      return;
    }
    timer = setTimeout(() => {
      if (share.over) return;
      busy(false);
      alert.textContent = SILENT;
    }, ANSWER_MS + bytes / 1000);
  }

  function buttonsFor(field) {
    if (field === null) return [pressable("Send", "nb-primary", () => submit())];
    const options = field.kind === "yesno" ? [true, false] : field.options;
    // All look the same: to deny must be as easy as to allow.
    return options.map((option) => pressable(words(option, field), "nb-choice", () => submit(option)));
  }

  function pressable(label, look, act) {
    const button = h("button", { type: "button", class: `nb-button ${look}` }, label);
    forgetting.push(onPress(button, act));
    return button;
  }

  function over(text) {
    if (ended) return;
    ended = share.over = true;
    settle();
    clearTimeout(timer);
    busy(true);
    status.textContent = "";
    if (!text) return;
    form.classList.add("nb-gone");
    alert.textContent = text;
    body.disabled = false; // What was typed can still be copied.
    for (const control of controls) control.main.readOnly = true;
  }

  function onMessage(message) {
    if (message.kind === "ack") acknowledged = true;
    else if (message.kind === "problem" && message.nonce === nonce) {
      clearTimeout(timer);
      busy(false);
      complain(message.problems);
    } else if (message.kind === "done") {
      // Answered elsewhere, what is being typed here must not become shortcuts of the notebook.
      if (form.contains(document.activeElement)) document.activeElement.blur();
      else if (focused && document.activeElement === document.body) toNotebook(form);
      over("");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  for (const name of ["input", "change"]) {
    form.addEventListener(name, (event) => {
      allowEmpty = false;
      for (const control of controls) {
        if (control.field.kind !== "password") share.draft.set(control.field.name, control.get());
        if (!control.node.contains(event.target)) continue;
        forgive(control);
        if (alert.textContent && !share.over) {
          general = [];
          sum();
        }
      }
    });
  }
  forgetting.push(
    onPress(later, () => {
      focused = true;
      busy(true);
      model.send({ kind: "later" });
      timer = setTimeout(() => busy(false), ANSWER_MS);
    }),
  );
  form.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const { target, key: pressed } = event;
    if (pressed === "Escape") {
      event.preventDefault();
      toNotebook(form);
    } else if (pressed === "Enter" && ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) && target.type !== "file") {
      const modified = event.ctrlKey || event.metaKey || event.shiftKey;
      if (target.tagName === "TEXTAREA" && !modified) return;
      event.preventDefault();
      if (!decided) submit(); // A decision is made with its button alone.
    }
  });
  // What is typed here is no shortcut of the notebook.
  for (const name of ["keydown", "keyup", "keypress", "paste", "copy", "cut"]) {
    form.addEventListener(name, (event) => event.stopPropagation());
  }

  model.on("msg:custom", onMessage);
  // Both are told when the kernel has gone, or has forgotten the question.
  model.on("comm_live_update", () => over(GONE));
  model.on("comm:close", () => over(GONE));
  const pings = PINGS.map((after) => setTimeout(() => !acknowledged && !share.over && model.send({ kind: "ready" }), after));

  if (spec.problem) alert.textContent = spec.problem;
  settle();
  requestAnimationFrame(() => (news.textContent = `${spec.asker} asks, and waits for your answer.`));

  return () => {
    forgetting.forEach((forget) => forget());
    pings.forEach(clearTimeout);
    clearTimeout(timer);
    share.views -= 1;
    if (share.views > 0 || share.over) return;
    share.closing = setTimeout(() => {
      if (share.views > 0 || share.over) return;
      try {
        model.send({ kind: "closed" });
      } catch {
        share.over = true; // There is nobody to tell.
      }
    }, CLOSED_MS);
  };
}

export default { render };
