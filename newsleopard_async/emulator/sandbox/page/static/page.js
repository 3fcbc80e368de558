// Reading, search and paging work without this file. It adds buttons, live updates and keys.
"use strict";
document.documentElement.classList.add("has-script"); // before the first layout, so that no element moves
document.addEventListener("DOMContentLoaded", () => {
  const say = document.body.dataset;

  // The messages about answers, also for screen readers.
  const LONGEST_SHOWN_MS = 6000; // chosen: 6 s, enough to read two lines; errors stay
  let timer = 0;
  function tell(text, isError = false) {
    const answer = document.getElementById("answer");
    clearTimeout(timer);
    answer.classList.toggle("is-error", isError);
    answer.textContent = text;
    if (text && !isError) timer = setTimeout(() => tell(""), LONGEST_SHOWN_MS);
  }

  // Elements are changed in place, so that focus, scrolling, open details, frames and half-typed
  // fields do not change.
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

  // The identity of an element: its id or the target of its link; of a row, its first link's target.
  function key(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    const link = node.matches("li, tr") ? node.querySelector("a[href]") : node;
    return node.id || link?.getAttribute("href") || "";
  }

  // An element that stays is not moved, because a focused element would lose the focus.
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

  // Loading the same page again: the elements that are marked as live get the new content.
  const PAUSE_MS = 300; // chosen: at most three loads per second, to limit the work of the server
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
      isStale = true; // the stream then reports an error, and connects again
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
  const LONGEST_PAUSE_MS = 10000; // chosen: 10 s at most after a restart of the emulator
  let pause = 500;
  function listen() {
    const events = new EventSource("/_emulator/events");
    events.addEventListener("open", () => {
      pause = 500;
      connected(true);
      refresh(); // the page can have changed without a connection
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

  // The clock of the header advances here between two answers.
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

  // Fields that only some choices have, such as the seconds of a delay.
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

  // On a narrow screen the navigation scrolls sideways. Show the current section.
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
