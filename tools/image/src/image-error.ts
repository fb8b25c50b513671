/** What keeps an image from being built or started; the message names the next step. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}
