/** A word for /bin/sh that stands for exactly this text. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A shell command that reports on a source tree: files and lines of each workspace, the largest files, the total. It
 * pauses after each workspace, so that its output can be seen to arrive live.
 */
export function sourceReport(tree: string, pauseSeconds = 0.4): string {
  return `set -eu
cd ${shellQuote(tree)}

# Paths below a directory, each ended by NUL: what git tracks, or whatever is there in a tree without git.
files() {
  if [ -n "$(git ls-files -- "$1" 2>/dev/null | head -n 1)" ]; then
    git ls-files -z -- "$1"
  else
    find "$1" -type f -not -path '*/node_modules/*' -not -path '*/gen/*' -not -path '*/.turbo/*' -print0 2>/dev/null
  fi
}

echo "Lines of source in $PWD"
total_files=0
total_lines=0
for workspace in packages/* apps/*; do
  [ -f "$workspace/package.json" ] || continue
  count=$(files "$workspace" | tr -dc '\\000' | wc -c)
  lines=$(files "$workspace" | xargs -0 cat 2>/dev/null | wc -l)
  printf '%-28s %5d files %7d lines\\n' "$workspace" "$count" "$lines"
  total_files=$((total_files + count))
  total_lines=$((total_lines + lines))
  sleep ${pauseSeconds}
done
echo
echo 'Largest files:'
for workspace in packages/* apps/*; do files "$workspace"; done |
  xargs -0 wc -l 2>/dev/null | grep -v ' total$' | sort -rn | head -n 5
echo
printf '%-28s %5d files %7d lines\\n' total "$total_files" "$total_lines"
`;
}
