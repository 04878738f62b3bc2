#!/bin/sh
# Installs the built programs of this checkout, a nats-server, the units and the settings, laid out as Debian does:
#   npm ci && npm run build && sudo deploy/systemd/install.sh
# Run it again to upgrade: settings in /etc/voxbus stay, and programs that run go on with the old release until they are
# restarted. The release before stays too, for a way back (docs/run.md, upgrade).
# With DESTDIR=FOLDER it installs below a folder, and changes nothing else.
set -eu
umask 022
cd "$(dirname "$0")/../.."
programs="gateway asr tts dialogue tools monitor mcp cli"
lib="${DESTDIR:-}/usr/lib/voxbus"
etc="${DESTDIR:-}/etc/voxbus"
units="${DESTDIR:-}/usr/lib/systemd/system"
users="${DESTDIR:-}/usr/lib/sysusers.d"
bin="${DESTDIR:-}/usr/bin"
release="$(date -u +%Y%m%d-%H%M%S)"

for program in $programs; do
  test -e "apps/$program/dist/main.js" || { echo "apps/$program is not built: npm ci && npm run build" >&2; exit 1; }
done
nats="${VOXBUS_NATS_SERVER:-$(node deploy/local/nats-server.mjs)}"

# The release is complete before it takes the place of the one before.
new="$lib/releases/$release"
mkdir -p "$new/deploy" "$etc" "$units" "$users" "$bin"
# Files that an operator adds, such as nats.env, hold secrets too.
chmod 750 "$etc"
cp package.json package-lock.json .npmrc "$new/"
cp -R deploy/nats "$new/deploy/"
for package in libs/* $(printf 'apps/%s ' $programs); do
  mkdir -p "$new/$package"
  for part in package.json dist assets; do
    test ! -e "$package/$part" || cp -R "$package/$part" "$new/$package/"
  done
done
(cd "$new" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund $(printf ' --workspace=apps/%s' $programs))
install -m 755 "$nats" "$new/nats-server"
before="$(readlink "$lib/current" || true)"
ln -sfn "releases/$release" "$lib/current"
# Node 20 reads an --env-file of the command line itself, unless it is behind two dashes. Releases before had a link here.
rm -f "$bin/voxbus"
printf '#!/bin/sh\nexec node -- "$(dirname "$0")/../lib/voxbus/current/apps/cli/dist/main.js" "$@"\n' > "$bin/voxbus"
chmod 755 "$bin/voxbus"
# This release stays, and the one that was in use before. Unfinished ones and those that were taken back go.
for old in "$lib"/releases/*; do
  case "releases/${old##*/}" in "releases/$release" | "$before") ;; *) rm -rf "$old" ;; esac
done

cp -R deploy/systemd/voxbus@.service deploy/systemd/voxbus@gateway.service.d deploy/systemd/voxbus-nats.service \
  deploy/systemd/voxbus.target "$units/"
install -m 644 deploy/systemd/voxbus.sysusers "$users/voxbus.conf"
for file in voxbus.env nats.conf; do
  test -e "$etc/$file" || install -m 640 "deploy/systemd/$file" "$etc/$file"
done
echo "$release is installed. Settings are in $etc."
test -z "${DESTDIR:-}" || exit 0
systemd-sysusers voxbus.conf
chgrp -R voxbus "$etc"
systemctl daemon-reload
echo "Start it with: systemctl enable --now voxbus-nats voxbus.target"
