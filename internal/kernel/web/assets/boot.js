// Tells the style sheet that scripts run. GOV.UK Frontend's template does this
// inline; a file of its own lets the content security policy forbid inline
// scripts. It is loaded at the start of the body so that nothing moves later.
document.body.className += ' js-enabled' + ('noModule' in HTMLScriptElement.prototype ? ' govuk-frontend-supported' : '');
