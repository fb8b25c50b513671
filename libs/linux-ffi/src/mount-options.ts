/** Options of the mount that a path is on, from /proc/self/mountinfo (proc(5)). */

/** `text`: the file's content. Undefined when nothing in it covers the path. */
export function mountOptionsOf(text: string, path: string): ReadonlySet<string> | undefined {
  let best: { readonly length: number; readonly options: ReadonlySet<string> } | undefined;
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const [, , , , rawPoint, options] = fields;
    if (rawPoint === undefined || options === undefined) continue;
    const point = unescape(rawPoint);
    const covers = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two mounts on one point the later line lies on top.
    if (covers && point.length >= (best?.length ?? 0)) {
      best = { length: point.length, options: new Set(options.split(',')) };
    }
  }
  return best?.options;
}

/** Blanks and the like stand there as \040. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
