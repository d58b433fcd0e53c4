#!/bin/sh
# A deploy as a plain script does it: dump, copy, install, build, migrate, restart, ask. No gate, no proof, no way back.
# Usage: plain.sh SOURCE DESTINATION; the environment has DATABASE_URL and what the application reads.
set -eu
source=$1 destination=$2
pg_dump --format=custom --file="$destination.dump" "$DATABASE_URL"
rm -rf "$destination"
cp -r "$source" "$destination"
cd "$destination"
npm ci --omit=dev --no-audit --no-fund >/dev/null
npm run --silent build >/dev/null
npm run --silent migrate >/dev/null
if pm2 -s describe plain >/dev/null 2>&1; then pm2 -s delete plain; fi
pm2 -s start dist/main.js --name plain -i 2 --wait-ready --kill-timeout 8000
curl --fail --silent --show-error --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$PORT/ready" >/dev/null
