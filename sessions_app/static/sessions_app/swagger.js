// sessions_app: boots Swagger UI. A file, not an inline script: the Content-Security-Policy allows none.
"use strict";

const place = document.getElementById("docs");
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
