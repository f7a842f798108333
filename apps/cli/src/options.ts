import { type Command, InvalidArgumentError } from 'commander';
import { type Format, parseFormat } from './output';

export interface Output {
  readonly output: Format;
}

export const withOutput = (command: Command): Command =>
  command.option('-o, --output <format>', 'table, json, yaml or value', parseFormat, 'table');

export function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It takes a positive whole number.');
  return value;
}
