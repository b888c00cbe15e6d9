"""seance_project: Django's settings, all derived from the typed environment in `env.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from csp.constants import NONE, SELF

from seance_project import databases, env, logs, mail

SEANCE = env.load()
BASE_DIR = env.BASE_DIR

# --- The core ---------------------------------------------------------------------------------------------------------
DEBUG = SEANCE.debug
SECRET_KEY = SEANCE.secret_key
# Unset in development: the names of this machine, and whatever name or address it was told to listen on.
ALLOWED_HOSTS = list(SEANCE.allowed_hosts) or [".localhost", "127.0.0.1", "[::1]", SEANCE.host]
ROOT_URLCONF = "seance_project.urls"
ASGI_APPLICATION = "seance_project.asgi.application"
AUTH_USER_MODEL = "sessions_app.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # urls.py answers both forms; a redirect would lose the body of a POST
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20

INSTALLED_APPS = [
    "seance_project",  # first: its runserver is daphne's, with our address and lock
    "sessions_app.apps.SeanceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "sessions_app",
    "realtime",
]

# All of these are sync, in the thread that http.py runs the request in. Static files are served before, by static.py.
MIDDLEWARE = [
    "seance_project.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "seance_project.middleware.PolicyMiddleware",
    "seance_project.middleware.OriginMiddleware",
    "seance_project.middleware.AdminSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "seance_project.middleware.AdminAuthenticationMiddleware",
    "seance_project.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- What it keeps its data in ----------------------------------------------------------------------------------------
DATABASES = databases.databases(SEANCE)
DATABASE_ROUTERS = ["sessions_app.replica.Router"] if "replica" in DATABASES else []
CACHES = databases.caches(SEANCE)
CHANNEL_LAYERS = databases.channel_layers(SEANCE)

# --- Accounts and tokens ----------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "sessions_app.hashers.Argon2",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",  # not plain bcrypt, which refuses more than 72 bytes
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SIMPLE_JWT = {
    "SIGNING_KEY": SEANCE.jwt_secret,
    "ALGORITHM": SEANCE.jwt_algorithm,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=SEANCE.access_token_expire_minutes),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=SEANCE.refresh_token_expire_days),
    "ISSUER": "seance",
    "AUDIENCE": "seance",
    "LEEWAY": 0,
}
EMAIL_BACKEND, _mail = mail.settings(SEANCE)
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starttls, _mail.tls
EMAIL_TIMEOUT = 10
EMAIL_FILE_PATH = SEANCE.var / "mail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = SEANCE.email_from

# --- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["sessions_app.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],  # the services decide, for both doors
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [],
    "EXCEPTION_HANDLER": "sessions_app.api.errors.exception_handler",
    "NUM_PROXIES": SEANCE.trusted_proxy_count,
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Séance",
    "DESCRIPTION": "Live shared sessions around a spirit board: rooms, messages that are stored once, and a spirit.",
    "VERSION": "1.0.0",
    "SWAGGER_UI_DIST": "SIDECAR",  # served by ourselves: the documentation loads nothing from elsewhere
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- Browsers ---------------------------------------------------------------------------------------------------------
_FRONT_END = () if SEANCE.is_production else ("http://localhost:3000", "http://127.0.0.1:3000")
_origins = SEANCE.cors_origins or _FRONT_END
CORS_ALLOW_ALL_ORIGINS = "*" in _origins  # development only; never with credentials
CORS_ALLOWED_ORIGINS = [origin for origin in _origins if origin != "*"]
CORS_ALLOW_CREDENTIALS = not CORS_ALLOW_ALL_ORIGINS
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "idempotency-key", "last-event-id", "x-csrftoken", "x-request-id",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["content-disposition", "location", "retry-after", "x-request-id"]
CSRF_TRUSTED_ORIGINS = CORS_ALLOWED_ORIGINS
CSRF_FAILURE_VIEW = "sessions_app.api.refusals.csrf_failure"
_static = [SELF, SEANCE.static_origin] if SEANCE.static_origin else [SELF]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": _static,
        "style-src": _static,
        "img-src": [*_static, "data:"],
        "font-src": _static,
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# TLS ends at the proxy, which also redirects; a server that redirected by itself could not be measured or probed.
SECURE_SSL_REDIRECT = SEANCE.secure_ssl_redirect
SECURE_REDIRECT_EXEMPT = [r"^health"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SEANCE.is_production else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains, and
    "security.W021",  # the preload list: other hosts of the domain are not ours to decide for
    "security.W008",  # the redirect, see above
    "drf_spectacular.W001",  # checked by tests/api with the document's own settings, where a warning fails
]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SEANCE.trusted_proxy_count else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SEANCE.is_production
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- Static files -----------------------------------------------------------------------------------------------------
STATIC_URL = SEANCE.static_url
STATIC_ROOT = BASE_DIR / SEANCE.static_root if SEANCE.static_root else None
_as_they_are = "django.contrib.staticfiles.storage.StaticFilesStorage"
_hashed = "servestatic.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _hashed if STATIC_ROOT else _as_they_are},
}
SERVESTATIC_KEEP_ONLY_HASHED_FILES = True  # so that whatever is in STATIC_ROOT never changes

# --- Logs -------------------------------------------------------------------------------------------------------------
LOGGING_CONFIG = None  # Django's own would add handlers of another shape
logs.configure(level=SEANCE.log_level, as_json=SEANCE.is_production)
