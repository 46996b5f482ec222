"use strict";
// Draws the figures, keeps them in the colours of the screen or of paper, sorts tables, copies what is to be pasted.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const drawings = read("drawings");
  const templates = read("templates");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const touch = window.matchMedia("(pointer: coarse)");
  const PAPER_PX = 660; // what fits between the margins of A4 and of Letter
  const drawn = new Set();
  let printing = false;

  const template = () => templates[dark.matches && !printing ? "dark" : "light"];
  const hidden = (node) => node.closest("details:not([open])") !== null;

  function draw(node) {
    if (drawn.has(node)) return;
    drawn.add(node);
    const drawing = drawings[node.id.slice("figure-".length)];
    const layout = Object.assign({}, drawing.layout, {
      template: template(),
      // A finger that drags wants to scroll the page.
      dragmode: touch.matches ? false : "zoom",
    });
    Plotly.newPlot(node, drawing.data, layout, { responsive: true, displayModeBar: false });
  }

  function drawAll(root) {
    for (const node of root.querySelectorAll(".drawing")) if (!hidden(node)) draw(node);
  }

  function restyle(width) {
    for (const node of drawn) {
      if (hidden(node)) continue;
      Plotly.relayout(node, { template: template(), width: width || null, autosize: !width });
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
  dark.addEventListener("change", () => restyle());
  window.addEventListener("beforeprint", () => { printing = true; restyle(PAPER_PX); });
  window.addEventListener("afterprint", () => { printing = false; restyle(); });
  drawAll(document);
  document.documentElement.dataset.drawn = "yes";
})();
