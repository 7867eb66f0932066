// A file of its own: the page's Content-Security-Policy allows no inline script.
window.ui = SwaggerUIBundle({
  url: document.currentScript.dataset.document,
  dom_id: "#ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
