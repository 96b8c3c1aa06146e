// The map beside the walk: moves the mark of what is next, as the card moves on.

function follow() {
  const card = document.getElementById("card");
  const id = card?.dataset.current;
  if (!id) return;
  for (const mark of document.querySelectorAll("[data-stops]")) {
    const isNext = !card.hidden && mark.dataset.stops.split(" ").includes(id);
    mark.classList.toggle("is-next", isNext);
    if (isNext && mark.nextElementSibling) mark.parentElement.append(mark); // above its neighbours
  }
}

new MutationObserver(follow).observe(document.querySelector("main"), {
  attributes: true,
  attributeFilter: ["data-current", "hidden"],
  childList: true,
  subtree: true,
});
follow();
