// Who changes the page by the keyboard, or listens to it, is taken along to its heading, as a browser does with a document of its own.

export const content = "page"; // id of the element that holds what is on a page

// toWrong gives the focus to the first field that is wrong, after a form has been refused: it may be out of sight.
export function toWrong(): void {
  requestAnimationFrame(() => document.getElementById(content)?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}

// arrive gives the focus to the heading of the page that has just come, as soon as it is there. A page that has given the focus to a field keeps
// it, and so does who goes on before there is a heading. It returns what ends the waiting.
export function arrive(): () => void {
  const observer = new MutationObserver(look);
  const watched = ["keydown", "pointerdown"];
  function stop(): void {
    observer.disconnect();
    for (const type of watched) removeEventListener(type, stop, true);
  }
  function look(): void {
    const page = document.getElementById(content);
    const heading = page?.querySelector("h1");
    if (!page || !heading) return;
    stop();
    if (page.contains(document.activeElement)) return;
    heading.tabIndex = -1;
    heading.style.scrollMarginBlockStart = "50vh"; // below what sticks to the window's edge
    heading.focus();
  }
  observer.observe(document.body, { childList: true, subtree: true });
  for (const type of watched) addEventListener(type, stop, true);
  look();
  return stop;
}
