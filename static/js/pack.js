// The pack station: after each scan the field is empty and has the focus, also when the scan was refused.
document.addEventListener("htmx:afterRequest", (event) => {
  const field = event.target.closest?.("form[data-clear-after]")?.querySelector("input[name=code]");
  if (!field || event.detail.successful) return; // a booked scan brings a new form
  field.value = "";
  field.focus();
});
