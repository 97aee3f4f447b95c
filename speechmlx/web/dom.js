// Small helpers for all modules: elements, words for errors, numbers for people, copying and saving.

export const $ = (selector, within = document) => within.querySelector(selector);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", textContent: text, onclick, ...properties });
}

// --- What is told ---

export function tell(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

export function showError(where, error) {
  const text = error ? inWords(error) : "";
  tell(where, text);
  where.hidden = !text;
}

const MICROPHONE = {
  NotAllowedError: "The microphone is blocked for this page. Allow it in the browser's address bar, and on a Mac in System Settings, Privacy & Security, Microphone.",
  NotFoundError: "No microphone was found. Connect one, then try again.",
  NotReadableError: "The microphone cannot be used: another program may have it.",
  OverconstrainedError: "That microphone is not here any more. Choose another one.",
};

export function inWords(error) {
  if (typeof error === "string") return error;
  if (error.name in MICROPHONE) return MICROPHONE[error.name];
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) return "Can't reach the server. Is it running?";
  return error.message;
}

// Shows the part where the result comes, where a narrow page has it below.
export function reveal(part) {
  if (matchMedia("(max-width: 56rem)").matches) part.scrollIntoView({ block: "start" });
}

// --- Numbers ---

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function bytes(count) {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  if (count >= 1e6) return `${Math.round(count / 1e6)} MB`;
  return `${Math.max(1, Math.round(count / 1e3))} kB`;
}

const languages = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "language" }) : null;

export function languageName(tag) {
  try {
    return languages?.of(tag) || tag;
  } catch {
    return tag;
  }
}

// --- Out of the page ---

export function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const saveText = (text, name, type = "text/plain") => save(new Blob([text], { type: `${type};charset=utf-8` }), name);

export async function copy(text, pressed) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else { // over plain http from another machine there is no clipboard
    const field = element("textarea", { value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const before = pressed.textContent;
  pressed.textContent = "Copied";
  setTimeout(() => (pressed.textContent = before), 1500);
}

// --- What stays in this browser ---

export function remembered(name) {
  try {
    return localStorage.getItem(`speechmlx.${name}`) || "";
  } catch {
    return "";
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`speechmlx.${name}`, value);
  } catch { /* a browser that keeps nothing */ }
}
