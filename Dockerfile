# syntax=docker/dockerfile:1

# The packages, exactly as locked: an archive that does not have its hash is refused, and nothing is compiled.
FROM python:3.11-slim AS packages
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ENVIRONMENT=production \
    STATIC_ROOT=/app/static \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py ./
COPY requirements.txt ./
COPY seance_project seance_project
COPY sessions_app sessions_app
COPY realtime realtime
# The code belongs to root, so that the server cannot change itself; var/ is what it may write. Into /srv/static a job
# copies the static files, where something else serves them: an empty volume there begins as this user's.
RUN python -m compileall -q . \
    && ENVIRONMENT=development VAR_DIR=/tmp/build python manage.py collectstatic --noinput -v0 && rm -r /tmp/build \
    && useradd --system --uid 10001 --no-create-home seance \
    && install -d -o seance -g seance -m 0700 var \
    && install -d -o seance -g seance -m 0755 /srv/static
USER 10001
VOLUME /app/var
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-m", "seance_project.healthcheck"]
# Exec form: the server itself is process 1 and gets SIGTERM. The drain takes up to 17 s: stop with a longer timeout.
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve"]
