// Keeps the cards of the servers up to date, and lets their clocks run between two snapshots. In /live#token=TOKEN the script sends the
// token, so no address that a server or a proxy sees contains it.
"use strict";
(() => {
  const list = document.getElementById("live");
  const lost = document.getElementById("lost");
  const empty = document.getElementById("empty");
  const only = list.dataset.server;
  const tokenInAddress = () => new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B")).get("token");
  const token = tokenInAddress();
  const SILENT_MS = 12_000;
  const RESTARTED_MS = 1000;
  let heard = performance.now(), asked = heard;
  // The browser's clock less the bot's, as of the fastest event of this stream and of the one before: the others arrived late.
  let offset = Infinity, formerOffset = Infinity;

  const card = (address) => [...list.children].find((child) => child.dataset.address === address);
  const clock = (seconds) => {
    const s = Math.abs(seconds), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
    return (seconds < 0 ? "-" : "") + (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(s % 60)}`;
  };

  /** Shows all running times as they are now. */
  const tick = () => {
    const now = performance.now();
    const isLost = now - heard > SILENT_MS;
    document.body.classList.toggle("lost", isLost);
    if (lost) lost.hidden = !isLost;
    for (const article of list.children) {
      if (article.taken === undefined) continue;
      const elapsed = Math.min(now, heard + SILENT_MS) - article.taken;
      const isRunning = article.dataset.running === "true";
      for (const time of article.querySelectorAll("[data-ms]")) {
        const runs = isRunning || time.dataset.always;
        let ms = Number(time.dataset.ms) + (runs ? elapsed * Number(time.dataset.step) : 0);
        const interval = Number(time.dataset.interval);
        if (interval) ms = ((ms % interval) + interval) % interval;
        const text = clock(time.dataset.step > 0 ? Math.floor(ms / 1000) : Math.ceil(ms / 1000));
        time.now = ms;
        if (time.textContent !== text) time.textContent = text;
      }
    }
  };

  const show = (event, data) => {
    if (event === "servers") {
      const addresses = data === "" ? [] : data.split(" ");
      for (const child of [...list.children]) if (!addresses.includes(child.dataset.address)) child.remove();
      addresses.map(card).forEach((child) => child && list.append(child));
      if (empty) empty.hidden = addresses.length > 0;
    } else if (event === "server") {
      const end = data.indexOf("\n");
      const template = document.createElement("template");
      template.innerHTML = data.slice(end + 1);
      const article = template.content.firstElementChild;
      if (!article) return;
      const address = article.dataset.address;
      if (only && address !== only) return;
      const taken = Number(article.dataset.taken);
      offset = Math.min(offset, performance.now() - taken - Number(data.slice(0, end)));
      // The clock of a bot that was started again begins at 0.
      if (offset - formerOffset > RESTARTED_MS) formerOffset = Infinity;
      article.taken = taken + Math.min(offset, formerOffset);
      const before = card(address);
      if (before) before.replaceWith(article); else list.append(article);
    }
  };

  /** Reads one stream to its end. */
  const read = async () => {
    const abort = new AbortController();
    [formerOffset, offset] = [offset, Infinity];
    asked = performance.now();
    const watch = setInterval(() => performance.now() - Math.max(heard, asked) > SILENT_MS && abort.abort(), 1000);
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const response = await fetch("/live/stream", { headers, cache: "no-store", signal: abort.signal });
      if (!response.ok) return 10_000;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return 0;
        heard = performance.now();
        const blocks = (text + value).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const lines = block.split("\n");
          const of = (name) => lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
          show(of("event: ")[0], of("data: ").join("\n"));
        }
        tick();
      }
    } catch {
      return 1000;
    } finally {
      clearInterval(watch);
      abort.abort();
    }
  };

  (async () => {
    for (;;) {
      const wait = await read();
      await new Promise((resolve) => setTimeout(resolve, wait + Math.random() * 250));
    }
  })();
  setInterval(tick, 50);
  // A browser that gets another token behind # does not load the page again; a link to a part of the page changes nothing.
  addEventListener("hashchange", () => {
    const isPart = document.getElementById(location.hash.slice(1));
    if (!isPart && tokenInAddress() !== token) location.reload();
  });
})();
