/** What was drawn, and what for. A value is JSON. */
export type Choice = readonly [kind: string, value: unknown];

/** Everything that one request draws rather than decides, in order, so that the same draws can be handed out again. */
export class Choices {
  private made: Choice[] = [];

  /** `handed` is given out before anything is drawn, as long as the kinds are those asked for. */
  constructor(private handed: readonly Choice[] = []) {}

  next<T>(kind: string, draw: () => T): T {
    const place = this.made.length;
    const given = this.handed[place];
    const fits = given?.[0] === kind;
    if (!fits) this.handed = this.handed.slice(0, place);
    const value = fits ? (given[1] as T) : draw();
    this.made.push([kind, value]);
    return value;
  }

  get all(): readonly Choice[] {
    return this.made;
  }

  /** Forgets what was drawn after the first `count`: it was for a try that came to nothing, and the next one draws anew. */
  keep(count: number): void {
    this.made = this.made.slice(0, count);
    this.handed = this.handed.slice(0, count);
  }
}
