// Presses that count: only those that were meant for the button they hit.

const SETTLE_MS = 700;

const buttons = new Set();
let timer = null;

// A form that appears or goes moves what is under the pointer, and so does coming back to the page:
// for a moment no button of any form takes a press.
function settle() {
  for (const button of buttons) button.setAttribute("aria-disabled", "true");
  clearTimeout(timer);
  timer = setTimeout(() => {
    for (const button of buttons) button.removeAttribute("aria-disabled");
  }, SETTLE_MS);
}
document.addEventListener("visibilitychange", () => document.hidden || settle());

// Call `act` when the button is pressed on purpose. A key must go down on the button itself, alone
// and once: in browsers, Enter also presses a button that gets the focus while the key is down.
// Returns what forgets the button.
function onPress(button, act) {
  const isSettling = () => button.getAttribute("aria-disabled") === "true";
  let tooEarly = false;
  let isOwnKey = false;
  button.addEventListener("pointerdown", () => (tooEarly = isSettling()));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const isModified = event.shiftKey || event.ctrlKey || event.metaKey || event.altKey;
    isOwnKey = !event.repeat && !isModified && !isSettling();
    tooEarly = false;
    if (!isOwnKey) event.preventDefault();
  });
  for (const name of ["keypress", "keyup"]) {
    button.addEventListener(name, (event) => {
      if (!isOwnKey) event.preventDefault();
      if (name === "keyup") isOwnKey = false;
    });
  }
  button.addEventListener("click", () => {
    if (!tooEarly && !isSettling()) act();
  });
  buttons.add(button);
  return () => buttons.delete(button);
}

export { onPress, settle };
