// Choices above a list take effect at once; the button is for whoever has no scripts.
for (const form of document.querySelectorAll("[data-send-on-change]")) {
  form.querySelector("button").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}
