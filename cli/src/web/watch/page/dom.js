// Helper functions for the document.

export const $ = (id) => document.getElementById(id);

/** Makes an element with a class and a text. */
export const make = (tag, name = "", text = "") => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.textContent = text;
  return element;
};

/** The text with a capital letter and a full stop. */
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
