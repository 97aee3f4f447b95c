// The key of a server that wants one: asked for when it answers 401, kept in this tab (or in this browser), and sent
// with every request and socket. After a key was given, "keychange" tells the page to ask again.

const KEY = "speechmlx.key";
const SUBPROTOCOL_NAME = /^[\w!#$%&'*+.^`|~-]+$/; // what a subprotocol may be made of

const heldKey = () => sessionStorage.getItem(KEY) || localStorage.getItem(KEY) || "";

function holdKey(key, stays) {
  dropKey();
  (stays ? localStorage : sessionStorage).setItem(KEY, key);
}

function dropKey() {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

// --- Requests and sockets ---

export async function ask(url, options = {}) {
  const key = heldKey();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${encoded(key)}` }) };
  const response = await fetch(url, { ...options, headers });
  if (response.status === 401 && key === heldKey()) {
    dropKey();
    keyForm.show(key ? "That key is wrong, or not valid any more." : "This server wants a key.");
  }
  return response;
}

export function openSocket(url) {
  const key = heldKey();
  if (!key) return new WebSocket(url);
  if (SUBPROTOCOL_NAME.test(key)) return new WebSocket(url, ["bearer", key]);
  url.searchParams.set("token", key);
  return new WebSocket(url);
}

export function wantsKey() {
  return keyForm.form.isConnected;
}

function encoded(key) { // a header has bytes; a key may have any characters
  return String.fromCharCode(...new TextEncoder().encode(key));
}

// --- The field for the key ---

class KeyForm {
  constructor() {
    this.form = document.createElement("form");
    this.form.id = "key";
    this.note = document.createElement("p");
    this.note.setAttribute("role", "alert");
    this.field = Object.assign(document.createElement("input"), { type: "password", name: "key", required: true, autocomplete: "off" });
    this.stays = Object.assign(document.createElement("input"), { type: "checkbox", name: "stays" });
    const row = document.createElement("div");
    row.className = "row";
    const button = document.createElement("button");
    button.textContent = "Use this key";
    row.append(label("Key ", this.field, "field"), label("Keep it in this browser", this.stays, "check"), button);
    this.form.append(this.note, row);
    button.className = "primary";
    this.form.onsubmit = (event) => this.take(event);
    this.forget = Object.assign(document.createElement("button"), { type: "button", id: "forget-key", className: "quiet", textContent: "Forget the key" });
    this.forget.onclick = () => {
      dropKey();
      this.show("The key is forgotten.");
    };
    this.header = document.querySelector("header");
    this.header.append(this.forget);
    this.forget.hidden = !heldKey();
  }

  show(why) {
    this.note.textContent = why;
    this.forget.hidden = true;
    if (this.form.isConnected) return; // what is being typed stays
    this.header.after(this.form);
    this.field.focus();
  }

  take(event) {
    event.preventDefault();
    holdKey(this.field.value.trim(), this.stays.checked);
    this.field.value = "";
    this.form.remove();
    this.forget.hidden = false;
    document.dispatchEvent(new Event("keychange"));
  }
}

function label(text, field, style) {
  const made = document.createElement("label");
  made.className = style;
  made.append(...(style === "check" ? [field, text] : [text, field]));
  return made;
}

const keyForm = new KeyForm();
