import { networksView } from './networks';
import { portsView } from './ports';
import { routersView } from './routers';
import { scarceView } from './scarce';
import { serversView } from './servers';
import { sitesView } from './sites';
import type { View } from './view';

export type { ColumnType, Row, RowChange, StoredEvent, Table, View } from './view';

/** Every read model of the domain: register them all with the event store. */
export const views: readonly View[] = [sitesView, networksView, routersView, portsView, scarceView, serversView];
