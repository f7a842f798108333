import type { Json, JsonObject } from '@weir/kernel';

export type Condition = readonly [column: string, comparison: '==' | '!=' | 'includes' | 'excludes', value: Json];
export type Mutation = readonly [column: string, mutator: '+=' | '-=' | 'insert' | 'delete', value: Json];

/** The operations of RFC 7047 §5.2 that we use. */
export type Operation =
  | { readonly op: 'insert'; readonly table: string; readonly row: JsonObject; readonly 'uuid-name'?: string }
  | {
      readonly op: 'select';
      readonly table: string;
      readonly where: readonly Condition[];
      readonly columns?: readonly string[];
    }
  | { readonly op: 'update'; readonly table: string; readonly where: readonly Condition[]; readonly row: JsonObject }
  | {
      readonly op: 'mutate';
      readonly table: string;
      readonly where: readonly Condition[];
      readonly mutations: readonly Mutation[];
    }
  | { readonly op: 'delete'; readonly table: string; readonly where: readonly Condition[] };

export interface OperationResult {
  /** Rows updated, mutated or deleted. */
  readonly count?: number;
  /** The row inserted. */
  readonly uuid?: string;
  /** Rows selected. */
  readonly rows?: readonly JsonObject[];
}

export interface MonitorRequest {
  readonly columns: readonly string[];
  /** Only rows that fulfil one of these; all rows without. */
  readonly where?: readonly Condition[];
}

/** What is monitored, by table. */
export type MonitorRequests = Readonly<Record<string, MonitorRequest>>;

export interface MonitorUpdate {
  /** `tables` holds all rows there are; whatever was known before is void. */
  readonly snapshot: boolean;
  /** The last transaction in it, for a monitor that goes on from there; all zeros where the server does not count them. */
  readonly transaction: string;
  /** <table-updates2> of ovsdb-server(7) §4.1.14, not looked into. */
  readonly tables: JsonObject;
}
