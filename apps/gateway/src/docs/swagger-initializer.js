// Runs in the browser, after swagger-ui-bundle.js.
window.addEventListener('load', () => {
  window.ui = window.SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    filter: true,
    defaultModelsExpandDepth: 0,
    persistAuthorization: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    // Otherwise the document would be sent to a validator on the internet.
    validatorUrl: null,
  });
});
