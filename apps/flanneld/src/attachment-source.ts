import type { Attachment } from '@canal/model';
import type { AttachmentStore } from '@canal/node-state';
import type { Logger } from '@canal/runtime-port';

/** The pods' records for each turn. A record that cannot be read is told once, and is nobody's reason to stop. */
export function attachmentSource(store: AttachmentStore, log: Logger): () => readonly Attachment[] {
  const told = new Set<string>();
  return () => {
    const { attachments, unreadable } = store.list();
    for (const { path, problem } of unreadable) {
      if (told.has(path)) continue;
      told.add(path);
      log.warn({ path, problem }, 'record of a pod cannot be read');
    }
    return attachments;
  };
}
