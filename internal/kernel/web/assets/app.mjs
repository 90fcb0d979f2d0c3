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
