/** The rules of one resource, pure: no clock, no random, no I/O; whatever varies is a field of the command. */
export interface Decider<State, Command, Event> {
  readonly initial: State;
  /** Holds all rules; throws named WeirErrors; answers [] when there is nothing to do. */
  decide(command: Command, state: State): readonly Event[];
  /** Never throws, never judges. */
  evolve(state: State, event: Event): State;
}

export function fold<State, Event>(
  decider: Pick<Decider<State, never, Event>, 'initial' | 'evolve'>,
  events: Iterable<Event>,
): State {
  let state = decider.initial;
  for (const event of events) state = decider.evolve(state, event);
  return state;
}
