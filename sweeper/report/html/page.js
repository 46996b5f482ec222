"use strict";
// Draws the figures, keeps them in the colours of the screen or of paper, sorts tables, copies what is to be pasted.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const drawings = read("drawings");
  const themes = read("themes");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)");
  const PAPER_PX = 660; // what fits between the margins of A4 and of Letter
  const drawn = new Set();
  let printing = false;

  const isDark = () => dark.matches && !printing;
  const hidden = (node) => node.closest("details:not([open])") !== null;

  function draw(node, width) {
    const drawing = drawings[node.id.slice("figure-".length)];
    const colour = (key, value) => (isDark() && themes.in_the_dark[value]) || value;
    const layout = Object.assign({}, drawing.layout, {
      template: themes.templates[isDark() ? "dark" : "light"],
      // A finger that drags wants to scroll the page.
      dragmode: touch.matches ? false : "zoom",
      width: width,
    });
    const data = JSON.parse(JSON.stringify(drawing.data), colour);
    Plotly.react(node, data, layout, { responsive: true, displayModeBar: false });
    drawn.add(node);
  }

  function drawAll(root) {
    for (const node of root.querySelectorAll(".drawing")) if (!hidden(node) && !drawn.has(node)) draw(node);
  }

  function redraw(width) {
    for (const node of drawn) {
      if (hidden(node)) drawn.delete(node); // when it is opened again
      else draw(node, width);
    }
  }

  function sortBy(table, column, button) {
    const heading = button.parentElement;
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
    };
    const unknown = (value) => value === "-" || value === "";
    const rows = Array.from(table.tBodies[0].rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (unknown(a) || unknown(b)) return unknown(a) - unknown(b); // last, whichever the order
      const both = typeof a === "number" && typeof b === "number";
      const ahead = both ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
      return order === "ascending" ? ahead : -ahead;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(text); // not allowed here: one key is left to press
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("th button").forEach((button, column) => {
      button.addEventListener("click", () => sortBy(table, column, button));
    });
  }
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  for (const details of document.querySelectorAll("details.folded")) {
    details.addEventListener("toggle", () => drawAll(details));
  }
  dark.addEventListener("change", () => redraw());
  window.addEventListener("beforeprint", () => { printing = true; redraw(PAPER_PX); });
  window.addEventListener("afterprint", () => { printing = false; redraw(); });
  drawAll(document);
  document.documentElement.dataset.drawn = "yes";
})();
