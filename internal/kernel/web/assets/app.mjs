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

// Fields of two lists that are put together: without scripts, one is chosen on the
// left and a button pressed on the right. Here it can also be dragged there; and by
// keyboard, Enter on the left leads to the buttons, and Escape back.
for (const pick of document.querySelectorAll('[data-pick]')) {
  const from = [...pick.querySelectorAll('[data-from]')];
  const to = [...pick.querySelectorAll('[data-to]')];
  const radio = (el) => el.querySelector('input[type="radio"]');
  const put = (el) => el.querySelector('button[value^="put:"]');
  const chosen = () => from.map(radio).find((r) => r.checked);
  for (const el of from) {
    el.draggable = true;
    el.addEventListener('dragstart', (e) => {
      radio(el).checked = true;
      e.dataTransfer.setData('text/plain', el.dataset.from);
      e.dataTransfer.effectAllowed = 'copy';
      pick.classList.add('reeve-pick--drag');
    });
    el.addEventListener('dragend', () => pick.classList.remove('reeve-pick--drag'));
    el.addEventListener('keydown', (e) => {
      if (e.key !== 'Enter') return;
      e.preventDefault();
      radio(el).checked = true;
      const name = el.dataset.from.split('/').pop().toLowerCase();
      const free = to.filter(put);
      const best = free.find((t) => t.dataset.to.split('/').pop().toLowerCase() === name) ?? free.find((t) => !t.querySelector('button[value^="drop:"]')) ?? free[0];
      if (best) put(best).focus();
    });
  }
  for (const el of to) {
    if (!put(el)) continue;
    el.addEventListener('dragover', (e) => { e.preventDefault(); el.classList.add('reeve-pick__to--over'); });
    el.addEventListener('dragleave', () => el.classList.remove('reeve-pick__to--over'));
    el.addEventListener('drop', (e) => { e.preventDefault(); if (chosen()) put(el).click(); });
    el.addEventListener('keydown', (e) => { if (e.key === 'Escape' && chosen()) chosen().focus(); });
  }
}
