// What a script adds; every page works without it: tables that are filtered by typing,
// entries that are copied, line numbers beside an editor.
"use strict";

for (const table of document.querySelectorAll("table.live")) {
  const label = document.createElement("label");
  const name = document.createElement("span");
  const input = document.createElement("input");
  name.textContent = "Show rows with";
  input.type = "search";
  label.className = "filter";
  label.append(name, input);
  table.parentElement.before(label);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
}

for (const entry of document.querySelectorAll(".entry")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  entry.append(button);
  button.addEventListener("click", async () => {
    const text = entry.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Marked";
    }
  });
}

// The server numbers the lines and some more; the rest is numbered as they are written.
for (const text of document.querySelectorAll(".numbered textarea")) {
  const numbers = text.parentElement.querySelector("pre");
  let numbered = numbers.textContent.trimEnd().split("\n").length;
  text.addEventListener("input", () => {
    const lines = text.value.split("\n").length;
    for (; numbered < lines; numbered++) {
      numbers.append(String(numbered + 1) + "\n");
    }
  });
}
