import { initAll, Radios } from 'govuk-frontend';

// GOV.UK Frontend tells with aria-expanded that a radio button reveals more, which
// ARIA does not allow on a radio button (axe: aria-allowed-attr). What is revealed
// follows the button at once, so nothing is lost without it.
const sync = Radios.prototype.syncConditionalRevealWithInputState;
Radios.prototype.syncConditionalRevealWithInputState = function ($input) {
  sync.call(this, $input);
  $input.removeAttribute('aria-expanded');
};

initAll();

// A form with data-live answers while somebody types: it asks that address and puts
// the answer into the element that data-live-into names. Without scripts it is sent.
for (const form of document.querySelectorAll('form[data-live]')) {
  const into = document.getElementById(form.dataset.liveInto);
  const status = form.querySelector('[data-live-status]');
  let timer, asked;
  const show = (html) => {
    into.innerHTML = html;
    if (status) status.textContent = into.firstElementChild?.dataset.status ?? '';
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asked?.abort();
      asked = new AbortController();
      try {
        const answer = await fetch(form.dataset.live + '?' + new URLSearchParams(new FormData(form)), { signal: asked.signal });
        if (answer.ok && !answer.redirected) show(await answer.text());
      } catch (err) {
        if (err.name !== 'AbortError') show('');
      }
    }, 120);
  });
  if (form.dataset.liveKeep === undefined) form.addEventListener('keydown', (e) => { if (e.key === 'Escape') show(''); });
}

// What may be folded away on a phone stands open where there is room.
if (matchMedia('(min-width: 48em)').matches) {
  for (const fold of document.querySelectorAll('details[data-open-wide]')) fold.open = true;
}
