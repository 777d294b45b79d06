// Small helps with the document.

export const $ = (id) => document.getElementById(id);

/** An element with a class and a text. */
export const make = (tag, name = "", text = "") => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
};

/** With a capital and a full stop. */
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
