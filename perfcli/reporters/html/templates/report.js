"use strict";
// All of this is an addition: without it the page shows the same numbers.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
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
  const found = () => frames.filter((box) => search.value && box.words.toLowerCase().includes(search.value.toLowerCase()));
  search.addEventListener("input", () => {
    const matching = new Set(found());
    for (const box of frames) box.group.classList.toggle("hit", matching.has(box));
    hits.textContent = search.value ? `${matching.size} found; Enter shows the widest` : "";
  });
  search.addEventListener("keydown", (event) => {
    const widest = found().sort((a, b) => b.width - a.width)[0];
    if (event.key === "Enter" && widest) zoom(widest);
    if (event.key === "Escape") zoom(frames[0]);
  });
  for (const hidden of document.querySelectorAll(".tools, .info")) hidden.hidden = false;
  info.textContent = frames[0].words;
  flame.classList.add("live");
}
