/**
 * Follows a packet, of which only some things are known, through a base chain: what becomes of it for certain. Rules with
 * conditions that cannot be decided are passed over, and counted if they might have let it go on.
 */
import {
  CT_STATE,
  NFT_BITWISE,
  NFT_CMP,
  NFT_CT,
  NFT_META,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
  type NftExpression,
  type NftRule,
} from 'netlink-ts';
import {
  type Answer,
  equals,
  type KnownBits,
  knownBytes,
  maskXor,
  negate,
  slice,
  unknownBits,
} from './nft-known-bits.ts';

/** The first packet of a flow. */
export interface PacketKnowledge {
  /** NFPROTO.IPV4 or IPV6. */
  readonly family: number;
  /** From the first byte of the IP header on. */
  readonly networkHeader: KnownBits;
  /** Four bytes, host byte order (CT_STATUS). */
  readonly ctStatus: KnownBits;
}

export interface PathEnd {
  readonly verdict: 'accept' | 'drop';
  /** Chain of the rule that decided; for the policy the base chain. */
  readonly chain: string;
  readonly by: 'rule' | 'policy';
  /** Rules passed over that might have accepted it. */
  readonly undecidedRules: number;
}

export interface BaseChain {
  readonly name: string;
  readonly policy: 'accept' | 'drop';
  /** Rules of any chain of the table; asked for once a chain that the packet gets to. */
  readonly rulesOf: (chain: string) => readonly NftRule[];
}

/** NFT_JUMP_STACK_SIZE: the kernel refuses deeper rulesets. */
const MAX_DEPTH = 16;

export function followPacket(base: BaseChain, packet: PacketKnowledge): PathEnd {
  const walk = new Walk(base, packet);
  const end = walk.chain(base.name, 0);
  return {
    verdict: end?.verdict ?? base.policy,
    chain: end?.chain ?? base.name,
    by: end === undefined ? 'policy' : 'rule',
    undecidedRules: walk.undecidedRules,
  };
}

type ChainEnd = { readonly verdict: 'accept' | 'drop'; readonly chain: string } | undefined;

class Walk {
  readonly #base: BaseChain;
  readonly #packet: PacketKnowledge;
  undecidedRules = 0;

  constructor(base: BaseChain, packet: PacketKnowledge) {
    this.#base = base;
    this.#packet = packet;
  }

  /** Undefined: the packet comes back from the chain. */
  chain(name: string, depth: number): ChainEnd {
    if (depth > MAX_DEPTH) return undefined;
    for (const rule of this.#base.rulesOf(name)) {
      const { matches, action } = judgeRule(rule.expressions ?? [], this.#packet);
      if (matches === 'no' || action === undefined) continue;
      if (matches === 'perhaps') {
        if (action.type !== 'drop' && action.type !== 'return') this.undecidedRules++;
        continue;
      }
      switch (action.type) {
        case 'accept':
        case 'drop':
          return { verdict: action.type, chain: name };
        case 'return':
          return undefined;
        case 'undecided':
          this.undecidedRules++;
          break;
        case 'jump':
        case 'goto': {
          const end = this.chain(action.chain, depth + 1);
          if (end !== undefined || action.type === 'goto') return end;
        }
      }
    }
    return undefined;
  }
}

type Action =
  | { readonly type: 'accept' | 'drop' | 'return' }
  /** To user space, by a map: anything may come of it. */
  | { readonly type: 'undecided' }
  | { readonly type: 'jump' | 'goto'; readonly chain: string };

/** Whether the rule's conditions hold, and what it does then: undefined for one that only counts, logs or marks. */
export function judgeRule(
  expressions: readonly NftExpression[],
  packet: PacketKnowledge,
): { readonly matches: Answer; readonly action: Action | undefined } {
  const registers = new Registers();
  let matches: Answer = 'yes';
  let action: Action | undefined;
  for (const expression of expressions) {
    const step = evaluate(expression, packet, registers);
    if (step === 'no') return { matches: 'no', action: undefined };
    if (step === 'perhaps') matches = 'perhaps';
    else if (step !== 'yes') action = step;
  }
  return { matches, action };
}

/** An answer for a condition ("yes" also for what is none), an action for what ends the rule. */
function evaluate(expression: NftExpression, packet: PacketKnowledge, registers: Registers): Answer | Action {
  switch (expression.type) {
    case 'meta':
      if (expression.dreg !== undefined) registers.set(expression.dreg, metaValue(expression.key, packet));
      return 'yes';
    case 'payload':
      if (expression.dreg !== undefined) {
        const { base, offset = 0, length = 0 } = expression;
        const known = base === NFT_PAYLOAD.NETWORK_HEADER;
        registers.set(expression.dreg, known ? slice(packet.networkHeader, offset, length) : unknownBits(length));
      }
      return 'yes';
    case 'ct':
      if (expression.dreg !== undefined) registers.set(expression.dreg, ctValue(expression.key, packet));
      return 'yes';
    case 'fib':
      if (expression.dreg !== undefined) registers.set(expression.dreg, unknownBits(REGISTER_BYTES));
      return 'yes';
    case 'bitwise': {
      const { sreg = 0, dreg = 0, length = 0, op = NFT_BITWISE.MASK_XOR, mask, xor } = expression;
      const decidable = op === NFT_BITWISE.MASK_XOR && mask?.value !== undefined && xor?.value !== undefined;
      const source = slice(registers.get(sreg), 0, length);
      registers.set(dreg, decidable ? maskXor(source, mask.value, xor.value) : unknownBits(length));
      return 'yes';
    }
    case 'cmp': {
      const answer = equals(registers.get(expression.sreg ?? 0), expression.data?.value ?? new Uint8Array());
      if (expression.op === NFT_CMP.EQ) return answer;
      return expression.op === NFT_CMP.NEQ ? negate(answer) : 'perhaps';
    }
    case 'immediate':
      return immediate(expression, registers);
    case 'lookup':
      // A map to verdicts is the end of the rule for those that are found in it.
      return expression.dreg === NFT_REG.VERDICT ? { type: 'undecided' } : 'perhaps';
    case 'reject':
      return { type: 'drop' };
    case 'match':
      return expression.extension === 'comment' ? 'yes' : 'perhaps';
    case 'target':
      return targetAction(expression.extension);
    case 'counter':
    case 'log':
    case 'masq':
    case 'notrack':
    case 'objref':
      return 'yes';
    case 'byteorder':
    case 'dynset':
    case 'exthdr':
    case 'limit':
    case 'numgen':
    case 'range':
      return unknownExpression(registers);
    case 'other':
      return otherExpression(expression.name, registers);
  }
}

function metaValue(key: number | undefined, { family }: PacketKnowledge): KnownBits {
  return key === NFT_META.NFPROTO ? knownBytes(Uint8Array.of(family)) : unknownBits(REGISTER_BYTES);
}

function ctValue(key: number | undefined, { ctStatus }: PacketKnowledge): KnownBits {
  if (key === NFT_CT.STATE) return knownBytes(new Uint8Array(Uint32Array.of(CT_STATE.NEW).buffer));
  return key === NFT_CT.STATUS ? ctStatus : unknownBits(REGISTER_BYTES);
}

function immediate(
  { dreg, data }: Extract<NftExpression, { type: 'immediate' }>,
  registers: Registers,
): Answer | Action {
  if (dreg !== NFT_REG.VERDICT) {
    registers.set(dreg ?? NFT_REG.REG_1, knownBytes(data?.value ?? new Uint8Array()));
    return 'yes';
  }
  const { code, chain = '' } = data?.verdict ?? {};
  switch (code) {
    case NFT_VERDICT.ACCEPT:
      return { type: 'accept' };
    case NFT_VERDICT.DROP:
      return { type: 'drop' };
    case NFT_VERDICT.RETURN:
      return { type: 'return' };
    case NFT_VERDICT.JUMP:
      return { type: 'jump', chain };
    case NFT_VERDICT.GOTO:
      return { type: 'goto', chain };
    case NFT_VERDICT.CONTINUE:
      return 'yes';
    default:
      return { type: 'undecided' };
  }
}

/** Targets of x_tables that end a packet's way. Those that count, mark or log do not. */
function targetAction(extension = ''): Answer | Action {
  if (extension === 'REJECT') return { type: 'drop' };
  return extension === 'NFQUEUE' ? { type: 'undecided' } : 'yes';
}

/** Statements of nf_tables without a codec that neither match nor decide. */
const HARMLESS: readonly string[] = ['last', 'dup'];

function otherExpression(name: string, registers: Registers): Answer | Action {
  if (HARMLESS.includes(name)) return 'yes';
  return name === 'queue' ? { type: 'undecided' } : unknownExpression(registers);
}

/** It may be a condition, and may load any register. */
function unknownExpression(registers: Registers): Answer {
  registers.clear();
  return 'perhaps';
}

/** NFT_REG_1 to 4 are sixteen bytes each, NFT_REG32_00 to 15 the same bytes by words. */
const REGISTER_BYTES = 16;

class Registers {
  readonly #bits = unknownBits(4 * REGISTER_BYTES);

  set(register: number, bits: KnownBits): void {
    const at = Registers.#offset(register);
    const length = Math.min(bits.mask.length, this.#bits.mask.length - at);
    // The kernel fills a word up with zeros.
    this.#bits.mask.set(bits.mask.subarray(0, length), at);
    this.#bits.value.set(bits.value.subarray(0, length), at);
  }

  get(register: number): KnownBits {
    const at = Registers.#offset(register);
    return slice(this.#bits, at, this.#bits.mask.length - at);
  }

  clear(): void {
    this.#bits.mask.fill(0);
    this.#bits.value.fill(0);
  }

  static #offset(register: number): number {
    if (register >= NFT_REG.REG32_00) return Math.min(register - NFT_REG.REG32_00, 15) * 4;
    return Math.max(0, register - NFT_REG.REG_1) * REGISTER_BYTES;
  }
}
