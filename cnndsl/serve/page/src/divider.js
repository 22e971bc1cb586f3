// The bar between the editor and the diagram, moved with the pointer or with arrow keys.

export function divide(divider, main) {
  const set = (share) => main.style.setProperty("--left", `${Math.min(80, Math.max(15, share))}%`);
  const share = () => (100 * divider.offsetLeft) / main.clientWidth;
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    const move = (to) => set((100 * to.clientX) / main.clientWidth);
    divider.addEventListener("pointermove", move);
    const end = () => divider.removeEventListener("pointermove", move);
    divider.addEventListener("lostpointercapture", end, { once: true });
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -3, ArrowRight: 3 }[event.key];
    if (step) set(share() + step);
  });
}
