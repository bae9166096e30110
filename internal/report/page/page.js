// Shows the <title> of what is under the pointer at once, beside the pointer.
// Without this script browsers show it after a moment.
(() => {
  const tip = document.getElementById("tip");
  const texts = new WeakMap();
  document.addEventListener("pointermove", (e) => {
    const el = e.target.closest && e.target.closest("svg .band, svg .state");
    if (!el) { tip.hidden = true; return; }
    const title = el.querySelector("title");
    if (title) { texts.set(el, title.textContent); title.remove(); }
    tip.textContent = texts.get(el);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = e.clientX + 14 + box.width > innerWidth ? e.clientX - box.width - 14 : e.clientX + 14;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, e.clientY - box.height - 10) + "px";
  });
})();
