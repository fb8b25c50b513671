export interface LayerRule {
  readonly uses: readonly string[];
  readonly external: readonly string[];
  readonly banned?: readonly string[];
  readonly runtime: boolean;
}
export const LAYERS: Readonly<Record<string, LayerRule>>;
export const SCOPES: Readonly<Record<string, readonly string[]>>;
export const CNI_BANNED: readonly string[];
export function depConstraints(): unknown[];
