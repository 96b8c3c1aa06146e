// The pack station: after each scan the field is empty and has the focus, also when the scan was refused.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr.status === 200) return; // a booked scan brings a new form
  const field = event.target.closest?.("form[data-clear-after]")?.querySelector("input[name=code]");
  if (!field) return;
  field.value = "";
  field.focus();
});
