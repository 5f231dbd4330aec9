// Filters. Without this script every check is shown; with it the form appears.
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const checks = [...document.querySelectorAll("ul.checks > li")];
  const gates = [...document.querySelectorAll("section.gate")];
  const said = form.querySelector("output");
  const apply = () => {
    const { verdict, gate, text } = Object.fromEntries(new FormData(form));
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const check of checks) {
      const content = check.textContent.toLowerCase();
      const fits = (verdict === "all" || check.dataset.verdict === verdict)
        && (!gate || check.dataset.gate === gate)
        && words.every((word) => content.includes(word));
      check.hidden = !fits;
      if (fits) shown += 1;
    }
    const filtered = verdict !== "all" || gate || words.length > 0;
    for (const section of gates) {
      section.hidden = Boolean(filtered) && !section.querySelector("ul.checks > li:not([hidden])");
    }
    said.textContent = `${shown} of ${checks.length} checks`;
  };
  // A link to a check opens it, and never leads to something that a filter hides.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) { form.reset(); apply(); }
    const details = target.querySelector(":scope > details.check");
    if (details) details.open = true;
    target.scrollIntoView();
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", open);
  apply();
  open();
})();
