import { parseTime } from './time';

describe('a time as a user writes it', () => {
  it('is any that RFC 3339 knows, in the form in which events have theirs', () => {
    expect(parseTime('2026-11-21T10:00:00+01:00')).toBe('2026-11-21T09:00:00.000Z');
    expect(parseTime('2028-02-29t23:59:59.5z')).toBe('2028-02-29T23:59:59.500Z');
  });

  it.each(['2026-02-30T00:00:00Z', '2026-02-29T00:00:00Z', '2026-04-31T12:00:00Z', '2026-11-21T10:00:00', '-1', ''])(
    'is not %p',
    (text) => {
      expect(() => parseTime(text)).toThrow('RFC 3339');
    },
  );
});
