import { Gauge, Registry } from 'prom-client';
import type { Publisher } from '@weir/cascade';
import type { RowReader } from '@weir/event-store';
import { metricsObservation } from '@weir/topology';
import type { Observed } from '../sites/observed';
import type { Quarantine } from '../sites/quarantine';

/** `/metrics`, gathered when asked: what the Top published per site, and what each host counted of itself since it started. */
export class Metrics {
  constructor(
    private readonly rows: RowReader,
    private readonly publisher: Publisher,
    private readonly observed: Observed,
    private readonly head: () => number,
    private readonly quarantine: Quarantine,
  ) {}

  async text(): Promise<string> {
    const registry = new Registry();
    const gauge = (name: string, help: string, labelNames: readonly string[]) =>
      new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
    const position = gauge('weir_log_position', 'Position of the last event that was published to the sites.', []);
    const reachable = gauge('weir_site_reachable', '1 while the site reports, 0 after 5 s of silence.', ['site']);
    const settled = gauge('weir_site_settled', 'Position up to which everything at the site is programmed.', ['site']);
    const messages = gauge('weir_site_messages_total', 'Fact lines sent to the site since the Top started, by kind.', [
      'site',
      'kind',
    ]);
    const hostMessages = gauge(
      'weir_host_messages_total',
      'Fact lines that the host received since it started, by kind.',
      ['site', 'host', 'kind'],
    );
    const flowChanges = gauge('weir_host_flow_changes_total', 'Flows changed by the host since it started.', [
      'site',
      'host',
      'change',
    ]);
    const bundles = gauge('weir_host_bundles_total', 'OpenFlow bundles committed by the host since it started.', [
      'site',
      'host',
    ]);
    const punts = gauge('weir_host_punts_total', 'Packets that flows handed to the host’s controller, by reason.', [
      'site',
      'host',
      'reason',
    ]);
    const flows = gauge('weir_host_flows', 'Flows on the host’s bridge.', ['site', 'host']);
    const quarantine = gauge(
      'weir_quarantine',
      '1 while a site knows what the log does not: nothing is published.',
      [],
    );
    const diverged = gauge('weir_site_diverged', '1 for a site that has shown what the log does not know.', ['site']);
    quarantine.set(this.quarantine.active ? 1 : 0);
    position.set(this.head());
    for (const row of this.rows.live('rm_sites')) {
      const [id, site] = [row['id'] as string, row['name'] as string];
      reachable.set({ site }, row['lifecycle'] === 'active' && row['unreachable_since'] === null ? 1 : 0);
      settled.set({ site }, this.publisher.status(id).settled);
      diverged.set({ site }, this.quarantine.divergences.some(({ siteId }) => siteId === id) ? 1 : 0);
      for (const [kind, count] of Object.entries(this.publisher.messages(id))) messages.set({ site, kind }, count);
      for (const [host, { value }] of this.observed.all(id, 'metrics')) {
        const counted = metricsObservation.safeParse(value);
        if (!counted.success) continue;
        for (const [kind, count] of Object.entries(counted.data.messages))
          hostMessages.set({ site, host, kind }, count);
        for (const [reason, count] of Object.entries(counted.data.punts)) punts.set({ site, host, reason }, count);
        flowChanges.set({ site, host, change: 'add' }, counted.data.flowsAdded);
        flowChanges.set({ site, host, change: 'modify' }, counted.data.flowsModified);
        flowChanges.set({ site, host, change: 'remove' }, counted.data.flowsRemoved);
        bundles.set({ site, host }, counted.data.bundles);
        flows.set({ site, host }, counted.data.flows);
      }
    }
    return registry.metrics();
  }
}
