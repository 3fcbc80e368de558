// The page without this file can be read, searched and paged. This adds buttons, live updates and keys.
"use strict";
document.documentElement.classList.add("has-script"); // at once, so that nothing jumps
document.addEventListener("DOMContentLoaded", () => {
  const say = document.body.dataset;

  // Answers, for everybody to see and for screen readers to hear.
  const LONGEST_SHOWN_MS = 6000; // chosen: time enough to read two lines; errors stay
  let timer = 0;
  function tell(text, isError = false) {
    const answer = document.getElementById("answer");
    clearTimeout(timer);
    answer.classList.toggle("is-error", isError);
    answer.textContent = text;
    if (text && !isError) timer = setTimeout(() => tell(""), LONGEST_SHOWN_MS);
  }

  // A document's own element is changed in place, so that focus, scrolling, open details, frames
  // and half-typed fields stay what they are.
  function morph(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    morphAttributes(old, fresh);
    if (!(old instanceof HTMLTextAreaElement)) morphChildren(old, fresh);
  }

  function morphAttributes(old, fresh) {
    const isFrame = old instanceof HTMLIFrameElement;
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !(isFrame && name === "src" && old.src === fresh.src)) {
        old.setAttribute(name, value);
      }
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open" && name !== "aria-busy") old.removeAttribute(name);
    }
  }

  // What an element is the same by: its id, or where it leads; a row, where its first link leads.
  function key(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    const link = node.matches("li, tr") ? node.querySelector("a[href]") : node;
    return node.id || link?.getAttribute("href") || "";
  }

  // Nothing that stays is moved: whoever holds the focus would lose it.
  function morphChildren(old, fresh) {
    const wanted = new Set([...fresh.childNodes].map(key).filter(Boolean));
    const known = new Map();
    for (const child of old.childNodes) if (wanted.has(key(child))) known.set(key(child), child);
    let place = old.firstChild;
    const drop = () => {
      const next = place.nextSibling;
      place.remove();
      place = next;
    };
    for (const child of [...fresh.childNodes]) {
      const same = known.get(key(child));
      known.delete(key(child));
      if (same) {
        while (place && place !== same && !known.has(key(place))) drop();
        if (place === same) place = place.nextSibling;
        else old.insertBefore(same, place);
        morph(same, child);
      } else if (place && !key(child) && !key(place)) {
        const current = place;
        place = place.nextSibling;
        morph(current, child);
      } else old.insertBefore(child, place);
    }
    while (place) drop();
  }

  // The same page again: what is marked as live takes its new content.
  const PAUSE_MS = 300; // chosen: three looks a second are live enough, and leave the server alone
  let isFetching = false;
  let isStale = false;
  async function refresh() {
    if (isFetching || document.hidden) {
      isStale = true;
      return;
    }
    isFetching = true;
    isStale = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const element of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(element.id);
        if (now) morph(element, document.adoptNode(now));
      }
      readClock();
    } catch {
      isStale = true; // the stream says that it is lost, and comes back
    } finally {
      setTimeout(() => {
        isFetching = false;
        if (isStale && !document.hidden) refresh();
      }, PAUSE_MS);
    }
  }
  document.addEventListener("visibilitychange", () => isStale && refresh());

  const connection = document.getElementById("connection");
  function connected(isLive) {
    const text = isLive ? say.sayLive : say.sayLost;
    if (connection.textContent === text) return;
    connection.textContent = text;
    connection.classList.toggle("is-live", isLive);
    connection.classList.toggle("is-lost", !isLive);
  }
  const LONGEST_PAUSE_MS = 10000; // chosen: who starts the emulator again need not wait longer
  let pause = 500;
  function listen() {
    const events = new EventSource("/_emulator/events");
    events.addEventListener("open", () => {
      pause = 500;
      connected(true);
      refresh(); // what has changed meanwhile
    });
    events.addEventListener("change", refresh);
    events.addEventListener("error", () => {
      connected(false);
      events.close();
      setTimeout(listen, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    });
    window.addEventListener("pagehide", () => events.close(), { once: true });
  }
  listen();
  window.addEventListener("pageshow", (event) => event.persisted && listen());

  // The clock of the header ticks here between two answers.
  let clock = null;
  function readClock() {
    const face = document.querySelector("[data-clock]");
    if (face && (!clock || clock.at !== face.dataset.clock || clock.speed !== Number(face.dataset.speed))) {
      clock = { at: face.dataset.clock, speed: Number(face.dataset.speed), since: performance.now() };
      tick();
    }
  }
  function tick() {
    const face = document.querySelector("[data-clock]");
    const taipei = Number(clock.at) + (performance.now() - clock.since) * clock.speed + 8 * 3600 * 1000;
    const text = new Date(taipei).toISOString().slice(0, 19).replace("T", " ");
    if (face.textContent !== text) face.textContent = text;
  }
  readClock();
  setInterval(() => clock && clock.speed > 0 && !document.hidden && tick(), 250);

  // Buttons and forms call the control API.
  function valueOf(field) {
    if (field.type === "checkbox") return field.checked;
    const text = field.value;
    if (field.dataset.as === "number") return Number(text);
    if (field.dataset.as === "json") return JSON.parse(text);
    if (field.dataset.as === "names") return text.split(",").map((each) => each.trim()).filter(Boolean);
    return text;
  }
  function bodyOf(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || "part" in field.dataset) continue;
      if (field.type !== "checkbox" && field.value === "") {
        if (field.dataset.empty === "null") body[field.name] = null;
        else if (field.dataset.empty === "text") body[field.name] = "";
        continue;
      }
      body[field.name] = valueOf(field);
    }
    return body;
  }
  function pathOf(form, path) {
    return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(form.elements[name].value));
  }
  async function messageOf(answer) {
    try {
      const { error } = await answer.json();
      const problems = (error.problems || []).map((each) => `${each.field}: ${each.message}`);
      return [error.message, ...problems.filter((each) => !error.message.includes(each))].join("\n");
    } catch {
      return `${answer.status} ${answer.statusText}`;
    }
  }
  async function call(element, method, path, body) {
    if (element.dataset.ask && !window.confirm(element.dataset.ask)) return false;
    element.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(path, {
        method,
        headers: { "content-type": "application/json", accept: "application/json" },
        body: method === "DELETE" ? undefined : JSON.stringify(body),
      });
      if (!answer.ok) {
        tell(await messageOf(answer), true);
        return false;
      }
      tell(say.sayDone);
      await refresh();
      return true;
    } catch {
      tell(say.sayUnreachable, true);
      return false;
    } finally {
      element.removeAttribute("aria-busy");
    }
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-call]");
    if (!button || button.hasAttribute("aria-busy")) return;
    const [method, path] = button.dataset.call.split(" ");
    call(button, method, path, JSON.parse(button.dataset.body || "{}"));
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-call]");
    if (!form) return;
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    const [method, path] = form.dataset.call.split(" ");
    let body;
    try {
      body = bodyOf(form);
    } catch (error) {
      tell(String(error.message), true);
      return;
    }
    if ((await call(form, method, pathOf(form, path), body)) && !("keep" in form.dataset)) form.reset();
  });

  // Fields that belong to some choices only, such as the seconds of a delay.
  function showFields(select) {
    for (const field of select.form.querySelectorAll("[data-for]")) {
      const isFor = field.dataset.for.split(" ").includes(select.value);
      field.hidden = !isFor;
      if (field instanceof HTMLOptionElement) field.disabled = !isFor;
      for (const input of field.querySelectorAll("input, select, textarea")) input.disabled = !isFor;
    }
  }
  for (const select of document.querySelectorAll("select[data-chooses]")) {
    showFields(select);
    select.addEventListener("change", () => showFields(select));
    select.form.addEventListener("reset", () => setTimeout(() => showFields(select)));
  }

  // On a narrow screen the parts of the page scroll sideways: show where we are.
  const current = document.querySelector("#sections [aria-current]");
  if (current) current.closest("ul").scrollLeft = current.offsetLeft - 24;

  // Keys.
  function isTyping(target) {
    return target.closest("input, select, textarea, [contenteditable]") !== null;
  }
  function move(step) {
    const link = document.querySelector(step > 0 ? "main a[rel=next]" : "main a[rel=prev]");
    const rows = [...document.querySelectorAll("main [data-row]")];
    if (rows.length) {
      const place = rows.indexOf(document.activeElement) + step;
      if (rows[place]) rows[place].focus();
      return true;
    }
    if (link) location.assign(link.href);
    return Boolean(link);
  }
  const STEPS = { j: 1, k: -1, ArrowRight: 1, ArrowLeft: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key in STEPS && !document.querySelector("dialog[open]")) {
      // In a wide table or frame the arrows scroll.
      if (event.key.startsWith("Arrow") && event.target.closest(".scroll, .stage, pre")) return;
      if (move(STEPS[event.key])) event.preventDefault();
    } else if (event.key === "/" && document.getElementById("search")) {
      event.preventDefault();
      document.getElementById("search").focus();
    } else if (event.key === "?") {
      document.getElementById("keys").showModal();
    }
  });
});
