/** Lists: pages of at most 500, with a cursor to the next in the body and in a Link header (RFC 8288). */
import * as z from 'zod';

export const MAX_PAGE = 500;
const DEFAULT_PAGE = 100;

export const pageQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_PAGE)
    .default(DEFAULT_PAGE)
    .meta({ description: 'Items a page', example: DEFAULT_PAGE }),
  cursor: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .meta({ description: 'From `next` of the page before; not to be made or read by clients' }),
});

/** What nodes could not be asked is told with the list: an answer that looks complete must be. */
const missingPart = z
  .strictObject({
    node: z.string(),
    reason: z.string().meta({ description: 'Why, and since when its last word is' }),
  })
  .meta({ id: 'MissingPart' });

export type MissingPart = z.infer<typeof missingPart>;

export interface Page<Item> {
  items: Item[];
  next?: string | undefined;
  partial: boolean;
  missing: MissingPart[];
}

export function pageOf<Item extends z.ZodType>(name: string, item: Item): z.ZodType<Page<z.output<Item>>> {
  return z
    .strictObject({
      items: z.array(item).max(MAX_PAGE),
      next: z.string().optional().meta({ description: 'Cursor of the next page; absent on the last' }),
      partial: z.boolean().meta({ description: 'True when some nodes could not be asked: see `missing`' }),
      missing: z.array(missingPart),
    })
    .meta({ id: `${name}List` });
}
