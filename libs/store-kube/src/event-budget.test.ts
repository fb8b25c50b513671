import { describe, expect, test } from 'vitest';
import { EventBudget } from './event-budget.ts';

describe('event budget', () => {
  const options = { burst: 3, perMinute: 6, repeatAfterMs: 60_000 };

  test('a repetition waits, another event does not', () => {
    const budget = new EventBudget(0, options);
    expect([budget.admit('a', 0), budget.admit('a', 59_999), budget.admit('b', 59_999)]).toEqual([true, false, true]);
    expect(budget.admit('a', 120_000)).toBe(true);
  });

  test('a flood of different events is held to the rate', () => {
    const budget = new EventBudget(0, options);
    const admitted = Array.from({ length: 1_000 }, (_, index) => budget.admit(String(index), index * 60));
    expect(admitted.filter(Boolean)).toHaveLength(3 + 5);
  });
});
