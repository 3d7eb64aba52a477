import { describe, expect, it } from 'vitest';
import { LONGEST_WINDOW_MS } from '../../../core/contracts/timings.ts';
import { readRetryAfter, type ResponseHeaders } from '../../../lanes/openai/retry-after.ts';

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);

describe('readRetryAfter', () => {
  it.each<[string, ResponseHeaders, number | undefined]>([
    ['milliseconds', { 'retry-after-ms': '250' }, NOW + 250],
    ['seconds', { 'retry-after': '2' }, NOW + 2000],
    ['parts of a second', { 'retry-after': '0.25' }, NOW + 250],
    ['milliseconds before seconds', { 'retry-after-ms': '10', 'retry-after': '2' }, NOW + 10],
    ['seconds where the milliseconds make no sense', { 'retry-after-ms': 'soon', 'retry-after': '2' }, NOW + 2000],
    ['a date', { 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }, NOW + 30_000],
    ['a date in the past as now', { 'retry-after': 'Fri, 20 Nov 2026 11:00:00 GMT' }, NOW],
    ['the first of several', { 'retry-after': ['3', '9'] }, NOW + 3000],
    ['no more than a window can be', { 'retry-after': '99999999999' }, NOW + LONGEST_WINDOW_MS],
    ['nothing from a negative number', { 'retry-after-ms': '-5' }, undefined],
    ['nothing from words', { 'retry-after': 'later' }, undefined],
    ['nothing where nothing is said', {}, undefined],
  ])('reads %s', (_, headers, until) => {
    expect(readRetryAfter(headers, NOW)).toBe(until);
  });
});
