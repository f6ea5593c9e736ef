"use strict";

(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const collator = new Intl.Collator(undefined, { numeric: true });

  /* ---- small things ---- */

  function make(name, css, text) {
    const made = document.createElement(name);
    if (css) made.className = css;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return collator.compare(String(one), String(other));
  }

  /* ---- tables that sort: what is missing stays last, what is equal keeps its order ---- */

  function keyOf(cell) {
    const text = cell.dataset.sort;
    if (text === undefined) return null;
    const number = Number(text);
    return text.trim() === "" || Number.isNaN(number) ? text : number;
  }

  function sortBy(table, place, order) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[place]) }));
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((one, other) => {
      if (one.key === null || other.key === null) return (one.key === null) - (other.key === null);
      return sign * compare(one.key, other.key);
    });
    body.append(...rows.map((each) => each.row));
    for (const heading of table.tHead.rows[0].cells) heading.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[place].setAttribute("aria-sort", order);
  }

  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach((heading, place) => {
      const first = heading.dataset.first;
      if (!first) return;
      const button = make("button");
      button.type = "button";
      button.append(heading.firstChild);
      heading.prepend(button);
      button.addEventListener("click", () => {
        const now = heading.getAttribute("aria-sort");
        const other = now === "ascending" ? "descending" : "ascending";
        sortBy(table, place, now ? other : first);
      });
    });
  }

  document.querySelectorAll("table").forEach(makeSortable);

  /* ---- the query explorer ---- */

  if (!data) return;

  const STEP = 100;
  const controls = Object.fromEntries(
    ["find", "cell-a", "cell-b", "order", "query-list", "more", "found", "shown"].map((id) => [id, document.getElementById(id)]),
  );
  const state = { current: null, listed: STEP };
  const words = new Map(data.queries.map((query) => [query, `${query.text}\n${query.id}`.toLocaleLowerCase()]));

  const sides = () => [Number(controls["cell-a"].value), Number(controls["cell-b"].value)];
  const shownNumber = (value) => (value === null ? "–" : value.toFixed(4));

  function difference(query) {
    const [a, b] = sides();
    if (query.values[a] === null || query.values[b] === null) return 0;
    return query.values[b] - query.values[a];
  }

  function shownDifference(query) {
    const text = Math.abs(difference(query)).toFixed(4);
    if (Number(text) === 0) return "no difference";
    return (difference(query) > 0 ? "+" : "−") + text;
  }

  const ORDERS = {
    difference: (one, other) => Math.abs(difference(other)) - Math.abs(difference(one)),
    b: (one, other) => difference(other) - difference(one),
    a: (one, other) => difference(one) - difference(other),
    text: (one, other) => collator.compare(one.text, other.text),
    given: () => 0,
  };

  function found() {
    const wanted = controls.find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    return data.queries
      .filter((query) => wanted.every((word) => words.get(query).includes(word)))
      .sort(ORDERS[controls.order.value]);
  }

  function queryButton(query) {
    const item = make("li");
    const button = make("button", "", query.text || query.id);
    const [a, b] = sides();
    button.type = "button";
    button.dataset.id = query.id;
    button.dir = "auto";
    mark(button, query === state.current);
    const values = `${shownNumber(query.values[a])} → ${shownNumber(query.values[b])}  ${shownDifference(query)}`;
    button.append(make("span", "values", values));
    button.addEventListener("click", () => {
      state.current = query;
      for (const each of controls["query-list"].querySelectorAll("button")) mark(each, each === button);
      showQuery();
    });
    item.append(button);
    return item;
  }

  // One stop for the Tab key: the query that is shown. Arrow keys go to the others.
  function mark(button, isCurrent) {
    button.setAttribute("aria-current", String(isCurrent));
    button.tabIndex = isCurrent ? 0 : -1;
  }

  function walk(event) {
    const buttons = Array.from(controls["query-list"].querySelectorAll("button"));
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
    buttons[to].click();
  }

  function showList() {
    const queries = found();
    if (!queries.includes(state.current)) state.current = queries[0] || null;
    controls["query-list"].replaceChildren(...queries.slice(0, state.listed).map(queryButton));
    controls["query-list"].hidden = queries.length === 0;
    controls.more.hidden = queries.length <= state.listed;
    controls.found.textContent = queries.length
      ? `${queries.length} of ${data.queries.length} ${data.queries.length === 1 ? "query" : "queries"}`
      : "No query has all of these words.";
    showQuery();
  }

  /* ---- hits: label, title, and what moved ---- */

  const labelOf = (grade) => (grade === null ? "?" : data.labels[grade] || String(grade));

  function levelOf(grade) {
    if (grade === null) return "unjudged";
    return grade <= 0 ? "level-0" : `level-${Math.max(1, Math.round((4 * grade) / data.top))}`;
  }

  function badge(grade) {
    const made = make("span", `badge ${levelOf(grade)}`, labelOf(grade));
    made.title = grade === null ? "not judged" : `grade ${grade}`;
    if (grade === null) made.append(make("span", "heard", " not judged"));
    return made;
  }

  function movement(rank, before, isB) {
    if (before === -1) return isB ? ["new", "new", "not among A’s best"] : ["gone", "gone", "not among B’s best"];
    if (!isB) return null;
    const steps = before - rank;
    if (steps === 0) return ["same", "=", "same rank as in A"];
    return steps > 0 ? ["up", `↑ ${steps}`, `up ${steps} from A`] : ["down", `↓ ${-steps}`, `down ${-steps} from A`];
  }

  function hit(query, place, rank, moved) {
    const grade = query.grades[place];
    const [docId, title] = data.docs[query.pool[place]];
    const item = make("li", grade === null ? "" : levelOf(grade).replace("level", "edge"));
    item.dataset.doc = docId;
    const text = make("span", "title", title || docId);
    text.dir = "auto";
    if (title) text.append(make("small", "", docId));
    item.append(make("span", "rank", rank + 1), badge(grade), text);
    if (moved) {
      const [css, shown, meaning] = moved;
      const mark = make("span", `moved ${css}`, shown);
      mark.title = meaning;
      mark.append(make("span", "heard", `, ${meaning}`));
      item.append(mark);
    }
    return item;
  }

  function side(query, cell, other, isB) {
    const made = make("div", "side");
    const heading = make("h4", "", `${isB ? "B" : "A"}: ${data.cells[cell].title}`);
    heading.append(make("span", "", `${data.primary} ${shownNumber(query.values[cell])}`));
    const list = make("ol", "hits");
    query.hits[cell].forEach((place, rank) => {
      list.append(hit(query, place, rank, movement(rank, query.hits[other].indexOf(place), isB)));
    });
    made.append(heading, list);
    if (!query.hits[cell].length) made.append(make("p", "quiet", "No hits."));
    return made;
  }

  function legend() {
    const list = make("ul", "legend");
    const grades = new Set(data.labels.map((_, grade) => grade));
    for (const query of data.queries) for (const grade of query.grades) grades.add(grade);
    const judged = Array.from(grades).filter((grade) => grade !== null).sort((one, other) => other - one);
    if (!data.labels.length) list.append(make("li", "", "grades"));
    for (const grade of judged) {
      const item = make("li");
      item.append(badge(grade), data.labels.length ? `grade ${grade}` : "");
      list.append(item);
    }
    const unknown = make("li");
    unknown.append(badge(null), "not judged");
    list.append(unknown);
    return list;
  }

  const key = legend();

  function showQuery() {
    const query = state.current;
    controls.shown.replaceChildren();
    if (!query) return;
    const [a, b] = sides();
    const title = make("h3", "", query.text || query.id);
    title.dir = "auto";
    const told = `query ${query.id} · ${data.primary}: ${shownDifference(query)}` +
      (difference(query) ? " from A to B" : "");
    const both = make("div", "sides");
    both.append(side(query, a, b, false), side(query, b, a, true));
    controls.shown.append(title, make("p", "quiet", told), key, both);
  }

  function start() {
    [controls["cell-a"].value, controls["cell-b"].value] = data.start.map(String);
    for (const id of ["cell-a", "cell-b", "order"]) controls[id].addEventListener("change", showList);
    controls.find.addEventListener("input", () => {
      state.listed = STEP;
      showList();
    });
    controls["query-list"].addEventListener("keydown", walk);
    controls.more.addEventListener("click", () => {
      state.listed += STEP;
      showList();
    });
    document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("explorer").hidden = false;
    showList();
  }

  start();
})();
