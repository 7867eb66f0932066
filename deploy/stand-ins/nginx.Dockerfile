# Stands in for nginxinc/nginx-unprivileged without access to a registry: Debian's nginx, as the same user.
FROM docker.io/library/python:3.11-slim-bookworm
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light && rm -rf /var/lib/apt/lists/* \
 && rm -rf /usr/share/nginx/html /etc/nginx/sites-enabled /etc/nginx/modules-enabled/*
