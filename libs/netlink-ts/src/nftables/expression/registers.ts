/**
 * Registers of a rule's evaluation (enum nft_registers). REG_1 to REG_4 hold 16 bytes each; REG32_00 and up are the same
 * room by words of four. The kernel reports a register that begins at a multiple of 16 bytes under its short number.
 */
export const NFT_REG = { VERDICT: 0, REG_1: 1, REG_2: 2, REG_3: 3, REG_4: 4, REG32_00: 8, REG32_15: 23 } as const;
