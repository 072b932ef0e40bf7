"use strict";(self.rspackChunk_nbagents_labextension=self.rspackChunk_nbagents_labextension||[]).push([["style_index_js"],{"./node_modules/css-loader/dist/cjs.js!./style/index.css"(n,a,e){var r=e("./node_modules/css-loader/dist/runtime/noSourceMaps.js"),o=e.n(r),t=e("./node_modules/css-loader/dist/runtime/api.js"),i=e.n(t),s=e("./node_modules/css-loader/dist/cjs.js!./style/viewer.css"),b=e("./node_modules/css-loader/dist/cjs.js!./style/panel.css"),l=i()(o());l.i(s.A),l.i(b.A),l.push([n.id,`/* An SVG in an image cannot see the theme; it is told by this. */
body[data-jp-theme-light='false'] .jp-OutputArea-output img {
  color-scheme: dark;
}
`,""]),e.d(a,{},{A:l})},"./node_modules/css-loader/dist/cjs.js!./style/panel.css"(n,a,e){var r=e("./node_modules/css-loader/dist/runtime/noSourceMaps.js"),o=e.n(r),t=e("./node_modules/css-loader/dist/runtime/api.js"),i=e.n(t),s=e("./node_modules/css-loader/dist/cjs.js!../nbagents/notebook/forms/form.css"),b=i()(o());b.i(s.A),b.push([n.id,`.nbagents-panel {
  --nb-warn: var(--jp-warn-color0, #e65100);
  --nb-muted: color-mix(in srgb, var(--jp-ui-font-color1) 70%, var(--jp-layout-color1));
  overflow: auto;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.45;
  overflow-wrap: anywhere;
}

.nbagents-panel:focus-visible {
  outline: 1px solid var(--jp-brand-color1);
  outline-offset: -1px;
}

.nbagents-panel section {
  padding: 0 0 6px;
}

.nbagents-panel h2 {
  position: sticky;
  z-index: 1;
  top: 0;
  display: flex;
  gap: 6px;
  margin: 0;
  padding: 9px 12px 5px;
  background: var(--jp-layout-color1);
  color: var(--nb-muted);
  font-size: 11px;
  font-weight: 600;
  letter-spacing: 0.05em;
  text-transform: uppercase;
}

.nbagents-panel .nbagents-count {
  font-weight: 400;
}

.nbagents-panel ul {
  margin: 0;
  padding: 0;
  list-style: none;
}

.nbagents-panel .nbagents-empty {
  margin: 0;
  padding: 2px 12px 6px;
  color: var(--nb-muted);
}

.nbagents-panel > .nbagents-empty {
  padding: 14px 12px;
}

.nbagents-panel code {
  padding: 0 3px;
  border-radius: 3px;
  background: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-code-font-family);
  font-size: 0.94em;
}

.nbagents-panel .nbagents-row {
  padding: 3px 12px 4px;
}

.nbagents-panel .nbagents-run {
  display: flex;
  align-items: center;
  padding: 0;
}

.nbagents-panel .nbagents-run:hover {
  background: var(--jp-layout-color2);
}

.nbagents-panel .nbagents-run > .nbagents-button {
  flex: none;
  margin-right: 10px;
}

.nbagents-panel .nbagents-go {
  flex: 1;
  min-width: 0;
  padding: 4px 12px 5px;
  border: 0;
  background: none;
  color: inherit;
  font: inherit;
  text-align: left;
  cursor: pointer;
}

.nbagents-panel .nbagents-line {
  display: flex;
  align-items: baseline;
  gap: 6px;
  min-width: 0;
}

.nbagents-panel .nbagents-line b {
  font-weight: 600;
}

.nbagents-panel .nbagents-facts {
  display: block;
  color: var(--nb-muted);
  font-size: 0.92em;
}

.nbagents-panel .nbagents-run .nbagents-facts {
  margin-left: 18px;
}

.nbagents-panel .nbagents-kind {
  flex: none;
  color: var(--nb-muted);
  font-size: 0.88em;
}

.nbagents-panel .nbagents-sign {
  flex: none;
  width: 12px;
  color: var(--nb-muted);
  font-weight: 600;
  text-align: center;
}

.nbagents-panel .nbagents-sign[data-status='running'] {
  color: var(--jp-brand-color1);
  animation: nbagents-beat 2s ease-in-out infinite;
}

.nbagents-panel .nbagents-sign[data-status='finished'] {
  color: var(--jp-success-color1);
}

.nbagents-panel .nbagents-sign[data-status='failed'] {
  color: var(--jp-error-color1);
}

.nbagents-panel .nbagents-sign:is([data-status='waiting'], [data-status='limited']) {
  color: var(--nb-warn);
}

@keyframes nbagents-beat {
  50% {
    opacity: 0.3;
  }
}

.nbagents-panel .nbagents-question {
  margin: 2px 10px 8px;
  padding: 8px 10px 9px;
  border: 1px solid var(--jp-border-color2);
  border-left: 3px solid var(--nb-warn);
  border-radius: 3px 6px 6px 3px;
}

.nbagents-panel .nbagents-prompt {
  display: -webkit-box;
  margin: 2px 0 0;
  overflow: hidden;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 4;
}

.nbagents-panel :is(.nbagents-prompt, .nb-prompt) > * {
  margin: 0 0 4px;
}

.nbagents-panel .nbagents-actions {
  display: flex;
  gap: 6px;
  margin-top: 8px;
}

.nbagents-panel .nbagents-button {
  padding: 2px 10px;
  min-height: 24px;
  border: 1px solid color-mix(in srgb, var(--jp-ui-font-color1) 55%, var(--jp-layout-color1));
  border-radius: 3px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font: inherit;
  font-size: 0.94em;
  cursor: pointer;
}

.nbagents-panel .nbagents-button:hover:enabled {
  background: var(--jp-layout-color3);
}

.nbagents-panel .nbagents-button:disabled {
  opacity: 0.6;
  cursor: default;
}

.nbagents-panel .nbagents-primary {
  border-color: transparent;
  background: color-mix(in srgb, var(--jp-brand-color1) 78%, #000);
  color: #fff;
}

.nbagents-panel .nbagents-primary:hover:enabled {
  background: color-mix(in srgb, var(--jp-brand-color1) 66%, #000);
}

.nbagents-panel :is(.nbagents-button, .nbagents-go):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -1px;
}

.nbagents-panel .nbagents-quiet {
  border-color: transparent;
  background: none;
  color: var(--nb-muted);
}

.nbagents-panel .nbagents-answer + .nbagents-actions {
  justify-content: flex-end;
  margin: 4px -6px -4px 0;
}

/* The form is drawn as in a cell, without its own frame. */
.nbagents-panel .nbagents-form {
  margin: 0;
  padding: 0;
  border: 0;
  font-size: inherit;
}

.nbagents-panel .nbagents-form .nb-quiet {
  display: none;
}

.nbagents-panel .nbagents-form .nb-actions {
  margin-top: 10px;
}

.nbagents-panel .nbagents-form .nb-button {
  padding: 3px 12px;
  min-height: 28px;
}

.nbagents-panel .nbagents-unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

/* What is asked is words, not Python. */
.nbagents-asked,
.nbagents-asked span {
  color: var(--jp-content-font-color1) !important;
  font-weight: normal !important;
}

/* What was answered stands in the run above it, if that is open. */
.jp-OutputArea:has(.nba-viewer:not([hidden], .nba-folded, .nba-pile))
  .jp-OutputArea-child:has(.nbagents-answered) {
  display: none;
}

/* A question waits: seen at the side bar while the panel is closed. */
.lm-TabBar-tab.nbagents-waits .lm-TabBar-tabIcon {
  position: relative;
}

.lm-TabBar-tab.nbagents-waits .lm-TabBar-tabIcon::after {
  content: '';
  position: absolute;
  top: calc(50% - 13px);
  left: calc(50% + 4px);
  width: 8px;
  height: 8px;
  border: 1px solid var(--jp-layout-color1);
  border-radius: 50%;
  background: var(--jp-warn-color0, #e65100);
}

.nbagents-found {
  animation: nbagents-found 1.6s ease-out;
}

@keyframes nbagents-found {
  from {
    box-shadow: inset 0 0 0 200vmax color-mix(in srgb, var(--jp-brand-color1) 22%, transparent);
  }
}

@media (prefers-reduced-motion: reduce) {
  .nbagents-panel .nbagents-sign[data-status='running'] {
    animation: none;
  }

  .nbagents-found {
    animation-timing-function: steps(1, end);
  }
}
`,""]),e.d(a,{},{A:b})},"./node_modules/css-loader/dist/cjs.js!./style/viewer.css"(n,a,e){var r=e("./node_modules/css-loader/dist/runtime/noSourceMaps.js"),o=e.n(r),t=e("./node_modules/css-loader/dist/runtime/api.js"),i=(e.n(t))()(o());i.push([n.id,`/* The viewer of a run. Colours are JupyterLab's; elsewhere those behind the commas hold. */

.nba-viewer {
  --nba-ink: var(--jp-ui-font-color1, light-dark(#1f2328, #e6e6e6));
  --nba-line: var(--jp-border-color2, light-dark(#d8dee4, #4a4a4a));
  --nba-paper: var(--jp-layout-color1, light-dark(#ffffff, #1b1b1b));
  /* JupyterLab's own second colour is too faint on its grey. */
  --nba-faint: color-mix(in srgb, var(--nba-ink) 70%, var(--nba-paper));
  --nba-ground: color-mix(in srgb, var(--nba-ink) 7%, var(--nba-paper));
  --nba-control: color-mix(in srgb, var(--nba-ink) 55%, var(--nba-paper));
  --nba-blue: var(--jp-brand-color1, light-dark(#1976d2, #64b5f6));
  --nba-green: var(--jp-success-color1, light-dark(#2e7d32, #81c784));
  --nba-orange: var(--jp-warn-color0, light-dark(#e65100, #ffb74d));
  --nba-red: var(--jp-error-color1, light-dark(#d32f2f, #ef9a9a));
  --nba-code: var(--jp-code-font-family, ui-monospace, 'SF Mono', Menlo, Consolas, monospace);
  --nba-link: var(--jp-content-link-color, light-dark(#0b57d0, #8ab4f8));
  --nba-word: color-mix(
    in srgb,
    var(--jp-mirror-editor-keyword-color, light-dark(#1a7f37, #7ee787)) 75%,
    var(--nba-ink)
  );
  --nba-text: color-mix(
    in srgb,
    var(--jp-mirror-editor-string-color, light-dark(#b3261e, #ffab91)) 75%,
    var(--nba-ink)
  );
  --nba-number: color-mix(
    in srgb,
    var(--jp-mirror-editor-number-color, light-dark(#116329, #a5d6a7)) 75%,
    var(--nba-ink)
  );
  --nba-name: color-mix(
    in srgb,
    var(--jp-mirror-editor-def-color, light-dark(#0550ae, #79c0ff)) 75%,
    var(--nba-ink)
  );
  --nba-edge: var(--nba-faint);

  color: var(--nba-ink);
  font-family: var(--jp-content-font-family, system-ui, sans-serif);
  font-size: var(--jp-content-font-size1, 14px);
  line-height: 1.5;
  border-left: 3px solid var(--nba-edge);
  padding: 2px 0 2px 12px;
  margin: 2px 0;
  overflow-wrap: break-word;
  container-type: inline-size;
}

.nba-viewer[data-look='busy'] {
  --nba-edge: var(--nba-blue);
}
.nba-viewer[data-look='good'] {
  --nba-edge: var(--nba-green);
}
.nba-viewer[data-look='warn'] {
  --nba-edge: var(--nba-orange);
}
.nba-viewer[data-look='bad'] {
  --nba-edge: var(--nba-red);
}

.nba-viewer [hidden] {
  display: none !important;
}

.nba-viewer p {
  margin: 0;
}

.nba-busy {
  color: var(--nba-blue);
}
.nba-good {
  color: var(--nba-green);
}
.nba-warn {
  color: var(--nba-orange);
}
.nba-bad {
  color: var(--nba-red);
}
.nba-still,
.nba-quiet {
  color: var(--nba-faint);
}

/* The head: who, how it stands, and the small tools. */

.nba-head {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 12px;
  align-items: baseline;
  font-size: 0.86em;
  margin-bottom: 2px;
}

.nba-title {
  flex: 1 1 20em;
}

.nba-crease {
  margin: 0 -8px 0 -4px;
}
.nba-crease::before {
  content: '▸';
}
.nba-crease[aria-expanded='true']::before {
  content: '▾';
}

.nba-folded > :not(.nba-head),
.nba-folded .nba-bar-of-tools {
  display: none;
}
.nba-folded .nba-title {
  color: var(--nba-faint);
}

.nba-piled > .nba-viewer {
  margin-left: 10px;
}

.nba-badge {
  border: 1px solid var(--nba-orange);
  border-radius: 8px;
  padding: 0 6px;
  margin-left: 6px;
  white-space: nowrap;
}

.nba-bar-of-tools {
  display: flex;
  flex-wrap: wrap;
  gap: 2px;
}

.nba-button {
  appearance: none;
  font: inherit;
  color: var(--nba-faint);
  background: none;
  border: 1px solid transparent;
  border-radius: 4px;
  padding: 0 7px;
  cursor: pointer;
}

.nba-button:hover {
  color: var(--nba-ink);
  background: var(--nba-ground);
}

.nba-button[aria-pressed='true'] {
  color: var(--nba-ink);
  background: var(--nba-ground);
  border-color: var(--nba-control);
}

.nba-finder,
.nba-replay {
  display: flex;
  gap: 8px;
  align-items: center;
  font-size: 0.86em;
  padding: 3px 0 5px;
}

.nba-input {
  font: inherit;
  color: inherit;
  background: var(--nba-paper);
  border: 1px solid var(--nba-control);
  border-radius: 4px;
  padding: 2px 6px;
}

.nba-finder .nba-input[type='search'] {
  flex: 1 1 12em;
  max-width: 28em;
}

.nba-slider {
  flex: 1;
  accent-color: var(--nba-blue);
}

.nba-replay .nba-quiet {
  min-width: 11em;
  font-variant-numeric: tabular-nums;
}

.nba-problem,
.nba-how {
  font-size: 0.86em;
  padding: 2px 0;
}

.nba-how code,
.nba-row code {
  font-family: var(--nba-code);
  font-size: 0.92em;
}

/* The tree, with the picture beside it where there is room. */

/* A picture is never shrunk, so that it can be read: without room beside it, it is above. */
.nba-columns {
  display: flex;
  flex-flow: row wrap;
  align-items: flex-start;
  gap: 8px 16px;
}

.nba-columns > .nba-map {
  flex: 0 1 auto;
  max-width: 100%;
}

.nba-list {
  flex: 1 1 26em;
  min-width: min(26em, 100%);
}

.nba-list.nba-windowed {
  height: min(640px, 70vh);
  overflow: auto;
  overflow-anchor: none;
  border-top: 1px solid var(--nba-line);
  border-bottom: 1px solid var(--nba-line);
}

.nba-row {
  padding: 1px 4px 1px calc(var(--nba-depth) * 18px + 16px);
  position: relative;
  border-radius: 3px;
}

.nba-row[aria-expanded] {
  cursor: pointer;
}

.nba-row[aria-expanded]:hover {
  background: var(--nba-ground);
}

.nba-row[aria-expanded]::before {
  content: '';
  position: absolute;
  left: calc(var(--nba-depth) * 18px + 4px);
  top: 0.58em;
  width: 6px;
  height: 8px;
  background: var(--nba-faint);
  clip-path: polygon(0 0, 100% 50%, 0 100%);
}

.nba-row[aria-expanded='true']::before {
  transform: rotate(90deg);
}

.nba-viewer .nba-row:focus-visible {
  outline-offset: -2px;
}

.nba-row.nba-flush {
  padding-left: 2px;
}

.nba-viewer :focus-visible {
  outline: 2px solid var(--nba-blue);
  outline-offset: 1px;
}

.nba-turn {
  display: flex;
  align-items: center;
  gap: 8px;
  color: var(--nba-faint);
  font-size: 0.86em;
}
.nba-turn::after {
  content: '';
  flex: 1;
  border-top: 1px solid var(--nba-line);
}

.nba-flash {
  animation: nba-flash 1.2s ease-out;
}

@keyframes nba-flash {
  from {
    background: color-mix(in srgb, var(--nba-blue) 30%, transparent);
  }
}

.nba-inside > p,
.nba-resumed,
.nba-note {
  margin: 3px 0;
}

.nba-note,
.nba-resumed {
  font-size: 0.86em;
}

.nba-resumed {
  border-top: 1px solid var(--nba-line);
  padding-top: 2px;
  color: var(--nba-faint);
}

.nba-question {
  border-left: 3px solid var(--nba-faint);
  padding-left: 10px;
  margin: 4px 0;
}

.nba-edge-warn {
  border-color: var(--nba-orange);
}
.nba-edge-good {
  border-color: var(--nba-green);
}

.nba-label {
  font-size: 0.8em;
  color: var(--nba-faint);
}

.nba-viewer pre.nba-code,
.nba-markdown pre {
  font-family: var(--nba-code);
  font-size: 0.88em;
  line-height: 1.45;
  background: var(--nba-ground);
  color: inherit;
  border-radius: 4px;
  margin: 2px 0 4px;
  padding: 5px 9px;
  max-height: 24em;
  overflow: auto;
  white-space: pre-wrap;
  /* JupyterLab breaks the words of all output anywhere. */
  word-break: normal;
  overflow-wrap: break-word;
}

.nba-markdown > :first-child {
  margin-top: 0;
}
.nba-markdown > :last-child {
  margin-bottom: 0;
}
.nba-markdown :is(p, ul, ol, pre, table, blockquote) {
  margin: 0 0 0.5em;
}
.nba-markdown :is(h1, h2, h3, h4) {
  margin: 0.7em 0 0.3em;
  font-size: 1.1em;
  line-height: 1.3;
}
.nba-markdown code {
  font-family: var(--nba-code);
  background: var(--nba-ground);
  border-radius: 3px;
  padding: 0 3px;
}
.nba-markdown pre code {
  padding: 0;
  background: none;
}
.nba-markdown a {
  color: var(--nba-link);
}
.nba-markdown blockquote {
  padding: 0 0 0 10px;
  border-inline-start: 3px solid var(--nba-line);
  color: var(--nba-faint);
}

/* What others write as a formula stays within its own box. */
.nba-formula {
  display: inline-block;
  max-width: 100%;
  overflow: auto hidden;
  vertical-align: middle;
  contain: paint;
}
.nba-formula.nba-display {
  display: block;
  max-height: 24em;
  overflow: auto;
  margin: 0.3em 0 0.5em;
  text-align: center;
}

.nba-markdown .hljs-comment,
.nba-markdown .hljs-quote,
.nba-markdown .hljs-meta {
  color: var(--nba-faint);
  font-style: italic;
}
.nba-markdown :is(.hljs-keyword, .hljs-literal, .hljs-selector-tag, .hljs-name, .hljs-type) {
  color: var(--nba-word);
}
.nba-markdown :is(.hljs-string, .hljs-regexp, .hljs-deletion) {
  color: var(--nba-text);
}
.nba-markdown :is(.hljs-number, .hljs-attr, .hljs-attribute, .hljs-symbol, .hljs-addition) {
  color: var(--nba-number);
}
.nba-markdown :is(.hljs-title, .hljs-section, .hljs-built_in, .hljs-variable) {
  color: var(--nba-name);
}
.nba-markdown table {
  border-collapse: collapse;
}
.nba-markdown :is(td, th) {
  border: 1px solid var(--nba-line);
  padding: 1px 8px;
}

.nba-picture {
  max-width: 100%;
}

/* The picture takes the colours of the page: of its own, which read on white, only lines stay. */

.nba-map {
  overflow: auto;
}

.nba-map svg {
  display: block;
  color: var(--nba-ink);
}

.nba-map :is(text, tspan) {
  fill: var(--nba-ink);
}

.nba-map [data-node] > text > tspan {
  fill: var(--nba-faint);
}

.nba-map use {
  color: color-mix(in srgb, var(--nba-blue) 55%, var(--nba-ink));
}

.nba-map g:not([data-node]) > rect {
  fill: var(--nba-paper);
}

.nba-map g[data-node] {
  --nba-state: var(--nba-control);

  cursor: pointer;
}

.nba-map g[data-node] > rect:not([fill='none']) {
  fill: color-mix(in srgb, var(--nba-state) 14%, var(--nba-paper));
  stroke: var(--nba-state);
  transition:
    fill 0.2s,
    stroke 0.2s;
}

.nba-map g[data-status='pending'] > rect:not([fill='none']) {
  fill: var(--nba-paper);
}
.nba-map g[data-status='running'] {
  --nba-state: var(--nba-blue);
}
.nba-map g[data-status='waiting'] {
  --nba-state: var(--nba-orange);
}
.nba-map g[data-status='done'] {
  --nba-state: var(--nba-green);
}
.nba-map g[data-status='failed'] {
  --nba-state: var(--nba-red);
}
.nba-map g:is([data-status='running'], [data-status='waiting'], [data-status='failed']) > rect {
  stroke-width: 2.5;
}
.nba-map g:is([data-status='stopped'], [data-status='skipped']) > rect {
  stroke-dasharray: 5 3;
}
.nba-map path.nba-taken {
  stroke: var(--nba-blue);
  stroke-width: 3;
  stroke-dasharray: none;
}

::highlight(nba-found) {
  background: #ffd54a;
  color: #1f2328;
}

/* The time axis. */

.nba-timeline {
  display: grid;
  grid-template-columns: minmax(70px, max-content) 1fr;
  gap: 0 10px;
  padding: 2px 6px 6px 0;
  font-size: 0.8em;
  max-height: 330px;
  overflow: auto;
}

.nba-lanes {
  padding-top: 18px;
  max-width: 16em;
}

.nba-lane {
  height: 18px;
  line-height: 18px;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
  color: var(--nba-faint);
}

.nba-bars svg {
  display: block;
  width: 100%;
}

.nba-axis {
  position: relative;
  height: 18px;
  overflow: hidden;
  color: var(--nba-faint);
}

.nba-axis span {
  position: absolute;
  border-left: 1px solid var(--nba-line);
  padding-left: 3px;
  white-space: nowrap;
}

.nba-bar {
  cursor: pointer;
  fill: var(--nba-faint);
  opacity: 0.85;
}
.nba-bar:hover {
  opacity: 1;
}
.nba-bar-busy {
  fill: var(--nba-blue);
}
.nba-bar-good {
  fill: var(--nba-green);
}
.nba-bar-warn {
  fill: var(--nba-orange);
}
.nba-bar-bad {
  fill: var(--nba-red);
  stroke: var(--nba-ink);
  stroke-dasharray: 3 2;
  vector-effect: non-scaling-stroke;
}
.nba-bar-tool {
  opacity: 0.75;
}

@media (prefers-reduced-motion: reduce) {
  .nba-viewer * {
    animation: none !important;
    transition: none !important;
  }
}

@media (forced-colors: active) {
  .nba-button[aria-pressed='true'] {
    forced-color-adjust: none;
    color: HighlightText;
    background: Highlight;
  }
  .nba-row[aria-expanded]::before {
    forced-color-adjust: none;
    background: CanvasText;
  }
  .nba-bar {
    fill: CanvasText;
  }
  .nba-bar-bad {
    fill: Canvas;
    stroke: CanvasText;
  }
}

@media print {
  .nba-bar-of-tools,
  .nba-finder,
  .nba-replay {
    display: none;
  }
}
`,""]),e.d(a,{},{A:i})},"./node_modules/css-loader/dist/cjs.js!../nbagents/notebook/forms/form.css"(n,a,e){var r=e("./node_modules/css-loader/dist/runtime/noSourceMaps.js"),o=e.n(r),t=e("./node_modules/css-loader/dist/runtime/api.js"),i=(e.n(t))()(o());i.push([n.id,`.nbagents-form {
  --nb-accent: var(--jp-warn-color0, #e65100);
  --nb-brand: var(--jp-brand-color1, #1976d2);
  --nb-primary: color-mix(in srgb, var(--nb-brand) 78%, #000);
  --nb-text: var(--jp-ui-font-color1, rgba(0, 0, 0, 0.87));
  --nb-muted: color-mix(in srgb, var(--nb-text) 70%, var(--nb-paper));
  --nb-line: color-mix(in srgb, var(--nb-text) 55%, var(--nb-paper));
  --nb-faint: var(--jp-border-color2, #e0e0e0);
  --nb-paper: var(--jp-layout-color1, #fff);
  --nb-shade: var(--jp-layout-color2, #f5f5f5);
  --nb-wrong: color-mix(in srgb, var(--jp-error-color1, #d32f2f) 75%, var(--nb-text));
  box-sizing: border-box;
  max-width: 36em;
  margin: 6px 0 8px;
  padding: 12px 16px 14px;
  border: 1px solid var(--nb-faint);
  border-left: 3px solid var(--nb-accent);
  border-radius: 4px 8px 8px 4px;
  background: var(--nb-paper);
  color: var(--nb-text);
  font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: var(--jp-content-font-size1, 14px);
  line-height: 1.45;
  overflow-wrap: break-word;
}
.nbagents-form *, .nbagents-form *::before { box-sizing: border-box; }
.nbagents-form:focus { outline: none; }
.nbagents-form:focus-visible { outline: 2px solid var(--nb-brand); outline-offset: -1px; }
.nbagents-form [hidden] { display: none; }

.nbagents-form .nb-head {
  display: flex;
  align-items: center;
  gap: 7px;
  color: var(--nb-muted);
  font-size: 0.86em;
}
.nbagents-form .nb-head b { color: var(--nb-text); font-weight: 600; }
.nbagents-form .nb-dot {
  width: 8px;
  height: 8px;
  border-radius: 50%;
  background: var(--nb-accent);
  animation: nbagents-wait 2.4s ease-in-out infinite;
}
@keyframes nbagents-wait { 50% { opacity: 0.25; } }
@media (prefers-reduced-motion: reduce) { .nbagents-form .nb-dot { animation: none; } }

.nbagents-form .nb-prompt { margin: 6px 0 2px; font-size: 1.07em; }
.nbagents-form .nb-prompt > :first-child { margin-top: 0 !important; }
.nbagents-form .nb-prompt > :last-child { margin-bottom: 0 !important; }
.nbagents-form .nb-reason { color: var(--nb-muted); font-size: 0.93em; white-space: pre-wrap; }
.nbagents-form .nb-details {
  margin: 8px 0 0;
  padding: 8px 10px;
  max-height: 16em;
  overflow: auto;
  border-radius: 4px;
  background: rgba(127, 127, 127, 0.12);
  color: var(--nb-text);
  font-family: var(--jp-code-font-family, monospace);
  font-size: 0.9em;
  line-height: 1.4;
  white-space: pre-wrap;
  word-break: normal;
}

.nbagents-form fieldset { min-width: 0; margin: 0; padding: 0; border: 0; }
.nbagents-form .nb-body { margin-top: 12px; display: flex; flex-wrap: wrap; align-items: flex-start; gap: 12px 16px; }
.nbagents-form .nb-row { flex: 1 1 100%; min-width: 0; }
.nbagents-form .nb-short { flex: 0 1 auto; }
.nbagents-form .nb-body[hidden] { display: none; }
.nbagents-form .nb-row > label, .nbagents-form .nb-row > legend {
  display: block;
  width: auto;
  margin: 0 0 4px;
  padding: 0;
  border: 0;
  color: var(--nb-text);
  font-size: 0.93em;
  font-weight: 600;
}
.nbagents-form .nb-optional { color: var(--nb-muted); font-weight: 400; }
.nbagents-form .nb-help { margin: 3px 0 0; color: var(--nb-muted); font-size: 0.86em; }
.nbagents-form .nb-unseen { overflow-wrap: anywhere; color: var(--nb-wrong); }
.nbagents-form .nb-wrong { margin-top: 4px; color: var(--nb-wrong); font-size: 0.86em; }
.nbagents-form .nb-hidden {
  position: absolute;
  width: 1px !important;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

.nbagents-form :is(input:not([type="radio"], [type="checkbox"], [type="file"]), textarea, select) {
  width: 100%;
  margin: 0;
  padding: 6px 9px;
  min-height: 32px;
  border: 1px solid var(--nb-line);
  border-radius: 4px;
  background: var(--nb-paper);
  color: var(--nb-text);
  color-scheme: inherit;
  font: inherit;
}
.nbagents-form :is(input[type="number"], input[type="date"], input[type="datetime-local"], input[type="time"], select) {
  width: auto;
  min-width: 10em;
  max-width: 100%;
}
.nbagents-form textarea:is(.nb-long, .nb-code) {
  display: block;
  min-height: 5.4em;
  max-height: 24em;
  resize: vertical;
  field-sizing: content;
}
.nbagents-form textarea.nb-code { min-height: 4em; font-family: var(--jp-code-font-family, monospace); font-size: 0.93em; }
.nbagents-form :is(input, textarea, select):focus-visible {
  outline: 2px solid var(--nb-brand);
  outline-offset: -1px;
  border-color: var(--nb-brand);
}
.nbagents-form :is(input, textarea, select)[aria-invalid="true"] { border-color: var(--nb-wrong); }
.nbagents-form input[type="file"] { max-width: 100%; font: inherit; color: var(--nb-muted); }
.nbagents-form input[type="file"]::file-selector-button {
  margin-right: 10px;
  padding: 5px 12px;
  border: 1px solid var(--nb-line);
  border-radius: 4px;
  background: var(--nb-shade);
  color: var(--nb-text);
  font: inherit;
  cursor: pointer;
}
.nbagents-form .nb-files { color: var(--nb-muted); font-size: 0.86em; }

.nbagents-form .nb-options { display: flex; flex-wrap: wrap; gap: 6px; }
.nbagents-form .nb-option {
  display: inline-flex;
  align-items: center;
  gap: 7px;
  margin: 0;
  padding: 4px 11px 4px 9px;
  min-height: 32px;
  border: 1px solid var(--nb-line);
  border-radius: 16px;
  font-weight: 400;
  cursor: pointer;
}
.nbagents-form .nb-option:hover { background: var(--nb-shade); }
.nbagents-form .nb-option:has(:checked) {
  border-color: var(--nb-brand);
  background: color-mix(in srgb, var(--nb-brand) 11%, transparent);
}
.nbagents-form .nb-option:has(:focus-visible) { outline: 2px solid var(--nb-brand); outline-offset: 1px; }
.nbagents-form .nb-option input { margin: 0; accent-color: var(--nb-brand); outline: none; }

.nbagents-form .nb-decide { margin-top: 12px; font-size: 0.93em; font-weight: 600; }
.nbagents-form .nb-decide + .nb-help { margin: 0; }
.nbagents-form .nb-decide ~ .nb-actions { margin-top: 6px; }
.nbagents-form .nb-alert { color: var(--nb-wrong); font-size: 0.93em; white-space: pre-wrap; }
.nbagents-form .nb-alert:not(:empty) { margin-top: 10px; }
.nbagents-form .nb-alert:not(:empty)::before { content: "⚠ "; }
.nbagents-form .nb-actions { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 14px; }
.nbagents-form .nb-status { color: var(--nb-muted); font-size: 0.86em; }
.nbagents-form .nb-button {
  margin: 0;
  padding: 5px 16px;
  min-height: 34px;
  border: 1px solid var(--nb-line);
  border-radius: 4px;
  background: var(--nb-paper);
  color: var(--nb-text);
  font: inherit;
  font-weight: 500;
  cursor: pointer;
}
.nbagents-form .nb-button:hover:enabled { background: var(--nb-shade); }
.nbagents-form .nb-button:focus-visible { outline: 2px solid var(--nb-brand); outline-offset: 2px; }
.nbagents-form .nb-button:is(:disabled, [aria-disabled="true"]) { opacity: 0.55; cursor: default; }
.nbagents-form .nb-primary { border-color: transparent; background: var(--nb-primary); color: #fff; }
.nbagents-form .nb-primary:hover:enabled { background: color-mix(in srgb, var(--nb-primary) 85%, #000); }
.nbagents-form .nb-choice { min-width: 5.5em; }
.nbagents-form .nb-quiet { margin-left: auto; border-color: transparent; background: none; color: var(--nb-muted); }
.nbagents-form.nb-gone { border-left-color: var(--nb-line); }
.nbagents-form.nb-gone .nb-dot { visibility: hidden; }
`,""]),e.d(a,{},{A:i})},"./node_modules/css-loader/dist/runtime/api.js"(n){n.exports=function(n){var a=[];return a.toString=function(){return this.map(function(a){var e="",r=void 0!==a[5];return a[4]&&(e+="@supports (".concat(a[4],") {")),a[2]&&(e+="@media ".concat(a[2]," {")),r&&(e+="@layer".concat(a[5].length>0?" ".concat(a[5]):""," {")),e+=n(a),r&&(e+="}"),a[2]&&(e+="}"),a[4]&&(e+="}"),e}).join("")},a.i=function(n,e,r,o,t){"string"==typeof n&&(n=[[null,n,void 0]]);var i={};if(r)for(var s=0;s<this.length;s++){var b=this[s][0];null!=b&&(i[b]=!0)}for(var l=0;l<n.length;l++){var d=[].concat(n[l]);r&&i[d[0]]||(void 0!==t&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=t),e&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=e),o&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=o):d[4]="".concat(o)),a.push(d))}},a}},"./node_modules/css-loader/dist/runtime/noSourceMaps.js"(n){n.exports=function(n){return n[1]}},"./style/index.css"(n,a,e){var r=e("./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js"),o=e.n(r),t=e("./node_modules/style-loader/dist/runtime/styleDomAPI.js"),i=e.n(t),s=e("./node_modules/style-loader/dist/runtime/insertBySelector.js"),b=e.n(s),l=e("./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js"),d=e.n(l),p=e("./node_modules/style-loader/dist/runtime/insertStyleElement.js"),c=e.n(p),m=e("./node_modules/style-loader/dist/runtime/styleTagTransform.js"),g=e.n(m),f=e("./node_modules/css-loader/dist/cjs.js!./style/index.css"),u={};u.styleTagTransform=g(),u.setAttributes=d(),u.insert=b().bind(null,"head"),u.domAPI=i(),u.insertStyleElement=c(),o()(f.A,u),f.A&&f.A.locals&&f.A.locals},"./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js"(n){var a=[];function e(n){for(var e=-1,r=0;r<a.length;r++)if(a[r].identifier===n){e=r;break}return e}function r(n,r){for(var o={},t=[],i=0;i<n.length;i++){var s=n[i],b=r.base?s[0]+r.base:s[0],l=o[b]||0,d="".concat(b," ").concat(l);o[b]=l+1;var p=e(d),c={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==p)a[p].references++,a[p].updater(c);else{var m=function(n,a){var e=a.domAPI(a);return e.update(n),function(a){a?(a.css!==n.css||a.media!==n.media||a.sourceMap!==n.sourceMap||a.supports!==n.supports||a.layer!==n.layer)&&e.update(n=a):e.remove()}}(c,r);r.byIndex=i,a.splice(i,0,{identifier:d,updater:m,references:1})}t.push(d)}return t}n.exports=function(n,o){var t=r(n=n||[],o=o||{});return function(n){n=n||[];for(var i=0;i<t.length;i++){var s=e(t[i]);a[s].references--}for(var b=r(n,o),l=0;l<t.length;l++){var d=e(t[l]);0===a[d].references&&(a[d].updater(),a.splice(d,1))}t=b}}},"./node_modules/style-loader/dist/runtime/insertBySelector.js"(n){var a={};n.exports=function(n,e){var r=function(n){if(void 0===a[n]){var e=document.querySelector(n);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(n){e=null}a[n]=e}return a[n]}(n);if(!r)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");r.appendChild(e)}},"./node_modules/style-loader/dist/runtime/insertStyleElement.js"(n){n.exports=function(n){var a=document.createElement("style");return n.setAttributes(a,n.attributes),n.insert(a,n.options),a}},"./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js"(n,a,e){n.exports=function(n){var a=e.nc;a&&n.setAttribute("nonce",a)}},"./node_modules/style-loader/dist/runtime/styleDomAPI.js"(n){n.exports=function(n){if("u"<typeof document)return{update:function(){},remove:function(){}};var a=n.insertStyleElement(n);return{update:function(e){var r,o,t;r="",e.supports&&(r+="@supports (".concat(e.supports,") {")),e.media&&(r+="@media ".concat(e.media," {")),(o=void 0!==e.layer)&&(r+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),r+=e.css,o&&(r+="}"),e.media&&(r+="}"),e.supports&&(r+="}"),(t=e.sourceMap)&&"u">typeof btoa&&(r+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(t))))," */")),n.styleTagTransform(r,a,n.options)},remove:function(){var n;null===(n=a).parentNode||n.parentNode.removeChild(n)}}}},"./node_modules/style-loader/dist/runtime/styleTagTransform.js"(n){n.exports=function(n,a){if(a.styleSheet)a.styleSheet.cssText=n;else{for(;a.firstChild;)a.removeChild(a.firstChild);a.appendChild(document.createTextNode(n))}}},"./style/index.js"(n,a,e){e.r(a),e("./style/index.css")}}]);