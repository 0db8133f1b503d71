/** The parts of the Popover API that components use; happy-dom has none of it. */
export function installPopovers(): void {
  const shown = new WeakSet<HTMLElement>();
  const toggle = (element: HTMLElement, open: boolean): boolean => {
    if (shown.has(element) === open) return open;
    const newState = open ? "open" : "closed";
    element.dispatchEvent(Object.assign(new Event("beforetoggle"), { newState }));
    if (open) shown.add(element);
    else shown.delete(element);
    element.dispatchEvent(Object.assign(new Event("toggle"), { newState }));
    return open;
  };
  Object.assign(HTMLElement.prototype, {
    showPopover(this: HTMLElement) {
      toggle(this, true);
    },
    hidePopover(this: HTMLElement) {
      toggle(this, false);
    },
    togglePopover(this: HTMLElement, force?: boolean) {
      return toggle(this, force ?? !shown.has(this));
    },
  });
  document.addEventListener("click", ({ target }) => {
    const id = target instanceof Element && target.closest("[popovertarget]")?.getAttribute("popovertarget");
    if (id) document.getElementById(id)?.togglePopover();
  });
}
