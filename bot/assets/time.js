// Shows the times of a page in the reader's time zone. The server renders them in UTC, so pages work without this script.
"use strict";
(() => {
  const format = (options) => new Intl.DateTimeFormat("en-GB", options);
  const formats = {
    moment: format({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }),
    hour: format({ hour: "2-digit", minute: "2-digit" }),
    day: format({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
  };
  const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

  /** How long ago a moment is; empty for future and old ones. */
  const ago = (date) => {
    const ms = Date.now() - date;
    if (ms < -MINUTE || ms >= 14 * DAY) return "";
    if (ms < MINUTE) return " (just now)";
    if (ms < HOUR) return ` (${Math.floor(ms / MINUTE)} min ago)`;
    if (ms < DAY) return ` (${Math.floor(ms / HOUR)} h ago)`;
    return ms < 2 * DAY ? " (1 day ago)" : ` (${Math.floor(ms / DAY)} days ago)`;
  };

  const show = (time) => {
    const date = new Date(time.dateTime);
    const kind = time.dataset.show;
    if (kind !== "day") time.title ||= time.textContent;
    time.textContent = formats[kind].format(date) + (kind === "moment" ? ago(date) : "");
  };

  // A list in days begins each day at the reader's midnight.
  for (const list of document.querySelectorAll(".days")) {
    const headings = [...list.querySelectorAll(".day")];
    headings.forEach((heading) => heading.remove());
    let day = "";
    for (const row of [...list.children]) {
      const time = row.querySelector("time");
      const text = time ? formats.day.format(new Date(time.dateTime)) : day;
      if (text === day) continue;
      day = text;
      const heading = headings[0].cloneNode(true);
      heading.querySelector("time").dateTime = time.dateTime;
      row.before(heading);
    }
  }

  const showAll = () => document.querySelectorAll("time[data-show]").forEach(show);
  showAll();
  setInterval(showAll, MINUTE);
})();
