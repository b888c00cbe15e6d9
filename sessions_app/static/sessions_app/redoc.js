// sessions_app: boots Redoc. It makes style elements while it runs, and marks them with the page's nonce.
"use strict";

const place = document.getElementById("docs");
window.Redoc.init(place.dataset.document, { nonce: place.dataset.nonce, hideDownloadButton: false }, place);
