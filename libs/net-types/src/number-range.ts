import type { Brand } from './brand.ts';
import { err, ok, type ParseError, type Result } from './result.ts';

/** A TCP, UDP or SCTP port, 1..65535. */
export type Port = Brand<number, 'Port'>;
/** A VXLAN network identifier, 24 bits (RFC 7348 §5). */
export type Vni = Brand<number, 'Vni'>;

const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

export function parsePort(text: string): Result<Port, ParseError> {
  return parseBounded(text, 1, 65535, 'a port within 1..65535') as Result<Port, ParseError>;
}

export function parseVni(text: string): Result<Vni, ParseError> {
  return parseBounded(text, 0, 0xff_ffff, 'a VNI within 0..16777215') as Result<Vni, ParseError>;
}

/** Decimal digits without sign or leading zeros, within the bounds. */
function parseBounded(text: string, min: number, max: number, expected: string): Result<number, ParseError> {
  const value = DECIMAL.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? ok(value) : err({ input: text, expected });
}
