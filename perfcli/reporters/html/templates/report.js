"use strict";
// All of this is an addition: without it the page shows the same numbers.
const buttonIn = (head, act) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => { act(button); });
  return button;
};
for (const head of document.querySelectorAll("section > h2")) {
  const fold = (button) => { button.ariaExpanded = String(!head.parentElement.classList.toggle("folded")); };
  buttonIn(head, fold).ariaExpanded = "true";
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    buttonIn(head, () => {
      const numeric = head.classList.contains("n");
      const current = head.getAttribute("aria-sort");
      const descending = current ? current === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => (numeric ? Number(row.cells[column].dataset.v) : row.cells[column].textContent);
      const rows = [...table.tBodies[0].rows].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
      table.tBodies[0].append(...(descending ? rows.reverse() : rows));
    });
  });
}
const flame = document.querySelector("svg.flame");
if (flame) {
  const WIDTH = flame.viewBox.baseVal.width, LETTER = 6.4;
  const info = document.getElementById("flame-info");
  const hits = document.getElementById("flame-hits");
  const frames = [...flame.querySelectorAll("g")].map((group) => {
    const [title, rect] = group.children;
    const box = { group, rect, label: group.querySelector("text"), words: title.textContent };
    box.name = box.words.split("\n")[0];
    box.left = Number(rect.getAttribute("x"));
    box.width = Number(rect.getAttribute("width"));
    group.addEventListener("mouseenter", () => { info.textContent = box.words; });
    group.addEventListener("click", () => zoom(box));
    return box;
  });
  // A frame that had no room for its name gets it when it is zoomed into.
  const show = (box, left, width) => {
    const letters = Math.floor((width - 6) / LETTER);
    if (!box.label && letters >= 3) {
      box.label = document.createElementNS(flame.namespaceURI, "text");
      box.label.setAttribute("y", Number(box.rect.getAttribute("y")) + 12.5);
      box.group.append(box.label);
    }
    box.rect.setAttribute("x", left);
    box.rect.setAttribute("width", width);
    if (box.label) {
      box.label.setAttribute("x", left + 3);
      box.label.textContent = letters < 3 ? "" : box.name.length <= letters ? box.name : box.name.slice(0, letters - 1) + "…";
    }
  };
  const zoom = (target) => {
    const scale = WIDTH / target.width;
    for (const box of frames) {
      const left = Math.max(0, (box.left - target.left) * scale);
      const right = Math.min(WIDTH, (box.left + box.width - target.left) * scale);
      box.group.style.display = right - left < 0.5 ? "none" : "";
      if (right - left >= 0.5) show(box, left, right - left);
    }
    info.textContent = target.words;
  };
  document.getElementById("flame-reset").addEventListener("click", () => { zoom(frames[0]); });
  const search = document.getElementById("flame-search");
  let found = [], shown = 0;
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    found = frames.filter((box) => wanted && box.words.toLowerCase().includes(wanted)).sort((a, b) => b.width - a.width);
    shown = 0;
    for (const box of frames) box.group.classList.toggle("hit", found.includes(box));
    hits.textContent = wanted ? `${found.length} found; Enter shows them, the widest first` : "";
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found.length) zoom(found[shown++ % found.length]);
    if (event.key === "Escape") zoom(frames[0]);
  });
  for (const hidden of document.querySelectorAll(".tools, .info")) hidden.hidden = false;
  info.textContent = frames[0].words;
  flame.classList.add("live");
}
